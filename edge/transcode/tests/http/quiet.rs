//! Streams whose upstream is quiet: the head goes out all the same, and heartbeats after it.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{Empty, StreamBody};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use transcode::Options;

use crate::server::Running;
use crate::support::{Edge, Plan, read};

const LONG: Duration = Duration::from_secs(40);

fn plan(books: &[Value]) -> Plan {
    Plan::messages("library.v1.Book", books)
}

fn request(accept: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get("/v1/watch").header("accept", accept).body(Empty::new()).unwrap()
}

/// Streams whose upstream is quiet before the headers of its answer, or behind them.
fn quiet_plans() -> [Plan; 2] {
    let plan = plan(&[json!({"pages": 1}), json!({"pages": 2})]);
    [Plan { delay: LONG, ..plan.clone() }, Plan { quiet: LONG, ..plan }]
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_quiet_stream_goes_out_and_heartbeats_follow() {
    let edge = Edge::new(Options::default());
    let heartbeats = ["  ", "  ", ": alive\n\n: alive\n\n"].map(|twice| twice.to_owned());
    let forms = ["application/json", "application/x-ndjson", "text/event-stream"];
    let messages = [
        "[{\"pages\":1},{\"pages\":2}]",
        "{\"pages\":1}\n{\"pages\":2}\n",
        "data: {\"pages\":1}\n\ndata: {\"pages\":2}\n\n",
    ];
    for plan in quiet_plans() {
        edge.plan(plan);
        for ((form, heartbeats), messages) in forms.iter().zip(&heartbeats).zip(messages) {
            let begun = Instant::now();
            let response = edge.transcoder.handle(request(form), edge.upstream.clone()).await;
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            let answer = read(response).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, *form));
            // One with the head, and one every 15 s.
            let heartbeat = &heartbeats[..heartbeats.len() / 2];
            assert_eq!(answer.text, format!("{heartbeats}{heartbeat}{messages}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_initial_metadata_of_a_quiet_stream_comes_with_its_head() {
    let forward = vec!["x-cursor".to_owned()];
    let edge = Edge::new(Options { forward_response_metadata: forward, ..Options::default() });
    let headers = vec![("content-type", "application/grpc"), ("x-cursor", "7")];
    edge.plan(Plan { headers, quiet: LONG, ..plan(&[]) });
    let response = edge.transcoder.handle(request("*/*"), edge.upstream.clone()).await;
    assert_eq!(response.headers()["x-cursor"], "7");
}

#[tokio::test(start_paused = true)]
async fn an_error_soon_keeps_its_status_and_a_later_one_is_in_band() {
    let edge = Edge::new(Options::default());
    let soon = Duration::from_millis(900);
    let later = Duration::from_secs(2);
    let failing = plan(&[]).status(5, "none");
    for plan in [Plan { delay: soon, ..failing.clone() }, Plan { quiet: soon, ..failing.clone() }] {
        edge.plan(plan);
        let answer = edge.get("/v1/watch").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
    }
    for plan in [Plan { delay: later, ..failing.clone() }, Plan { quiet: later, ..failing }] {
        edge.plan(plan);
        let answer = edge.get("/v1/watch").await;
        assert_eq!(
            (answer.status, &answer.json()[0]["error"]["status"]),
            (200, &json!("NOT_FOUND"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_keeps_its_deadline() {
    let edge = Edge::new(Options::default());
    for plan in quiet_plans() {
        edge.plan(plan);
        for (timeout, status) in [("500m", 504), ("20S", 200)] {
            let begun = Instant::now();
            let answer = edge.send("GET /v1/watch", &[("grpc-timeout", timeout)], "").await;
            assert_eq!(answer.status, status);
            assert!(answer.text.contains("DEADLINE_EXCEEDED"), "{}", answer.text);
            assert!(begun.elapsed() < Duration::from_secs(21));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn raw_content_waits_for_its_media_type() {
    let edge = Edge::new(Options::default());
    let parts = [json!({"contentType": "text/plain", "data": "b25l"})];
    edge.plan(Plan { quiet: LONG, ..Plan::messages("google.api.HttpBody", &parts) });
    let answer = edge.get("/v1/blobs").await;
    assert_eq!((answer.text.as_str(), answer.header("content-type")), ("one", "text/plain"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_still_arrives_can_be_refused() {
    let edge = Edge::new(Options::default());
    edge.plan(plan(&[]));
    let documents = futures::stream::iter(["[{}", ",{\"pages\":\"x\"}]"]).then(async |text| {
        tokio::time::sleep(LONG).await;
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(text.as_bytes())))
    });
    let content = StreamBody::new(Box::pin(documents));
    let answer =
        edge.request("POST /v1/chat", &[("content-type", "application/json")], content).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn the_head_reaches_a_client_while_the_upstream_is_quiet() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan { delay: LONG, ..plan(&[]) });
    let server = Running::start(&edge).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /v1/watch HTTP/1.1\r\nhost: edge\r\naccept: text/event-stream\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b": alive\n\n\r\n") {
        assert_ne!(
            stream.read_buf(&mut got).await.unwrap(),
            0,
            "{:?}",
            String::from_utf8_lossy(&got)
        );
    }
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
    assert!(got.contains("content-type: text/event-stream"), "{got}");
}
