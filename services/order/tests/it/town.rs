//! A town to test in: order's processes, the scripted services, people, and a witness of every fact.

use crate::{
    script::Script,
    servers::{Cleaning, Payment, Provider},
};
use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Clock, Event, Host, Role, Routes, Subject,
    messaging::bus::{Consumer, LocalBus},
    program::config::Config,
    program::host::{Settings, Storage},
    rpc::caller::EDGE,
    rpc::client::Channel,
    rpc::context::Context,
    storage::cache::LocalCache,
    testing::{Backend, World, eventually, somebody},
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::{Address, TimeWindow},
    fulfilment::v1::{OrderState, vertical_service_server::VerticalServiceServer},
    order::v1::{
        self as pb, job_service_client::JobServiceClient, order_service_client::OrderServiceClient,
        quote_service_client::QuoteServiceClient, record_service_client::RecordServiceClient,
        settlement_service_client::SettlementServiceClient,
    },
    payment::v1::charge_service_server::ChargeServiceServer,
    provider::v1::reservation_service_server::ReservationServiceServer,
};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use uuid::Uuid;

/// Everything for one story.
pub struct Town {
    world: World,
    backend: Backend,
    process: Process,
    pub clock: Clock,
    pub script: Arc<Script>,
    pub witness: Arc<Witness>,
    pub customer: Subject,
    pub operator: Subject,
    /// The provider of most stories: profile and account.
    pub profile: Uuid,
    pub provider: Subject,
}

/// One process that runs order.
struct Process {
    host: Host,
    stop: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Sees every fact, and that the facts of an order count up without a gap.
#[derive(Default)]
pub struct Witness(Mutex<HashMap<Uuid, Vec<Seen>>>);

/// A fact: its number, its kind and its data.
type Seen = (i64, String, pb::OrderEvent);

#[async_trait]
impl Consumer for Witness {
    fn wants(&self, kind: &str) -> bool {
        kind.starts_with("order.")
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let data: pb::OrderEvent = event.decode()?;
        let mut seen = self.0.lock().unwrap();
        let facts = seen.entry(event.aggregate).or_default();
        if facts.iter().any(|(seq, ..)| *seq == event.seq) {
            return Ok(());
        }
        assert_eq!(
            event.seq,
            i64::try_from(facts.len()).unwrap() + 1,
            "a gap before {}",
            event.kind
        );
        facts.push((event.seq, event.kind.clone(), data));
        Ok(())
    }
}

impl Witness {
    /// The kinds of an order's facts so far.
    pub fn kinds(&self, order: &str) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        let facts = seen.get(&order.parse().unwrap());
        facts.into_iter().flatten().map(|(_, kind, _)| kind.clone()).collect()
    }

    /// The last fact of that kind.
    pub fn last(&self, order: &str, kind: &str) -> Option<pb::OrderEvent> {
        let seen = self.0.lock().unwrap();
        let facts = seen.get(&order.parse().unwrap())?;
        facts.iter().rev().find(|(_, it, _)| it == kind).map(|(.., data)| data.clone())
    }
}

impl Town {
    pub async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let script = Arc::new(Script::default());
        let witness = Arc::new(Witness::default());
        let profile = Uuid::new_v4();
        let provider = somebody(&[Role::Provider]);
        script.with(|memory| {
            memory.price = 10_000;
            memory.accounts.insert(profile.to_string(), provider.user_id);
        });
        world.host.of("order").migrate().await.unwrap();
        let process = Process::start(&world, backend, &script, &witness).await;
        Self {
            clock: world.clock.clone(),
            world,
            backend,
            process,
            script,
            witness,
            customer: somebody(&[Role::Customer]),
            operator: somebody(&[Role::Operator]),
            profile,
            provider,
        }
    }

    /// Kills the process and starts another one on the same database.
    pub async fn restart(&mut self) {
        self.process.stop.cancel();
        self.process = Process::start(&self.world, self.backend, &self.script, &self.witness).await;
    }

    /// The runtime of the process that runs order.
    pub fn host(&self) -> &Host {
        &self.process.host
    }

    pub fn channel(&self) -> Channel {
        self.process.host.of(EDGE).channel("order")
    }
    pub fn quotes(&self) -> QuoteServiceClient<Channel> {
        QuoteServiceClient::new(self.channel())
    }
    pub fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel())
    }
    pub fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel())
    }
    pub fn settlements(&self) -> SettlementServiceClient<Channel> {
        SettlementServiceClient::new(self.channel())
    }
    pub fn records(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(self.channel())
    }

    /// Another provider that can be found: profile and account.
    pub fn candidate(&self) -> (Uuid, Subject) {
        let (profile, who) = (Uuid::new_v4(), somebody(&[Role::Provider]));
        self.script.with(|memory| {
            memory.accounts.insert(profile.to_string(), who.user_id);
            memory.candidates.push(profile);
        });
        (profile, who)
    }

    /// A window of three hours that starts so long after now.
    pub fn window(&self, ahead: Duration) -> TimeWindow {
        let start = self.clock.now() + ahead;
        TimeWindow {
            start: Some(timestamp(start)),
            end: Some(timestamp(start + Duration::hours(3))),
            time_zone: "Europe/Paris".to_owned(),
        }
    }

    pub fn quote_request(&self, provider: Option<Uuid>, ahead: Duration) -> pb::CreateQuoteRequest {
        pb::CreateQuoteRequest {
            vertical: "cleaning".to_owned(),
            details: Some(prost_types::Struct::default()),
            window: Some(self.window(ahead)),
            address: Some(address()),
            provider_id: provider.map(|id| id.to_string()).unwrap_or_default(),
        }
    }

    /// A quote of the customer's.
    pub async fn quote(&self, provider: Option<Uuid>, ahead: Duration) -> pb::Quote {
        let request = self.quote_request(provider, ahead);
        let answer = acting_as(self.customer, self.quotes().create_quote(request)).await.unwrap();
        answer.into_inner().quote.unwrap()
    }

    /// Books a quote for the customer.
    pub async fn book(&self, request: pb::CreateOrderRequest) -> Result<pb::Order, Status> {
        let answer = acting_as(self.customer, self.orders().create_order(request)).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    /// An order with the usual provider two days ahead, as far as its booking goes.
    pub async fn ordered(&self) -> pb::Order {
        self.ordered_ahead(Duration::days(2)).await
    }

    pub async fn ordered_ahead(&self, ahead: Duration) -> pb::Order {
        // Orders of one story are not for the same slot.
        self.clock.advance(Duration::milliseconds(1));
        let quote = self.quote(Some(self.profile), ahead).await;
        self.book(booking(&quote)).await.unwrap()
    }

    pub async fn get_as(&self, who: Subject, id: &str) -> Result<pb::Order, Status> {
        let request = pb::GetOrderRequest { order_id: id.to_owned(), view: String::new() };
        Ok(acting_as(who, self.orders().get_order(request)).await?.into_inner().order.unwrap())
    }

    /// The order as its customer sees it.
    pub async fn get(&self, id: &str) -> pb::Order {
        self.get_as(self.customer, id).await.unwrap()
    }

    pub async fn full(&self, who: Subject, id: &str) -> pb::Order {
        let request = pb::GetOrderRequest { order_id: id.to_owned(), view: "full".to_owned() };
        acting_as(who, self.orders().get_order(request)).await.unwrap().into_inner().order.unwrap()
    }

    /// Waits until the order is in that state.
    pub async fn until(&self, id: &str, state: OrderState) -> pb::Order {
        let what = format!("{} of {id}", state.as_str_name());
        eventually(&what, async || {
            let order = self.get_as(self.operator, id).await.ok()?;
            (order.state == i32::from(state)).then_some(order)
        })
        .await
    }

    /// Waits until the script's memory satisfies the check.
    pub async fn until_script(&self, what: &str, check: impl Fn(&Script) -> bool) {
        eventually(what, async || check(&self.script).then_some(())).await;
    }

    /// As [`Town::until_script`], while time passes by `step` at each look.
    pub async fn until_passing(&self, what: &str, step: Duration, check: impl Fn(&Script) -> bool) {
        eventually(what, async || {
            self.clock.advance(step);
            check(&self.script).then_some(())
        })
        .await;
    }

    /// Waits until the witness saw a fact of that kind.
    pub async fn until_fact(&self, id: &str, kind: &str) -> pb::OrderEvent {
        eventually(kind, async || self.witness.last(id, kind)).await
    }

    /// Has other services publish a fact.
    pub async fn publish<M: prost::Message + Clone + 'static>(&self, kind: &'static str, data: M) {
        let config = self.host().of("order").database_config();
        let db = kit::Db::connect(&config, self.clock.clone()).await.unwrap();
        let tx = db.begin().await.unwrap();
        kit::messaging::outbox::record(&tx, kind, Uuid::new_v4(), 1, &data).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await.unwrap();
    }
}

impl Process {
    async fn start(
        world: &World,
        backend: Backend,
        script: &Arc<Script>,
        witness: &Arc<Witness>,
    ) -> Self {
        let config = world.host.of("order").database_config();
        let folder = world.host.data_dir().to_owned();
        let storage = match backend {
            Backend::Sqlite => Storage::Sqlite(folder.clone()),
            Backend::Postgres => Storage::Postgres(config.url),
        };
        let settings = Settings {
            config: Config::defaults(),
            clock: world.clock.clone(),
            bus: Arc::new(LocalBus::default()),
            cache: LocalCache::new(1 << 20),
            storage,
            data_dir: folder,
            identity: world.host.identity().clone(),
            access_keys: world.host.access_keys().cloned(),
        };
        let stop = CancellationToken::new();
        let host = Host::new(settings, stop.clone());
        let provider = ReservationServiceServer::new(Provider(script.clone()));
        host.of("provider").install(Routes::default().add(provider));
        let payment = ChargeServiceServer::new(Payment(script.clone()));
        host.of("payment").install(Routes::default().add(payment));
        let cleaning = VerticalServiceServer::new(Cleaning(script.clone()));
        host.of("cleaning").install(Routes::default().add(cleaning));
        host.subscribe(witness.clone());
        let own = host.of("order");
        let routes = order::start(&own).await.unwrap();
        own.install(routes);
        Self { host, stop }
    }
}

/// Makes the calls of `work` on behalf of `subject`.
pub async fn acting_as<F: Future>(subject: Subject, work: F) -> F::Output {
    Context { subject: Some(subject), ..Context::default() }.scope(work).await
}

pub fn address() -> Address {
    Address {
        lines: vec!["1 rue de Rivoli".to_owned()],
        postcode: "75001".to_owned(),
        city: "Paris".to_owned(),
        country: "FR".to_owned(),
        lat: 48.8566,
        lng: 2.3522,
        access_notes: "B1234".to_owned(),
    }
}

/// Books the quote as it is.
pub fn booking(quote: &pb::Quote) -> pb::CreateOrderRequest {
    pb::CreateOrderRequest { quote_id: quote.id.clone(), ..pb::CreateOrderRequest::default() }
}

/// The request with an idempotency key.
pub fn keyed<T>(message: T, key: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

pub fn reason(status: &Status) -> String {
    kit::rpc::error::reason(status)
}

/// The fact that a metadata key of the error says.
pub fn metadata(status: &Status, key: &str) -> String {
    use tonic_types::StatusExt;
    let info = status.get_details_error_info().unwrap();
    info.metadata.get(key).cloned().unwrap_or_default()
}
