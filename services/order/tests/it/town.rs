//! A town to test in: order's processes, the scripted services, people, and a recorder of every event.

use crate::{
    provider_server::Provider,
    script::Script,
    servers::{Cleaning, Payment},
};
use chrono::Duration;
use kit::{
    Clock, Event, Host, Role, Routes, Subject,
    messaging::bus::Bus,
    program::config::Config,
    rpc::caller::EDGE,
    rpc::client::Channel,
    testing::{
        Backend, EventRecorder, Process, World, acting_as, eventually, eventually_in_time, paris,
        somebody,
    },
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::{Address, TimeWindow},
    fulfilment::v1::{OrderState, vertical_service_server::VerticalServiceServer},
    order::v1::{
        self as pb, job_service_client::JobServiceClient, order_service_client::OrderServiceClient,
        quote_service_client::QuoteServiceClient, record_service_client::RecordServiceClient,
        series_service_client::SeriesServiceClient,
        settlement_service_client::SettlementServiceClient,
    },
    payment::v1::charge_service_server::ChargeServiceServer,
    provider::v1::reservation_service_server::ReservationServiceServer,
};
use std::sync::Arc;
use tonic::{Request, Status};
use uuid::Uuid;

/// Everything for one story.
pub struct Town {
    world: World,
    process: Process,
    pub clock: Clock,
    pub script: Arc<Script>,
    pub events: Arc<EventRecorder>,
    pub customer: Subject,
    pub operator: Subject,
    /// The provider of most stories: profile and account.
    pub profile: Uuid,
    pub provider: Subject,
}

impl Town {
    pub async fn new(backend: Backend) -> Self {
        Self::with_verticals(backend, &["cleaning"]).await
    }

    /// As [`Town::new`], in a program that has these verticals.
    pub async fn with_verticals(backend: Backend, verticals: &[&str]) -> Self {
        let world = World::with_verticals(backend, Config::defaults(), verticals).await;
        let script = Arc::new(Script::default());
        let events = EventRecorder::new(&["order.", "series."]);
        let profile = Uuid::new_v4();
        let provider = somebody(&[Role::Provider]);
        script.with(|memory| {
            memory.price = 10_000;
            memory.hours = 2;
            memory.accounts.insert(profile.to_string(), provider.user_id);
        });
        world.host.of("order").migrate().await.unwrap();
        let process = start_process(&world, &script, &events).await;
        Self {
            clock: world.clock.clone(),
            world,
            process,
            script,
            events,
            customer: somebody(&[Role::Customer]),
            operator: somebody(&[Role::Operator]),
            profile,
            provider,
        }
    }

    /// Kills the process and starts another one on the same database.
    pub async fn restart(&mut self) {
        self.process.stop();
        self.process = start_process(&self.world, &self.script, &self.events).await;
    }

    /// Starts a second process on the same database, as another replica.
    pub async fn start_replica(&self) -> Process {
        start_process(&self.world, &self.script, &self.events).await
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
    pub fn series(&self) -> SeriesServiceClient<Channel> {
        SeriesServiceClient::new(self.channel())
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
            address: Some(Address { access_notes: "B1234".to_owned(), ..paris() }),
            provider_id: provider.map(|id| id.to_string()).unwrap_or_default(),
            asap: false,
            parent_order_id: String::new(),
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
        let read = async || self.get_as(self.operator, id).await.ok();
        let is_in_state =
            |order: &Option<pb::Order>| order.as_ref().is_some_and(|order| order.state() == state);
        eventually(&what, read, is_in_state).await.unwrap()
    }

    /// Waits until the script's memory satisfies the check.
    pub async fn until_script(&self, what: &str, check: impl Fn(&Script) -> bool) {
        eventually(what, async || self.script.memory(), |_| check(&self.script)).await;
    }

    /// As [`Town::until_script`], for what takes time: the clock moves on as order's timers fall due.
    pub async fn in_time(&self, what: &str, check: impl Fn(&Script) -> bool) {
        let order_service = self.host().of("order");
        let memory = async || self.script.memory();
        eventually_in_time(what, &[order_service], memory, |_| check(&self.script)).await;
    }

    /// Waits until order has published an event of that kind about an order, and returns the last one's message.
    pub async fn until_fact(&self, id: &str, kind: &str) -> pb::OrderEvent {
        let of_the_order = async || self.events.events_of(id);
        let seen = eventually(kind, of_the_order, |seen| seen.iter().any(|it| it.kind == kind));
        let last = seen.await.into_iter().rfind(|event| event.kind == kind);
        self.events.assert_no_gaps();
        last.unwrap().decode().unwrap()
    }

    /// Has another service publish a fact, which is delivered when this returns.
    pub async fn publish_as<M: prost::Message>(&self, source: &str, kind: &str, data: &M) {
        let event = Event {
            id: Uuid::new_v4(),
            source: source.to_owned(),
            kind: kind.to_owned(),
            aggregate: Uuid::new_v4(),
            seq: 1,
            occurred_at: self.clock.now(),
            actor: String::new(),
            traceparent: String::new(),
            data: data.encode_to_vec(),
            only_for: None,
        };
        self.process.bus.publish(&event).await.unwrap();
    }

    /// Has other services publish a fact.
    pub async fn publish<M: prost::Message + Clone + 'static>(&self, kind: &'static str, data: M) {
        let config = self.host().of("order").database_config();
        let db = kit::Db::connect(&config, self.clock.clone()).await.unwrap();
        let tx = db.begin().await.unwrap();
        kit::messaging::outbox::record_event(&tx, kind, Uuid::new_v4(), 1, &data).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await.unwrap();
    }
}

/// Starts order in a process of its own, beside the scripted services.
async fn start_process(
    world: &World,
    script: &Arc<Script>,
    events: &Arc<EventRecorder>,
) -> Process {
    let process = world.another_process();
    let provider = ReservationServiceServer::new(Provider(script.clone()));
    process.host.of("provider").install(Routes::default().add(provider));
    let payment = ChargeServiceServer::new(Payment(script.clone()));
    process.host.of("payment").install(Routes::default().add(payment));
    let cleaning = VerticalServiceServer::new(Cleaning(script.clone()));
    process.host.of("cleaning").install(Routes::default().add(cleaning));
    process.host.subscribe(events.clone()).unwrap();
    let order = process.host.of("order");
    order.install(order::start(&order).await.unwrap());
    process
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

/// The fact that a metadata key of the error says.
pub fn metadata(status: &Status, key: &str) -> String {
    use tonic_types::StatusExt;
    let info = status.get_details_error_info().unwrap();
    info.metadata.get(key).cloned().unwrap_or_default()
}
