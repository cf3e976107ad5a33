//! The data of an earlier version: `tests/upgrade/make` had its program keep it, and was killed. Today's version brings the
//! tables up to date and goes on where the other stopped.

use crate::{
    binary::rows,
    events,
    journey::{act, clean, see},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Clock, Db,
    program::config::Config,
    storage::db::DbConfig,
    testing::{Backend, TestStore, eventually, eventually_in_time},
};
use quickserve::{
    client::Client,
    demo::{CENTRE, Person, text_at},
    process::{Plan, Process},
    service::Service,
    trust::Trust,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use yare::parameterized;

/// The secrets that the earlier program was given; its own it kept in files.
const SECRETS: [(&str, &str); 2] = [
    ("order.secret", "a-secret-of-the-upgrade-test-0001"),
    ("payment.psp_webhook_secrets", "[\"a-secret-of-the-upgrade-test-0002\"]"),
];

/// What the earlier version at this commit left.
fn left_by(commit: &str, backend: Backend) -> PathBuf {
    let engine = match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    tests.join("upgrade").join(commit).join(engine)
}

/// Today's version on the data of an earlier one, a minute after that was killed.
struct Upgraded {
    process: Process,
    clock: Clock,
    client: Client,
    /// What was told of the earlier version's time.
    story: Value,
    store: TestStore,
}

impl Upgraded {
    async fn from(commit: &str, backend: Backend) -> Self {
        let left = left_by(commit, backend);
        let story = fs::read_to_string(left.join("story.json")).unwrap();
        let story: Value = serde_json::from_str(&story).unwrap();
        let killed_at: DateTime<Utc> = story["at"].as_str().unwrap().parse().unwrap();
        let clock = Clock::manual(killed_at + Duration::minutes(1));
        let store = backend.store().await;
        let keys = store.folder().join("keys/access");
        fs::create_dir_all(&keys).unwrap();
        fs::copy(left.join("access-keys.json"), keys.join("keyring.json")).unwrap();
        for service in Service::ALL.map(Service::name) {
            let config = match store.database_url() {
                None => DbConfig::sqlite(store.folder(), service),
                Some(url) => DbConfig::postgres(&url, service),
            };
            // A service that is newer than the data has left none.
            if let Ok(dump) = fs::read_to_string(left.join(format!("{service}.sql"))) {
                load(&config, &dump).await;
            }
        }
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
            config: Config::from_map(SECRETS),
            clock: clock.clone(),
        };
        let process = Process::start(plan).await.unwrap();
        let client = Client::new(&format!("http://{}", process.edge().unwrap()));
        Self { process, clock, client, story, store }
    }

    fn text(&self, field: &str) -> String {
        text_at(&self.story, field).unwrap()
    }

    async fn sign_in(&self, name: &str) -> Person {
        let email = format!("{name}@upgrade.example");
        let client = self.client.sign_in(&email, &self.text("password")).await.unwrap();
        Person { client, user_id: String::new(), email }
    }

    async fn rows(&self, service: &'static str, sql: &str) -> Vec<sea_orm::QueryResult> {
        rows(&self.process.host().of(service).database_config(), sql).await
    }

    /// Waits for what takes time: the clock moves on as timers and events fall due.
    async fn in_time<T: std::fmt::Debug>(
        &self,
        what: &str,
        read: impl AsyncFnMut() -> T,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        let hosts = Service::ALL.map(|service| self.process.host().of(service.name()));
        eventually_in_time(what, &hosts, read, holds).await
    }
}

/// Runs a dump. What it sets holds for its connection, which is closed.
async fn load(config: &DbConfig, dump: &str) {
    let db = Db::connect(config, Clock::system()).await.unwrap();
    if config.url.starts_with("postgres") {
        // No dump of a single schema has what lies beside the schemas.
        let extension = "CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public";
        db.connection().execute_unprepared(extension).await.unwrap();
    }
    db.connection().execute_unprepared(dump).await.unwrap();
    db.close().await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_of_an_earlier_version_is_gone_on_with(backend: Backend) {
    let upgraded = Upgraded::from("963d27d", backend).await;
    let (client, order) = (&upgraded.client, upgraded.text("order"));

    // Tokens stay good.
    let with_old_token = client.with_token(&upgraded.text("access_token"));
    let me = with_old_token.get("/v1/me").await.unwrap().ok().unwrap();
    assert_eq!(me["email"], "alice@upgrade.example");
    let refresh = json!({ "refresh_token": upgraded.story["refresh_token"] });
    let session = client.post("/v1/auth/refresh", refresh).await.unwrap().ok().unwrap();
    let alice = Person {
        client: client.with_token(&text_at(&session, "access_token").unwrap()),
        user_id: text_at(&me, "id").unwrap(),
        email: String::new(),
    };

    // The event that was not published is now, and its letter goes out with those that waited.
    let assigned = async || {
        let told = "SELECT id FROM messages WHERE template LIKE 'order.assigned%'";
        upgraded.rows("notification", told).await.len()
    };
    upgraded.in_time("the assignment is told", assigned, |told| *told > 0).await;

    assert_eq!(see(&alice, &order).await["state"], "ORDER_STATE_ASSIGNED");
    let bob = upgraded.sign_in("bob").await;
    act(&bob, &order, "depart", json!({})).await;
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    act(&bob, &order, "arrive", door).await;
    let code = see(&alice, &order).await["start_code"].clone();
    act(&bob, &order, "start", json!({ "start_code": code })).await;
    clean(&bob, &order).await;
    act(&bob, &order, "deliver", json!({})).await;
    act(&alice, &order, "acceptDelivery", json!({})).await;
    let captured = async || see(&alice, &order).await;
    let captured = eventually("the money is taken", captured, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
    });
    assert_eq!(captured.await["state"], "ORDER_STATE_COMPLETED");

    let operator = upgraded.sign_in("op").await;
    let balance = operator.client.get("/v1/ledger/trialBalance").await.unwrap().ok().unwrap();
    assert_eq!(balance["balanced"], true, "{balance}");
    let missing = async || events::missing(async |name, sql| upgraded.rows(name, sql).await).await;
    eventually("every event arrives", missing, Vec::is_empty).await;
    upgraded.clock.advance(Duration::minutes(10));
    let unsent = "SELECT id FROM messages WHERE channel = 'email' AND state = 'QUEUED'";
    let unsent = async || upgraded.rows("notification", unsent).await.len();
    eventually("every letter goes out", unsent, |unsent| *unsent == 0).await;
    let mailboxes = fs::read_dir(upgraded.store.folder().join("mail")).unwrap();
    let letters = mailboxes.map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
    assert!(letters.collect::<String>().contains("bob@upgrade.example"));
    upgraded.process.stop().await;
}

/// The one block that a profile had is a list now (migration `m0003_blocks`).
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_was_blocked_by_an_earlier_version_stays_so_for_as_long(backend: Backend) {
    let upgraded = Upgraded::from("963d27d", backend).await;
    let profile = async |name: &str| {
        // A token is good for less than the time that passes here.
        let operator = upgraded.sign_in("op").await.client;
        let path = format!("/v1/providers/{}", upgraded.text(name));
        operator.get(&path).await.unwrap().ok().unwrap()
    };
    let held = profile("held").await;
    assert_eq!(held["state"], "PROVIDER_STATE_BLOCKED", "{held}");
    assert_eq!(held["blocks"].as_array().unwrap().len(), 1, "{held}");
    assert_eq!(held["blocks"][0]["reason"], "SAFETY", "{held}");
    assert!(held["blocks"][0]["until"].is_null(), "{held}");
    let paused = profile("paused").await;
    assert_eq!(paused["state"], "PROVIDER_STATE_BLOCKED", "{paused}");
    assert_eq!(paused["blocks"][0]["reason"], "LATE", "{paused}");
    let until: DateTime<Utc> = paused["blocks"][0]["until"].as_str().unwrap().parse().unwrap();
    assert!(until > upgraded.clock.now() + Duration::hours(1), "{paused}");

    let is_active = |profile: &Value| profile["state"] == "PROVIDER_STATE_ACTIVE";
    upgraded.in_time("the block ends", async || profile("paused").await, is_active).await;
    assert!(upgraded.clock.now() >= until);
    assert_eq!(profile("held").await["state"], "PROVIDER_STATE_BLOCKED");
    let operator = upgraded.sign_in("op").await;
    let unblock = format!("/v1/providers/{}:unblock", upgraded.text("held"));
    operator.client.post(&unblock, json!({ "reason": "SAFETY" })).await.unwrap().ok().unwrap();
    assert!(is_active(&profile("held").await));
    upgraded.process.stop().await;
}
