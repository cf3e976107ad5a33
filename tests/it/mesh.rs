//! The whole system in the test's own process: every service and the edge on free ports, a manual clock, a database of
//! its own.

use kit::{
    Clock,
    program::config::Config,
    testing::{Backend, TestStore, eventually_in_time, start},
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

/// A running system.
pub struct Mesh {
    /// Its time.
    pub clock: Clock,
    /// Speaks to its edge, as nobody.
    pub client: Client,
    /// The process.
    pub process: Process,
    _store: TestStore,
}

impl Mesh {
    /// Starts everything on `backend`, at 9 o'clock UTC on a Monday.
    pub async fn start(backend: Backend) -> Self {
        Self::with_config(backend, Config::defaults()).await
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
        Self { clock, client, process, _store: store }
    }

    /// Waits for what takes time: the clock moves on as the timers and events of the services fall due.
    pub async fn in_time<T: Debug>(
        &self,
        what: &str,
        read: impl AsyncFnMut() -> T,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        let hosts = Service::ALL.map(|service| self.process.host().of(service.name()));
        eventually_in_time(what, &hosts, read, holds).await
    }

    /// Somebody who runs the marketplace.
    pub async fn operator(&self) -> Person {
        let host = self.process.host().of("user");
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
