//! The whole system in the test's own process: every service and the edge on free ports, a manual clock, a database of
//! its own. The services share one runtime, as `quickserve up` runs them, or each has one of its own and meets the others
//! over sockets and Redis, as `quickserve run` does.

use crate::binary::{own_address, port_of};
use kit::{
    Clock, Host,
    program::config::Config,
    testing::{Backend, RedisServer, TestStore, eventually, eventually_in_time, start},
};
use quickserve::{
    client::Client,
    demo::{self, Person, Provider},
    process::{Plan, Process},
    service::Service,
    trust::Trust,
};
use std::{
    collections::BTreeMap,
    fmt::Debug,
    net::{Ipv4Addr, SocketAddr},
};

/// How the services of a system are put together.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// All in one process, on this database.
    Whole(Backend),
    /// A process a service, over PostgreSQL and a Redis of their own.
    Apart,
}

impl From<Backend> for Shape {
    fn from(backend: Backend) -> Self {
        Self::Whole(backend)
    }
}

/// A running system.
pub struct Mesh {
    /// Its time.
    pub clock: Clock,
    /// Speaks to its edge, as nobody.
    pub client: Client,
    /// The process that has the edge, and every service that has no process of its own.
    pub process: Process,
    services: BTreeMap<&'static str, Process>,
    _redis: Option<RedisServer>,
    _store: TestStore,
}

impl Mesh {
    /// Starts everything in this shape, at 9 o'clock UTC on a Monday.
    pub async fn start(shape: impl Into<Shape>) -> Self {
        match shape.into() {
            Shape::Whole(backend) => Self::with_config(backend, Config::defaults()).await,
            Shape::Apart => Self::start_apart().await,
        }
    }

    /// Starts each service in a process of its own, and the edge before them.
    async fn start_apart() -> Self {
        let (store, redis) = (Backend::Postgres.store().await, RedisServer::start().await);
        let (clock, address) = (Clock::manual(start()), own_address());
        let peers = Service::ALL.map(|service| {
            (service.name().to_owned(), format!("http://{address}:{}", port_of(service)))
        });
        let plan = || Plan {
            services: Vec::new(),
            edge: None,
            grpc: SocketAddr::from((address, 0)),
            admin: None,
            peers: BTreeMap::from(peers.clone()),
            data_dir: store.folder().to_owned(),
            database_url: store.database_url(),
            redis_url: Some(redis.url()),
            trust: Trust::ThisMachine,
            migrate: true,
            config: Config::defaults(),
            clock: clock.clone(),
        };
        let mut services = BTreeMap::new();
        for service in Service::ALL {
            let grpc = SocketAddr::from((address, port_of(service)));
            let process = Process::start(Plan { services: vec![service], grpc, ..plan() }).await;
            services.insert(service.name(), process.unwrap());
        }
        let edge = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let process = Process::start(Plan { edge: Some(edge), ..plan() }).await.unwrap();
        let client = Client::new(&format!("http://{}", process.edge().unwrap()));
        let ready = async || client.get("/readyz").await.unwrap().status.as_u16();
        eventually("the edge is ready", ready, |status| *status == 200).await;
        Self { clock, client, process, services, _redis: Some(redis), _store: store }
    }

    /// The runtime that `service` or the edge has.
    pub fn host(&self, service: &'static str) -> Host {
        self.services.get(service).unwrap_or(&self.process).host().of(service)
    }

    /// As [`Mesh::start`], configured.
    pub async fn with_config(backend: Backend, config: Config) -> Self {
        let store = backend.store().await;
        let clock = Clock::manual(start());
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
            config,
            clock: clock.clone(),
        };
        let process = Process::start(plan).await.unwrap();
        let client = Client::new(&format!("http://{}", process.edge().unwrap()));
        let services = BTreeMap::new();
        Self { clock, client, process, services, _redis: None, _store: store }
    }

    /// Waits for what takes time: the clock moves on as the timers and events of the services fall due.
    pub async fn in_time<T: Debug>(
        &self,
        what: &str,
        read: impl AsyncFnMut() -> T,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        let hosts = Service::ALL.map(|service| self.host(service.name()));
        eventually_in_time(what, &hosts, read, holds).await
    }

    /// Somebody who runs the marketplace.
    pub async fn operator(&self) -> Person {
        let host = self.host("user");
        let email = "operator@test.example";
        user::create_operator(&host, email, "Olympe", demo::PASSWORD).await.unwrap();
        demo::sign_in(&self.client, email, demo::PASSWORD).await.unwrap()
    }

    /// A customer with a card that works.
    pub async fn customer(&self, name: &str) -> Person {
        demo::make_customer(&self.client, name, &format!("{name}@test.example")).await.unwrap()
    }

    /// A cleaner whom `operator` has vetted, free at every hour.
    pub async fn cleaner(&self, operator: &Person, name: &str) -> Provider {
        let email = format!("{name}@test.example");
        demo::make_cleaner(&self.client, operator, name, &email).await.unwrap()
    }

    /// A driver whom `operator` has vetted, free at every hour.
    pub async fn driver(&self, operator: &Person, name: &str) -> Provider {
        let email = format!("{name}@test.example");
        demo::make_driver(&self.client, operator, name, &email).await.unwrap()
    }

    /// A company of four movers with two trucks that `operator` has vetted, free at every hour.
    pub async fn movers(&self, operator: &Person, name: &str) -> Provider {
        let email = format!("{name}@test.example");
        demo::make_movers(&self.client, operator, name, &email).await.unwrap()
    }

    /// A repairer whom `operator` has vetted, free at every hour.
    pub async fn repairer(&self, operator: &Person, name: &str) -> Provider {
        let email = format!("{name}@test.example");
        demo::make_repairer(&self.client, operator, name, &email).await.unwrap()
    }

    /// A carer whom `operator` has vetted, free at every hour.
    pub async fn carer(&self, operator: &Person, name: &str) -> Provider {
        let email = format!("{name}@test.example");
        demo::make_carer(&self.client, operator, name, &email).await.unwrap()
    }

    /// The same person after their access token has run out.
    pub async fn again(&self, person: &Person) -> Person {
        demo::sign_in(&self.client, &person.email, demo::PASSWORD).await.unwrap()
    }
}
