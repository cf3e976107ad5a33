//! A provider on the way, as its customer sees it over HTTP.

use crate::{
    journey::{act, noon},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kit::testing::Backend;
use quickserve::demo::{self, CENTRE, Person, text_at};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use yare::parameterized;

/// The events of a stream over HTTP.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: String,
}

/// One event: its `id`, its type and its data.
#[derive(Debug, PartialEq)]
struct Seen {
    id: String,
    kind: String,
    data: Value,
}

impl Events {
    /// Opens the stream of `path` behind the event `last_id`, unless it is refused.
    pub async fn open(mesh: &Mesh, reader: &Person, path: &str, last_id: &str) -> Option<Self> {
        let http = Client::builder(TokioExecutor::new()).build_http();
        let request = http::Request::get(format!("http://{}{path}", mesh.process.edge().unwrap()))
            .header("authorization", format!("Bearer {}", reader.client.token().unwrap()))
            .header("accept", "text/event-stream")
            .header("last-event-id", last_id)
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = http.request(request).await.unwrap();
        if response.status() != 200 {
            return None;
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Some(Self { body: response.into_body(), text: String::new() })
    }

    /// The next event, heartbeats aside; none at the end.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if !event.starts_with(':') {
                    return Some(read_event(&event));
                }
            }
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), self.body.frame());
            let frame = frame.await.expect("in time")?.unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }
}

fn read_event(text: &str) -> Seen {
    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().to_owned()
    };
    let data = serde_json::from_str(&line("data: ")).unwrap();
    Seen { id: line("id: "), kind: line("event: "), data }
}

/// Positions that end now, so many metres south of the address.
fn positions(now: DateTime<Utc>, south: f64, count: i64) -> Value {
    let position = |n: i64| {
        let at = now - Duration::seconds(n);
        json!({
            "seq": at.timestamp().to_string(),
            "at": at.to_rfc3339(),
            "lat": CENTRE.0 - (south + n as f64 * 10.0) / 111_195.0,
            "lng": CENTRE.1,
            "accuracy_m": 5,
        })
    };
    json!({ "positions": (0..count).rev().map(position).collect::<Vec<_>>() })
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_sees_a_provider_coming(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&provider.person, &id, "accept", json!({})).await;
    mesh.clock.advance(noon(&mesh) - mesh.clock.now() - Duration::minutes(30));
    let (customer, cleaner) = (mesh.again(&customer).await, mesh.again(&provider.person).await);
    let track = format!("/v1/orders/{id}/track");
    let early = customer.client.get(&track).await.unwrap();
    assert!([400, 404].contains(&early.status.as_u16()), "{}", early.body);
    act(&cleaner, &id, "depart", json!({})).await;
    let many = cleaner.client.post("/v1/me/positions", positions(mesh.clock.now(), 0.0, 101));
    let many = many.await.unwrap();
    assert_eq!(
        (many.status.as_u16(), &many.body["violations"][0]["field"]),
        (400, &json!("positions"))
    );
    // The head is there before anything is known of the provider.
    let open = async || Events::open(&mesh, &customer, &track, "").await;
    let opened = kit::testing::eventually("provider has heard", open, Option::is_some).await;
    let mut events = opened.unwrap();
    let state = events.next().await.unwrap();
    assert_eq!((state.kind.as_str(), state.id.as_str()), ("state", ""));
    assert_eq!(state.data["state"], "EN_ROUTE");
    let pushed = cleaner.client.post("/v1/me/positions", positions(mesh.clock.now(), 5_000.0, 2));
    let pushed = pushed.await.unwrap().ok().unwrap();
    assert_eq!(
        pushed,
        json!({
            "seq": mesh.clock.now().timestamp().to_string(), "accepted": 2, "dropped": {},
        })
    );
    let seen = events.next().await.unwrap();
    assert_eq!(seen.kind, "position");
    let eta = seen.data["position"]["eta_s"].as_i64().unwrap();
    assert!((400..=2_200).contains(&eta), "{eta} s for 5 km");

    push_by_websocket(&mesh, &cleaner).await;
    let mut missed = Vec::new();
    for _ in 0..3 {
        missed.push(events.next().await.unwrap());
    }
    drop(events);
    let mut again = Events::open(&mesh, &customer, &track, &seen.id).await.unwrap();
    assert_eq!(again.next().await.unwrap().kind, "state");
    for expected in missed.iter().skip_while(|event| event.id <= seen.id) {
        assert_eq!(&again.next().await.unwrap(), expected);
    }

    customer.client.post("/v1/auth/logout-all", json!({})).await.unwrap().ok().unwrap();
    mesh.clock.advance(Duration::seconds(10));
    let cut = again.next().await.unwrap();
    assert_eq!((cut.kind.as_str(), &cut.data["error"]["status"]), ("error", &json!(401)));
    assert!(again.next().await.is_none());
}

/// Three positions in a stream, and their answer.
async fn push_by_websocket(mesh: &Mesh, cleaner: &Person) {
    mesh.clock.advance(Duration::seconds(10));
    let edge = mesh.process.edge().unwrap();
    let mut request = format!("ws://{edge}/v1/me/positions:stream").into_client_request().unwrap();
    let bearer = format!("Bearer {}", cleaner.client.token().unwrap());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let connection = tokio::net::TcpStream::connect(edge).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, connection).await.unwrap();
    let batch = positions(mesh.clock.now(), 4_900.0, 3).to_string();
    socket.send(Message::text(batch)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["accepted"], &answer["dropped"]), (&json!(3), &json!({})));
    socket.close(None).await.unwrap();
}
