//! Events that wait when the program starts, whatever the order in which its services start: every consumer that wants
//! one takes it.

use chrono::Duration;
use kit::{
    Clock, Db,
    messaging::outbox,
    program::config::Config,
    storage::db::DbConfig,
    testing::{Backend, TestStore, eventually, start},
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::{Money, TimeWindow},
    fulfilment::v1::{OrderState, Signal},
    order::v1::OrderEvent,
    payment::v1::{PaymentEvent, PayoutEvent},
    provider::v1::ProviderEvent,
    user::v1::UserEvent,
};
use quickserve::{
    process::{Plan, Process},
    service::Service,
    trust::Trust,
};
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};
use uuid::Uuid;
use yare::parameterized;

/// How many orders of start are told apart: all those of seven services. Of more there are more.
const ALL_ORDERS: usize = 5_040;
/// How many of them are tried on each database. The long tests set it.
const ORDERS_VARIABLE: &str = "QS_TEST_START_ORDERS";
const USUAL_ORDERS: usize = 6;

const ORDER_KINDS: [&str; 8] = [
    "order.assigned",
    "order.declined",
    "order.expired",
    "order.cancelled",
    "order.reassigned",
    "order.arrived",
    "order.completed",
    "order.reviewed",
];
const USER_KINDS: [&str; 3] = ["user.suspended", "user.reinstated", "user.erased"];
const PAYMENT_KINDS: [&str; 4] =
    ["payment.captured", "payment.refunded", "payout.paid", "payout.failed"];
const PROVIDER_KINDS: [&str; 2] = ["provider.verified", "provider.blocked"];

/// Whose tables show which of these kinds it has acted on: in the inbox, or by a message.
fn shows(service: &str, kind: &str) -> bool {
    match service {
        "provider" => {
            ORDER_KINDS.contains(&kind) || ["user.suspended", "user.erased"].contains(&kind)
        }
        "payment" => kind == "user.erased",
        "notification" => {
            ORDER_KINDS.iter().chain(&USER_KINDS).chain(&PAYMENT_KINDS).any(|it| *it == kind)
        }
        _ => false,
    }
}

/// The `number`th order of all services.
fn order_of_start(mut number: usize) -> Vec<Service> {
    let mut left = Service::ALL.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(number % left.len()));
        number /= left.len() + 1;
    }
    order
}

struct Place {
    store: TestStore,
    clock: Clock,
    databases: BTreeMap<&'static str, Db>,
}

impl Place {
    async fn new(backend: Backend) -> Self {
        let store = backend.store().await;
        let (clock, databases) = (Clock::manual(start()), BTreeMap::new());
        let mut place = Self { store, clock, databases };
        // Makes the tables.
        place.start(Service::ALL.to_vec()).await.stop().await;
        for service in Service::ALL.map(Service::name) {
            let config = match place.store.database_url() {
                None => DbConfig::sqlite(place.store.folder(), service),
                Some(url) => DbConfig::postgres(&url, service),
            };
            let db = Db::connect(&config, place.clock.clone()).await.unwrap();
            place.databases.insert(service, db);
        }
        place
    }

    async fn start(&self, services: Vec<Service>) -> Process {
        let plan = Plan {
            services,
            edge: None,
            grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin: None,
            peers: BTreeMap::new(),
            trust: Trust::ThisMachine,
            data_dir: self.store.folder().to_owned(),
            database_url: self.store.database_url(),
            redis_url: None,
            migrate: true,
            config: Config::defaults(),
            clock: self.clock.clone(),
        };
        Process::start(plan).await.unwrap()
    }

    /// Leaves events of each kind in the outboxes.
    async fn leave_events(&self) {
        let order = |kind: &str| OrderEvent {
            order_id: Uuid::new_v4().to_string(),
            provider_id: Uuid::new_v4().to_string(),
            provider_user_id: Uuid::new_v4().to_string(),
            customer_id: Uuid::new_v4().to_string(),
            from: if kind == "order.expired" {
                OrderState::Requested
            } else {
                OrderState::Assigned
            }
            .into(),
            to: OrderState::Cancelled.into(),
            fault: "provider".to_owned(),
            addressee: "provider".to_owned(),
            stars: 5,
            at: Some(timestamp(self.clock.now())),
            window: Some(TimeWindow {
                start: Some(timestamp(self.clock.now())),
                end: Some(timestamp(self.clock.now() + Duration::hours(2))),
                time_zone: "Europe/Paris".to_owned(),
            }),
            total: Some(money()),
            ..OrderEvent::default()
        };
        let db = &self.databases["order"];
        for kind in ORDER_KINDS {
            leave(db, kind, order(kind)).await;
        }
        let db = &self.databases["user"];
        for kind in USER_KINDS {
            leave(db, kind, UserEvent { user_id: Uuid::new_v4().to_string() }).await;
        }
        let db = &self.databases["payment"];
        for kind in PAYMENT_KINDS {
            let (order_id, account) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
            let amount = Some(money());
            if kind.starts_with("payout.") {
                let data = PayoutEvent {
                    order_id,
                    provider_user_id: account,
                    amount,
                    ..Default::default()
                };
                leave(db, kind, data).await;
            } else {
                let data =
                    PaymentEvent { order_id, customer_id: account, amount, ..Default::default() };
                leave(db, kind, data).await;
            }
        }
        let db = &self.databases["provider"];
        for kind in PROVIDER_KINDS {
            let user_id = Uuid::new_v4().to_string();
            leave(db, kind, ProviderEvent { user_id, ..Default::default() }).await;
        }
        let db = &self.databases["cleaning"];
        let data = Signal { order_id: Uuid::new_v4().to_string(), ..Default::default() };
        leave(db, "fulfilment.access_failed", data).await;
    }

    async fn rows(&self, service: &'static str, sql: &'static str) -> Vec<QueryResult> {
        let db = &self.databases[service];
        let query = Statement::from_string(db.connection().get_database_backend(), sql);
        db.connection().query_all_raw(query).await.unwrap()
    }

    async fn missing(&self) -> Vec<Missing> {
        missing(async |service, sql| self.rows(service, sql).await).await
    }

    async fn waiting(&self, service: &'static str) -> usize {
        self.rows(service, "SELECT id FROM outbox WHERE state = 0").await.len()
    }
}

/// An event that a consumer has not acted on: the consumer, the event's kind and its id.
pub type Missing = (&'static str, String, Uuid);

/// The events in the outboxes that are still to be published, and those that a consumer wants and has not acted on.
/// `rows` answers a query of a service's database.
pub async fn missing(
    rows: impl AsyncFn(&'static str, &'static str) -> Vec<QueryResult>,
) -> Vec<Missing> {
    let mut acted = BTreeMap::<&str, BTreeSet<Uuid>>::new();
    for (consumer, sql) in [
        ("provider", "SELECT event_id FROM inbox"),
        ("payment", "SELECT event_id FROM inbox"),
        ("notification", "SELECT event_id FROM inbox"),
        ("notification", "SELECT event_id FROM messages"),
    ] {
        let found = rows(consumer, sql).await;
        let ids = found.iter().map(|row| row.try_get_by_index::<Uuid>(0).unwrap());
        acted.entry(consumer).or_default().extend(ids);
    }
    let mut missing = Vec::new();
    for publisher in Service::ALL.map(Service::name) {
        for row in rows(publisher, "SELECT id, kind, state FROM outbox").await {
            let (id, kind): (Uuid, String) =
                (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
            if row.try_get_by_index::<i16>(2).unwrap() == 0 {
                missing.push(("every consumer", kind.clone(), id));
            }
            for (consumer, acted) in &acted {
                if shows(consumer, &kind) && !acted.contains(&id) {
                    missing.push((consumer, kind.clone(), id));
                }
            }
        }
    }
    missing
}

async fn leave<M: prost::Message + 'static>(db: &Db, kind: &'static str, data: M) {
    let aggregate = Uuid::new_v4();
    let tx = db.begin().await.unwrap();
    outbox::record_event(&tx, kind, aggregate, 1, &data).await.unwrap();
    tx.commit().await.unwrap();
}

fn money() -> Money {
    Money { currency: "EUR".to_owned(), minor_units: 5_600 }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn events_that_wait_reach_every_consumer_in_any_order_of_start(backend: Backend) {
    let count = std::env::var(ORDERS_VARIABLE).ok().and_then(|count| count.parse().ok());
    let place = Place::new(backend).await;
    for number in 0..count.unwrap_or(USUAL_ORDERS).min(ALL_ORDERS) {
        place.leave_events().await;
        // Has no divisor in common with their number, so that as many steps meet every order.
        let services = order_of_start(number * 131 % ALL_ORDERS);
        let process = place.start(services.clone()).await;
        let what = format!("all events after a start of {services:?}");
        eventually(&what, async || place.missing().await, Vec::is_empty).await;
        process.stop().await;
    }
}

/// A process that does not run every service must not take its events for delivered.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_process_without_all_consumers_keeps_its_events(backend: Backend) {
    let place = Place::new(backend).await;
    place.leave_events().await;
    for service in Service::ALL {
        // It has looked once when it stops, since stopping waits for its workers.
        place.start(vec![service]).await.stop().await;
    }
    assert_eq!(place.waiting("order").await, ORDER_KINDS.len());
    assert_eq!(place.waiting("user").await, USER_KINDS.len());
    let process = place.start(Service::ALL.to_vec()).await;
    eventually("all events", async || place.missing().await, Vec::is_empty).await;
    process.stop().await;
}

#[test]
fn every_order_of_start_is_met() {
    let orders: BTreeSet<Vec<&str>> = (0..ALL_ORDERS)
        .map(|number| order_of_start(number * 131 % ALL_ORDERS))
        .map(|services| services.into_iter().map(Service::name).collect())
        .collect();
    assert_eq!(orders.len(), ALL_ORDERS);
}
