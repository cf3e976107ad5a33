//! Measures the index of positions and the streams that fill it, against the real service without the edge:
//! `cargo bench -p provider --bench tracking -- [streams] [seconds]`. QS_TEST_POSTGRES_URL adds PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]

use hdrhistogram::Histogram;
use kit::{
    Clock, Role, Subject,
    messaging::outbox,
    storage::position::{Circle, LocalPositions, Position, PositionIndex},
    testing::{ActingAs, Backend, World, eventually, somebody, start},
    values::{coordinates::Coordinates, time::timestamp},
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1::OrderEvent,
    provider::v1::{
        self as pb, provider_service_client::ProviderServiceClient,
        tracking_service_client::TrackingServiceClient,
    },
};
use std::{io::Write as _, time::Duration};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// How often a device sends a batch.
const BATCH_EVERY: Duration = Duration::from_secs(5);
/// Those who move in the city.
const DRIVERS: u16 = 10_000;

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let streams = numbers.next().unwrap_or(1_000);
    let seconds = numbers.next().unwrap_or(60);
    measure_index().await;
    let mut backends = vec![Backend::Sqlite];
    if std::env::var(kit::testing::POSTGRES_URL).is_ok() {
        backends.push(Backend::Postgres);
    }
    for backend in backends {
        measure_streams(backend, streams, seconds).await;
    }
}

/// A place in a city of 40 × 40 km, the same ones each time.
fn place(n: u64) -> Coordinates {
    let hash = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let [north, east] = [hash >> 48, (hash >> 16) & 0xFFFF].map(|part| part as f64 / 65_536.0);
    Coordinates { lat: 48.68 + north * 0.36, lng: 2.08 + east * 0.54 }
}

async fn measure_index() {
    let index = LocalPositions::new(Clock::manual(start()));
    let ids: Vec<Uuid> = (0..DRIVERS).map(|_| Uuid::new_v4()).collect();
    let mut puts = Histogram::<u64>::new(3).unwrap();
    for (n, id) in (0..).zip(&ids) {
        let position = Position { id: *id, place: place(n), at: start() };
        let begun = Instant::now();
        index.put("providers", &[position]).await.unwrap();
        puts.record(begun.elapsed().as_nanos() as u64).unwrap();
    }
    report("put, ns", &puts);
    for radius_m in [2_000.0, 5_000.0, 15_000.0] {
        let mut nears = Histogram::<u64>::new(3).unwrap();
        for n in 0..2_000 {
            let circle = Circle { centre: place(n + 77_777), radius_m };
            let begun = Instant::now();
            index.near("providers", circle, start(), 200).await.unwrap();
            nears.record(begun.elapsed().as_micros() as u64).unwrap();
        }
        report(&format!("near, {DRIVERS} drivers, {radius_m} m, µs"), &nears);
    }
}

fn report(what: &str, histogram: &Histogram<u64>) {
    let [p50, p99, most] =
        [histogram.value_at_quantile(0.5), histogram.value_at_quantile(0.99), histogram.max()];
    say(&format!("{what}: p50 {p50}, p99 {p99}, most {most}, of {}", histogram.len()));
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

async fn measure_streams(backend: Backend, streams: u64, seconds: u64) {
    let world = World::new(backend).await;
    let host = world.host.of("provider");
    host.migrate().await.unwrap();
    host.install(provider::start(&host).await.unwrap());
    let drivers = on_the_way(&world, streams).await;
    let (clock, rounds) = (world.clock.clone(), seconds / BATCH_EVERY.as_secs());
    let begun = processor_time();
    let since = Instant::now();
    let clients = drivers.into_iter().enumerate().map(|(n, driver)| {
        let client = TrackingServiceClient::new(world.outside("provider"));
        tokio::spawn(drive(client, driver, clock.clone(), n as u64, rounds))
    });
    let clients: Vec<_> = clients.collect();
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            clock.advance(chrono::Duration::seconds(1));
        }
    });
    let mut acks = Histogram::<u64>::new(3).unwrap();
    for client in clients {
        acks.add(client.await.unwrap()).unwrap();
    }
    ticking.abort();
    let share = (processor_time() - begun).as_secs_f64() / since.elapsed().as_secs_f64();
    report(&format!("{backend:?}: {streams} streams, batch to answer, ms"), &acks);
    say(&format!("{backend:?}: {share:.2} cores, clients included"));
}

/// Providers whose orders say that they are on the way.
async fn on_the_way(world: &World, count: u64) -> Vec<Subject> {
    let order = world.host.of("order");
    order.migrate().await.unwrap();
    let order = order.database().await.unwrap();
    let mut drivers = Vec::new();
    let mut last = None;
    for n in 0..count {
        let owner = somebody(&[Role::Provider]);
        let mut profiles = ProviderServiceClient::new(world.outside("provider"));
        let request = pb::CreateProviderRequest {
            kind: pb::ProviderKind::Solo.into(),
            name: format!("Driver {n}"),
            city: "Paris".to_owned(),
            country: "FR".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            ..Default::default()
        };
        let provider = profiles.create_provider(request).by(owner).await.unwrap();
        let customer = somebody(&[Role::Customer]);
        let order_id = Uuid::new_v4();
        let fact = OrderEvent {
            order_id: order_id.to_string(),
            customer_id: customer.user_id.to_string(),
            provider_id: provider.into_inner().provider.unwrap().id,
            provider_user_id: owner.user_id.to_string(),
            to: OrderState::EnRoute.into(),
            at: Some(timestamp(world.clock.now())),
            ..OrderEvent::default()
        };
        let tx = order.begin().await.unwrap();
        outbox::record_event(&tx, "order.en_route", order_id, 1, &fact).await.unwrap();
        tx.commit().await.unwrap();
        drivers.push(owner);
        last = Some((customer, order_id));
    }
    if let Some((customer, order_id)) = last {
        let mut client = TrackingServiceClient::new(world.outside("provider"));
        let request =
            pb::WatchTrackRequest { order_id: order_id.to_string(), after: String::new() };
        let open = async || client.watch_track(request.clone()).by(customer).await.is_ok();
        eventually("provider has heard of all orders", open, |open| *open).await;
    }
    drivers
}

/// Sends a batch every five seconds, and says how many milliseconds each answer took.
async fn drive(
    mut client: TrackingServiceClient<kit::rpc::client::Channel>,
    driver: Subject,
    clock: Clock,
    n: u64,
    rounds: u64,
) -> Histogram<u64> {
    let mut acks = Histogram::<u64>::new(3).unwrap();
    // Devices do not send at the same moment.
    tokio::time::sleep(Duration::from_millis(n * 997 % 5_000)).await;
    let (send, batches) = tokio::sync::mpsc::channel(1);
    let answers = client.stream_positions(ReceiverStream::new(batches)).by(driver).await;
    let mut answers = answers.unwrap().into_inner();
    let home = place(n);
    for round in 0..rounds {
        let due = Instant::now() + BATCH_EVERY;
        let positions = (0..5).map(|step| {
            let at = clock.now() - chrono::Duration::seconds(4 - step);
            let north = (round as f64 * 5.0 + step as f64) * 10.0 / 111_195.0;
            pb::DevicePosition {
                seq: at.timestamp(),
                at: Some(timestamp(at)),
                lat: Some(home.lat + north),
                lng: Some(home.lng),
                accuracy_m: 5.0,
                ..Default::default()
            }
        });
        let begun = Instant::now();
        let batch = pb::StreamPositionsRequest { positions: positions.collect() };
        if send.send(batch).await.is_err() {
            break;
        }
        answers.message().await.unwrap();
        acks.record(begun.elapsed().as_millis() as u64).unwrap();
        tokio::time::sleep_until(due).await;
    }
    acks
}
