//! A process a service, over PostgreSQL and Redis, each with a certificate of its own: what one publishes reaches the
//! others, also those that were killed meanwhile, and Redis may lose everything.

use super::{
    crash::SOON,
    people::People,
    program::{Home, Program, run},
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
        home.run(&["certs", "mesh"]).await.ok();
        let address = own_address();
        let mut services = BTreeMap::new();
        for service in Service::ALL {
            let part = start_service(&home, &redis, address, service).await;
            services.insert(service.name(), part);
        }
        let mut command = home.command(&["edge", "--listen", "127.0.0.1:0"]);
        command.env("QS_REDIS_URL", redis.url());
        let edge = Program::start(in_mesh(command, "edge", address)).await;
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

    /// Asks as an operator does, with certificates and without.
    async fn answer_to_operators(&self) {
        let at = SocketAddr::from((self.address, port_of(Service::Order))).to_string();
        let health = ["healthcheck", "--grpc", &at];
        let asked = in_mesh(self.home.command(&health), "order", self.address);
        assert_eq!(run(asked).await.ok(), format!("{at} answers SERVING\n"));
        let asked = in_mesh(self.home.command(&health), "edge", self.address);
        let refused = run(asked).await.stderr;
        assert!(refused.contains("not valid for name"), "{refused}");
        assert!(!self.home.run(&health).await.status.success(), "without a certificate");
        let events = ["events", "parked", "list"];
        let asked = in_mesh(self.home.command(&events), "ops", self.address);
        assert_eq!(run(asked).await.ok(), "");
        let asked = run(in_mesh(self.home.command(&events), "payment", self.address)).await;
        assert!(asked.stderr.contains("is the certificate of payment"), "{}", asked.stderr);
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

/// Says where every service is, and what proves that the process is `name`. Paths are those of the home.
fn in_mesh(mut command: Command, name: &str, address: Ipv4Addr) -> Command {
    let peers = Service::ALL.map(|it| format!("{}=https://{address}:{}", it.name(), port_of(it)));
    command.env("QS_PEERS", peers.join(",")).env("QS_MESH__KEYS", format!("mesh/{name}"));
    for (setting, file) in [("CERT", "cert.pem"), ("KEY", "key.pem"), ("CA", "ca.pem")] {
        command.env(format!("QS_MESH__{setting}"), format!("mesh/{name}/{file}"));
    }
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
    Program::start(in_mesh(command, service.name(), address)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_publishes_reaches_the_others() {
    let mut all = Processes::start().await;
    all.answer_to_operators().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_would_cross_the_network_unproved_is_refused() {
    let home = Home::new(Backend::Sqlite).await;
    home.run(&["certs", "mesh"]).await.ok();
    for command in [
        "run order --redis-url redis://127.0.0.1:9 --peer user=http://10.1.2.3:7100",
        "edge --peer user=http://user:7100",
        "run order --redis-url redis://127.0.0.1:9 --listen 0.0.0.0:0",
        "up --grpc-listen 0.0.0.0:0",
    ] {
        let refused = home.refusal(command).await;
        assert!(refused.contains("set [mesh]") && refused.contains("--insecure"), "{refused}");
    }
    let with_mesh = async |command: &str, of: &str| {
        let command = home.command(&command.split(' ').collect::<Vec<_>>());
        run(in_mesh(command, of, Ipv4Addr::LOCALHOST)).await.stderr
    };
    let refused = with_mesh("up", "order").await;
    assert!(refused.contains("the section [mesh] has no meaning"), "{refused}");
    let refused = with_mesh("run order --redis-url redis://127.0.0.1:9", "payment").await;
    assert!(refused.contains("this process is order"), "{refused}");
    let refused = with_mesh("edge --peer user=http://127.0.0.1:7100", "edge").await;
    assert!(refused.contains("like https://host:port"), "{refused}");
    let insecure = home.command(&["up", "--insecure", "--grpc-listen", "0.0.0.0:0"]);
    let mut insecure = insecure;
    insecure.env("QS_LISTEN", "127.0.0.1:0");
    Program::start(insecure).await.kill();
}
