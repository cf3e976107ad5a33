//! Measures live dispatch in a town of ten thousand drivers, all services in one process and without the edge: how soon after
//! the answer to a booking the first offer of the ride has gone out, and how long its acceptance takes. It fails when a ride
//! finds no driver, and says why. QS_TEST_POSTGRES_URL adds PostgreSQL.
//! `cargo bench -p quickserve --bench dispatch -- [rides a second] [seconds] [drivers]`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]

use hdrhistogram::Histogram;
use kit::{
    Clock, Db, Event, Host, Role, Subject,
    messaging::bus::Consumer,
    program::config::Config,
    rpc::{caller::EDGE, client::Channel, details::to_struct},
    storage::position::Position,
    testing::{ActingAs, Backend, TestStore, paris, somebody},
    values::coordinates::Coordinates,
};
use proto::quickserve::{
    common::v1::Address,
    order::v1::{
        self as pb, OrderEvent, job_service_client::JobServiceClient,
        order_service_client::OrderServiceClient, quote_service_client::QuoteServiceClient,
    },
};
use quickserve::{
    client::Client,
    demo::{self, CENTRE},
    process::{Plan, Process},
    service::Service,
    trust::Trust,
};
use sea_orm::{ConnectionTrait, sea_query::Query};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

#[path = "../../provider/tests/it/copies.rs"]
mod copies;

/// How many drivers are online where the command does not say.
const DRIVERS: u64 = 10_000;
/// Those who book, in turn.
const CUSTOMERS: usize = 20;
/// Degrees between one side of the town and the other, about 22 km.
const TOWN: f64 = 0.2;
/// How often phones say where they are: a position counts for half a minute.
const POSITIONS_EVERY: Duration = Duration::from_secs(10);
/// How long a ride may wait for its first offer.
const MAX_WAIT: Duration = Duration::from_secs(30);

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let rides_a_second = numbers.next().unwrap_or(20);
    let seconds = numbers.next().unwrap_or(30);
    let drivers = usize::try_from(numbers.next().unwrap_or(DRIVERS)).unwrap();
    let mut backends = vec![Backend::Sqlite];
    if std::env::var(kit::testing::POSTGRES_URL).is_ok() {
        backends.push(Backend::Postgres);
    }
    let mut failed = 0;
    for backend in backends {
        failed += measure(backend, rides_a_second, seconds, drivers).await;
    }
    assert_eq!(failed, 0, "rides found no driver: the figures are not those of a town that works");
}

/// When the first offer of an order went out, and to whose account.
#[derive(Clone, Copy, Debug)]
struct FirstOffer {
    at: Instant,
    driver: Uuid,
}

/// Notes the first offer of each order.
#[derive(Default)]
struct OfferClock(Mutex<HashMap<String, Noted>>);

/// What is known of an order's first offer.
enum Noted {
    Seen(FirstOffer),
    Awaited(oneshot::Sender<FirstOffer>),
}

impl OfferClock {
    /// Waits for the first offer of an order; none when there is none for too long.
    async fn first_offer(&self, order_id: &str) -> Option<FirstOffer> {
        let (send, seen) = oneshot::channel();
        {
            let mut notes = self.0.lock().unwrap();
            if let Some(Noted::Seen(first)) = notes.get(order_id) {
                return Some(*first);
            }
            notes.insert(order_id.to_owned(), Noted::Awaited(send));
        }
        tokio::time::timeout(MAX_WAIT, seen).await.ok()?.ok()
    }
}

#[tonic::async_trait]
impl Consumer for OfferClock {
    fn wants(&self, kind: &str) -> bool {
        kind == "order.offered"
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let at = Instant::now();
        let OrderEvent { order_id, provider_user_id, .. } = event.decode()?;
        let driver = provider_user_id.parse().map_err(kit::Error::internal)?;
        let first = FirstOffer { at, driver };
        let mut notes = self.0.lock().unwrap();
        match notes.remove(&order_id) {
            Some(seen @ Noted::Seen(_)) => drop(notes.insert(order_id, seen)),
            Some(Noted::Awaited(waiting)) => {
                let _ = waiting.send(first);
                notes.insert(order_id, Noted::Seen(first));
            }
            None => drop(notes.insert(order_id, Noted::Seen(first))),
        }
        Ok(())
    }
}

/// The whole program in this process, and those who book.
struct Town {
    process: Process,
    customers: Vec<Subject>,
    offers: Arc<OfferClock>,
    drivers: usize,
    _store: TestStore,
}

impl Town {
    async fn open(backend: Backend, drivers: usize) -> Self {
        let store = backend.store().await;
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let plan = Plan {
            services: Service::ALL.to_vec(),
            edge: Some(local),
            grpc: local,
            admin: None,
            peers: BTreeMap::new(),
            trust: Trust::ThisMachine,
            data_dir: store.folder().to_owned(),
            database_url: store.database_url(),
            redis_url: None,
            migrate: true,
            config: Config::defaults(),
            clock: Clock::system(),
        };
        let process = Process::start(plan).await.unwrap();
        let offers = Arc::new(OfferClock::default());
        process.host().subscribe(offers.clone()).unwrap();
        let customers = settle(&process, drivers).await;
        Self { process, customers, offers, drivers, _store: store }
    }

    fn channel(&self) -> Channel {
        self.process.host().of(EDGE).channel("order")
    }

    /// Books a ride, and has the first driver who is asked accept it. Returns how long the first offer was under way after
    /// the booking's answer, and how long the acceptance took, or why it did not come to that.
    async fn ride(&self, number: usize) -> Result<(Duration, Duration), String> {
        let customer = self.customers[number % self.customers.len()];
        let mut quotes = QuoteServiceClient::new(self.channel());
        let from = place(number * 13 + 5, self.drivers);
        let quote = quotes.create_quote(taxi(from)).by(customer).await;
        let quote = quote.map_err(|refused| format!("no quote: {refused}"))?;
        let quote_id = quote.into_inner().quote.unwrap().id;
        let request = pb::CreateOrderRequest { quote_id, ..pb::CreateOrderRequest::default() };
        let mut orders = OrderServiceClient::new(self.channel());
        let booked = orders.create_order(request).by(customer).await;
        let booked = booked.map_err(|refused| format!("no booking: {refused}"))?;
        let order = booked.into_inner().order.unwrap();
        let answered = Instant::now();
        let Some(first) = self.offers.first_offer(&order.id).await else {
            let read = pb::GetOrderRequest { order_id: order.id, ..pb::GetOrderRequest::default() };
            let order = orders.get_order(read).by(customer).await;
            let state = order.map(|order| order.into_inner().order.unwrap().state());
            return Err(format!(
                "no offer for {} s: the order is in {state:?}",
                MAX_WAIT.as_secs()
            ));
        };
        let offered = first.at.saturating_duration_since(answered);

        let driver = Subject { user_id: first.driver, ..somebody(&[Role::Provider]) };
        let mut jobs = JobServiceClient::new(self.channel());
        let listed = jobs.list_offers(pb::ListOffersRequest::default()).by(driver).await;
        let listed = listed.map_err(|refused| format!("no list of offers: {refused}"))?;
        let offers = listed.into_inner().offers;
        let offer = offers.into_iter().find(|offer| offer.order_id == order.id);
        let offer_id = offer.ok_or("the offer is not in its driver's list")?.id;
        let begun = Instant::now();
        let accepted = jobs.accept_offer(pb::AcceptOfferRequest { offer_id }).by(driver).await;
        accepted.map_err(|refused| format!("no acceptance: {refused}"))?;
        Ok((offered, begun.elapsed()))
    }
}

/// Customers with cards, and drivers who are online everywhere in the town.
async fn settle(process: &Process, drivers: usize) -> Vec<Subject> {
    let client = Client::new(&format!("http://{}", process.edge().unwrap()));
    let email = "operator@test.example";
    user::create_operator(&process.host().of("user"), email, "Olympe", demo::PASSWORD)
        .await
        .unwrap();
    let operator = demo::sign_in(&client, email, demo::PASSWORD).await.unwrap();
    let mut customers = Vec::new();
    for number in 0..CUSTOMERS {
        let (name, email) = (format!("customer{number}"), format!("c{number}@test.example"));
        let person = demo::make_customer(&client, &name, &email).await.unwrap();
        let user_id = person.user_id.parse().unwrap();
        customers.push(Subject { user_id, ..somebody(&[Role::Customer]) });
    }
    let driver = demo::make_driver(&client, &operator, "Ana", "ana@test.example").await.unwrap();
    demo::go_online(&driver).await.unwrap();
    let host = process.host().of("provider");
    let db = Db::connect(&host.database_config(), Clock::system()).await.unwrap();
    copies::copy_provider(&db, &driver.provider_id, drivers.saturating_sub(1)).await;
    let ids = Query::select().column("id").from("providers").to_owned();
    let rows = db.connection().query_all(&ids).await.unwrap();
    db.close().await.unwrap();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get("", "id").unwrap()).collect();
    say(&format!("{} drivers are online", ids.len()));
    tokio::spawn(keep_positions(host, ids));
    customers
}

/// Puts every driver into the index, again and again.
async fn keep_positions(host: Host, ids: Vec<Uuid>) {
    loop {
        let at = Clock::system().now();
        let positions: Vec<Position> = ids
            .iter()
            .enumerate()
            .map(|(index, id)| Position { id: *id, place: place(index, ids.len()), at })
            .collect();
        host.positions().put("providers", &positions).await.unwrap();
        tokio::time::sleep(POSITIONS_EVERY).await;
    }
}

/// One of so many places in the town that looks random, the same one each time.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn place(index: usize, of: usize) -> Coordinates {
    let share = |factor: usize| (index * factor % of) as f64 / of as f64 - 0.5;
    Coordinates { lat: CENTRE.0 + TOWN * share(7_919), lng: CENTRE.1 + TOWN * share(104_729) }
}

/// A ride as soon as possible, from somewhere in the town.
fn taxi(from: Coordinates) -> pb::CreateQuoteRequest {
    let details = demo::taxi_request()["details"].as_object().cloned().unwrap();
    pb::CreateQuoteRequest {
        vertical: "transport".to_owned(),
        details: Some(to_struct(details)),
        address: Some(Address { lat: Some(from.lat), lng: Some(from.lng), ..paris() }),
        asap: true,
        ..pb::CreateQuoteRequest::default()
    }
}

fn report(what: &str, histogram: &Histogram<u64>) {
    let [p50, p99, most] =
        [histogram.value_at_quantile(0.5), histogram.value_at_quantile(0.99), histogram.max()];
    let count = histogram.len();
    say(&format!("{what}: p50 {p50}, p99 {p99}, most {most}, of {count}"));
}

/// Has rides booked and accepted, and reports how long that took. Returns how many found no driver.
async fn measure(backend: Backend, rides_a_second: u64, seconds: u64, drivers: usize) -> u64 {
    let town = Arc::new(Town::open(backend, drivers).await);
    let begun = Instant::now();
    let mut rides = Vec::new();
    for number in 0..rides_a_second * seconds {
        tokio::time::sleep_until(
            begun + Duration::from_micros(number * 1_000_000 / rides_a_second),
        )
        .await;
        let town = town.clone();
        rides.push(tokio::spawn(async move { town.ride(usize::try_from(number).unwrap()).await }));
    }
    let mut offered = Histogram::<u64>::new(3).unwrap();
    let mut accepted = Histogram::<u64>::new(3).unwrap();
    let mut without = BTreeMap::<String, u64>::new();
    for ride in rides {
        match ride.await.unwrap() {
            Ok((first, acceptance)) => {
                offered.record(first.as_micros() as u64).unwrap();
                accepted.record(acceptance.as_micros() as u64).unwrap();
            }
            Err(why) => *without.entry(why).or_default() += 1,
        }
    }
    let name = format!("{backend:?}, {rides_a_second} rides a second, {drivers} drivers");
    report(&format!("{name}: first offer after the booking's answer, µs"), &offered);
    report(&format!("{name}: acceptance, µs"), &accepted);
    for (why, count) in &without {
        say(&format!("{name}: {count} rides: {why}"));
    }
    without.values().sum()
}
