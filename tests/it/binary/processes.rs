//! A process a service, over PostgreSQL and Redis: what one publishes reaches the others, also those that were killed
//! meanwhile, and Redis may lose everything.

use super::{
    crash::SOON,
    people::People,
    program::{Home, Program},
};
use crate::events;
use kit::testing::{Backend, RedisServer, eventually};
use quickserve::service::Service;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// The port of the first service.
const FIRST_PORT: u16 = 7100;

/// All services and the edge, each in a process of its own.
pub struct Processes {
    home: Home,
    redis: RedisServer,
    address: Ipv4Addr,
    services: BTreeMap<&'static str, Program>,
    edge: Program,
}

impl Processes {
    pub async fn start() -> Self {
        let (home, redis) = (Home::new(Backend::Postgres).await, RedisServer::start().await);
        home.run(&["migrate"]).await.ok();
        let address = own_address();
        let mut services = BTreeMap::new();
        for service in Service::ALL {
            let part = start_service(&home, &redis, address, service).await;
            services.insert(service.name(), part);
        }
        let mut command = home.command(&["edge", "--listen", "127.0.0.1:0"]);
        command.env("QS_REDIS_URL", redis.url());
        let edge = Program::start(with_peers(command, address)).await;
        let ready = async || edge.client.get("/readyz").await.unwrap().status.as_u16();
        eventually("the edge is ready", ready, |status| *status == 200).await;
        Self { home, redis, address, services, edge }
    }

    /// What they keep.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The edge.
    pub const fn edge(&self) -> &Program {
        &self.edge
    }

    /// The Redis between them.
    pub const fn redis(&mut self) -> &mut RedisServer {
        &mut self.redis
    }

    /// Ends the process of a service as a power cut does.
    pub fn kill(&mut self, service: Service) {
        self.services.remove(service.name());
    }

    /// Asks the process of a service to end, and waits until it has.
    pub async fn stop(&mut self, service: Service) {
        if let Some(part) = self.services.remove(service.name()) {
            part.stop().await;
        }
    }

    /// The process of a service.
    pub fn process_id(&self, service: Service) -> u32 {
        self.services[service.name()].process_id()
    }

    /// Starts the process of a service that has ended.
    pub async fn restart(&mut self, service: Service) {
        let part = start_service(&self.home, &self.redis, self.address, service).await;
        self.services.insert(service.name(), part);
    }

    /// Waits until the metrics of a service say this.
    async fn tells(&self, service: Service, line: &str) {
        let client = &self.services[service.name()].client;
        let metrics = async || client.get("/metrics").await.unwrap().body;
        let says_so = |metrics: &Value| metrics.as_str().is_some_and(|text| text.contains(line));
        eventually(line, metrics, says_so).await;
    }

    /// Waits until every event is published and every consumer has acted on those that it wants.
    pub async fn have_heard_of_everything(&self) {
        let rows = async |name, sql| self.home.rows(name, sql).await;
        let missing = async || events::missing(rows).await;
        eventually("every event arrives", missing, Vec::is_empty).await;
    }
}

/// Sends a signal to a process.
pub fn signal(name: &str, process: u32) {
    let kill = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// An address of the loopback network that no other test uses, so that the ports on it are free and known before the
/// processes start.
pub fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 8 + COUNT.fetch_add(1, Ordering::Relaxed) % 8;
    let [high, middle, low] = [16, 8, 0].map(|shift| u8::try_from(number >> shift & 0xFF).unwrap());
    Ipv4Addr::new(127, 64 | high & 63, middle, low)
}

/// The port of a service on such an address.
pub fn port_of(service: Service) -> u16 {
    let place = Service::ALL.iter().position(|it| *it == service).unwrap();
    FIRST_PORT + u16::try_from(place).unwrap()
}

/// Says where every service is.
fn with_peers(mut command: Command, address: Ipv4Addr) -> Command {
    let peers = Service::ALL.map(|it| format!("{}=http://{address}:{}", it.name(), port_of(it)));
    command.env("QS_PEERS", peers.join(","));
    command
}

async fn start_service(
    home: &Home,
    redis: &RedisServer,
    address: Ipv4Addr,
    service: Service,
) -> Program {
    let mut command = home.command(&["run", service.name()]);
    command
        .env("QS_LISTEN", SocketAddr::from((address, port_of(service))).to_string())
        .env("QS_REDIS_URL", redis.url())
        .env("QS_EVENTS__LEASE_MS", "2000")
        .env("QS_DATABASE__CONNECTIONS", "4")
        .envs(SOON);
    Program::start(with_peers(command, address)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_publishes_reaches_the_others() {
    let mut all = Processes::start().await;
    let people = People::settle(&all.home, &all.edge).await;
    let quote = people.quote(24).await;
    assert_eq!(people.book(&quote).await.unwrap().status, 201);
    assert!(!all.home.rows("order", "SELECT id FROM outbox").await.is_empty());
    all.have_heard_of_everything().await;

    // One that is killed hears of it later, once.
    all.kill(Service::Notification);
    let quote = people.quote(28).await;
    assert_eq!(people.book(&quote).await.unwrap().status, 201);
    all.restart(Service::Notification).await;
    all.have_heard_of_everything().await;

    // Redis forgets what a process has not heard of yet.
    all.kill(Service::Notification);
    let quote = people.quote(32).await;
    assert_eq!(people.book(&quote).await.unwrap().status, 201);
    all.redis.restart().await;
    all.restart(Service::Notification).await;
    all.have_heard_of_everything().await;

    // Without Redis every process is ready, and orders are booked.
    all.redis.kill();
    for program in all.services.values().chain([&all.edge]) {
        assert_eq!(program.client.get("/readyz").await.unwrap().status, 200);
    }
    let quote = people.quote(36).await;
    assert_eq!(people.book(&quote).await.unwrap().status, 201);
    all.redis.restart().await;
    all.have_heard_of_everything().await;

    // A publisher tells how far each consumer is behind, and what waits in its own outbox.
    all.kill(Service::User);
    all.restart(Service::User).await;
    let consumer = "{consumer=\"notification\",source=\"user\"} 0";
    all.tells(Service::User, &format!("events_lag{consumer}")).await;
    all.tells(Service::User, &format!("events_oldest_age_seconds{consumer}")).await;
    all.tells(Service::User, "outbox_oldest_age_seconds{service=\"user\"} 0").await;
    all.tells(Service::Notification, "events_parked{service=\"notification\"} 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_its_own_refuses_to_start_without_redis() {
    let home = Home::new(Backend::Sqlite).await;
    let refused = home.refusal("run order").await;
    assert!(refused.contains("set --redis-url or QS_REDIS_URL"), "{refused}");
}
