//! PostgreSQL goes away and comes back under the running program: what cannot be done meanwhile is answered with 503 and
//! a time to come back, nothing is lost or done twice, and nothing needs a restart.

use super::{
    crash::SOON,
    people::People,
    program::{Home, Program},
};
use crate::events;
use http::{StatusCode, header::RETRY_AFTER};
use kit::testing::{Backend, eventually};
use quickserve::{client::Answer, demo};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Stands between the program and PostgreSQL. Closed, it cuts every session and refuses new ones, as a server does that
/// restarts.
struct Gate {
    address: SocketAddr,
    /// Host and port of PostgreSQL.
    server: String,
    open: Option<JoinHandle<()>>,
}

impl Gate {
    async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = tokio::spawn(carry(listener, server.to_owned()));
        Self { address, server: server.to_owned(), open: Some(open) }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            let _ = open.await;
        }
    }

    async fn reopen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.open = Some(tokio::spawn(carry(listener, self.server.clone())));
    }
}

/// Carries connections until it is dropped, and them with it.
async fn carry(listener: TcpListener, server: String) {
    let mut sessions = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let server = server.clone();
        sessions.spawn(async move {
            if let Ok(mut upstream) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
        });
    }
}

/// A program whose way to PostgreSQL is a gate.
struct Scene {
    home: Home,
    gate: Gate,
    program: Program,
    people: People,
}

impl Scene {
    async fn new() -> Self {
        let home = Home::new(Backend::Postgres).await;
        let url = home.database_url().unwrap();
        let (_, after_scheme) = url.split_once("://").unwrap();
        let authority = after_scheme.split('/').next().unwrap();
        let server = authority.rsplit('@').next().unwrap();
        let gate = Gate::before(server).await;
        let through_gate = url.replacen(server, &gate.address.to_string(), 1);
        let environment = [&SOON[..], &[("QS_DATABASE_URL", &through_gate)]].concat();
        let program = home.start_with(&environment).await;
        let people = People::settle(&home, &program).await;
        Self { home, gate, program, people }
    }

    /// The sessions of the program end, as an administrator ends them.
    async fn end_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.home.rows("order", end).await;
    }
}

#[track_caller]
fn assert_told_to_come_back(what: &str, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {}", answer.body);
    assert!(answer.headers.contains_key(RETRY_AFTER), "{what}: {:?}", answer.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_calls_are_told_to_come_back() {
    let mut scene = Scene::new().await;
    let quote = scene.people.quote(24).await;
    let (customer, open) = (scene.people.customer.client.clone(), scene.program.client.clone());
    let price =
        demo::quote_request(&scene.people.provider.provider_id, super::people::in_hours(48));
    let login = json!({ "email": "alice@test.example", "password": demo::PASSWORD });
    for _ in 0..2 {
        scene.gate.close().await;
        for path in
            ["/v1/orders", "/v1/paymentMethods", "/v1/me/addresses", "/v1/providers?city=Paris"]
        {
            assert_told_to_come_back(path, &customer.get(path).await.unwrap());
        }
        let quoted = customer.post("/v1/quotes", price.clone()).await.unwrap();
        assert_told_to_come_back("a quote", &quoted);
        assert_told_to_come_back("an order", &scene.people.book_with_key(&quote).await.unwrap());
        let signed_in = open.post("/v1/auth/login", login.clone()).await.unwrap();
        assert_told_to_come_back("a sign-in", &signed_in);
        // Others share the database: this process is as ready as they are.
        assert_eq!(open.get("/readyz").await.unwrap().status, 200);
        scene.gate.reopen().await;
        // It is there again: no call pays for the sessions that are gone.
        assert_eq!(customer.get("/v1/orders").await.unwrap().status, 200);
        assert_eq!(open.post("/v1/auth/login", login.clone()).await.unwrap().status, 200);
        assert_eq!(customer.post("/v1/quotes", price.clone()).await.unwrap().status, 201);
    }
    assert_eq!(scene.people.book_with_key(&quote).await.unwrap().status, 201);
}

/// Books a price until that has an answer. Every refusal says when to come back, and none is about the call's own key.
async fn book_in_the_end(people: People, quote: String) -> Value {
    for _ in 0..200 {
        let answer = people.book_with_key(&quote).await.unwrap();
        if answer.status == 201 {
            return answer.body;
        }
        assert_told_to_come_back("an order", &answer);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the order is not booked after 200 attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_get_through_when_postgresql_blinks() {
    let mut scene = Scene::new().await;
    let mut booked = 0;
    for round in 0..4 {
        let mut bookings = JoinSet::new();
        for number in 0..4 {
            let quote = scene.people.quote(24 + 4 * (round * 4 + number)).await;
            bookings.spawn(book_in_the_end(scene.people.clone(), quote));
        }
        let begun = async || scene.home.rows("order", "SELECT id FROM orders").await.len();
        eventually("some are begun", begun, |orders| *orders > booked).await;
        if round % 2 == 0 {
            scene.gate.close().await;
            scene.gate.reopen().await;
        } else {
            scene.end_sessions().await;
        }
        booked += bookings.join_all().await.len();
        assert_eq!(scene.home.is_consistent(&scene.people).await.len(), booked);
    }
    let rows = async |name, sql| scene.home.rows(name, sql).await;
    eventually("every event arrives", async || events::missing(rows).await, Vec::is_empty).await;
}

/// Restarts of PostgreSQL while clients book.
const RESTARTS: usize = 10;
const CLIENTS: usize = 8;
/// How long after a restart a call may still be refused.
const MAX_REFUSED: Duration = Duration::from_secs(2);

/// Books a price until that has an answer, and returns when the last call began that was refused.
async fn last_refusal(people: People, quote: String) -> Option<Instant> {
    let mut last = None;
    loop {
        let began = Instant::now();
        let answer = people.book_with_key(&quote).await.unwrap();
        if answer.status == 201 {
            return last;
        }
        assert_told_to_come_back("an order", &answer);
        last = Some(began);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_is_refused_for_long_after_a_restart_of_postgresql() {
    let mut scene = Scene::new().await;
    let mut quotes = Vec::new();
    for number in 0..RESTARTS * CLIENTS {
        quotes.push(scene.people.quote(24 + 4 * i64::try_from(number).unwrap()).await);
    }
    for (round, quotes) in quotes.chunks(CLIENTS).enumerate() {
        let mut clients = JoinSet::new();
        for quote in quotes {
            clients.spawn(last_refusal(scene.people.clone(), quote.clone()));
        }
        let begun = async || scene.home.rows("order", "SELECT id FROM orders").await.len();
        eventually("some are begun", begun, |orders| *orders > round * CLIENTS).await;
        scene.end_sessions().await;
        scene.gate.close().await;
        scene.gate.reopen().await;
        let back = Instant::now();
        for refused in clients.join_all().await.into_iter().flatten() {
            let after = refused.saturating_duration_since(back);
            assert!(after < MAX_REFUSED, "refused {after:?} after restart {round}");
        }
    }
    let booked = scene.home.is_consistent(&scene.people).await.len();
    assert_eq!(booked, RESTARTS * CLIENTS);
}
