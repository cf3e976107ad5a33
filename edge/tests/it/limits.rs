//! What clients may not do: too much, too long, too slowly.

use crate::fixture::{Edge, REGISTRATION, customer};
use async_compression::tokio::write::GzipEncoder;
use edge::Config;
use http::StatusCode;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);

async fn zipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(content).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn post_zipped(edge: &Edge, content: Vec<u8>) -> crate::fixture::Answer {
    let request = edge.request("POST", "/v1/users").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip");
    edge.send_bytes(request.body(content).unwrap()).await
}

#[tokio::test]
async fn a_long_body_is_413() {
    let edge = Edge::with(Config { max_request_bytes: 1000, ..Config::default() }).await;
    let body = format!(r#"{{"name":"{}"}}"#, "a".repeat(2000));
    let answer = edge.post("/v1/users", &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["status"], 413);
    // A thousand times longer than it looks.
    let answer = post_zipped(&edge, zipped(&vec![b' '; 2_000_000]).await).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(!edge.fakes.was_called());
}

#[tokio::test]
async fn content_is_compressed_both_ways() {
    let edge = Edge::start().await;
    let answer = post_zipped(&edge, zipped(REGISTRATION.as_bytes()).await).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let answer = post_zipped(&edge, b"no gzip at all".to_vec()).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let request = edge.request("POST", "/v1/users").header("content-encoding", "br");
    let answer = edge.send(request.body("x".into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    let request = edge.request("GET", "/v1/me").header("accept-encoding", "gzip");
    let request = request.header("authorization", edge.bearer(customer()));
    let answer = edge.send(request.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < 1000, "{}", answer.body.len());
    let short = edge.request("GET", "/healthz").header("accept-encoding", "gzip");
    let answer = edge.send(short.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), "");
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_go_on() {
    let config = Config { client_per_minute: 6, account_per_minute: 3, ..Config::default() };
    let edge = Edge::with(config).await;
    let subject = customer();
    let answer = edge.get_as(subject, "/v1/me").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("ratelimit"), r#""client";r=5;t=10, "account";r=2;t=20"#);
    assert_eq!(answer.header("ratelimit-policy"), r#""client";q=6;w=60, "account";q=3;w=60"#);
    for _ in 0..2 {
        assert_eq!(edge.get_as(subject, "/v1/me").await.status, StatusCode::OK);
    }
    let answer = edge.get_as(subject, "/v1/me").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "20");
    assert_eq!(answer.json()["reason"], "RATE_LIMITED");
    assert!(answer.header("ratelimit").contains(r#""account";r=0"#));
    // Another account of the same client, and what the client has then used up.
    assert_eq!(edge.get_as(customer(), "/v1/me").await.status, StatusCode::OK);
    assert_eq!(edge.get("/v1/nothing").await.status, StatusCode::NOT_FOUND);
    let answer = edge.get("/v1/nothing").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "10");
    assert_eq!(edge.get("/healthz").await.status, StatusCode::OK);
    edge.world.clock.advance(chrono::Duration::seconds(60));
    assert_eq!(edge.get_as(subject, "/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_limits_no_header_speaks_of_them() {
    let config = Config { client_per_minute: 0, account_per_minute: 0, ..Config::default() };
    let edge = Edge::with(config).await;
    let answer = edge.get_as(customer(), "/v1/me").await;
    assert_eq!(answer.header("ratelimit"), "");
    assert_eq!(answer.header("ratelimit-policy"), "");
}

/// What a client gets that sends `bytes` and then nothing, until it is sent away.
async fn stalled(edge: &Edge, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(edge.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut got = Vec::new();
    let read = timeout(LIMIT, socket.read_to_end(&mut got)).await;
    // A reset says the same as an end.
    let _ = read.unwrap_or_else(|_| panic!("still open after {bytes:?}"));
    got
}

#[tokio::test]
async fn slow_clients_are_sent_away() {
    let config = Config { head_timeout_ms: 100, write_deadline_ms: 200, ..Config::default() };
    let edge = Edge::with(config).await;
    for bytes in
        [&b""[..], b"PRI * HTTP/2.0\r\n\r\nS", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-a: b"]
    {
        stalled(&edge, bytes).await;
    }
    // A body that never comes: the deadline of the call ends it.
    let head = "POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\nconnection: close\r\n\r\n{";
    let got = stalled(&edge, head.as_bytes()).await;
    assert!(got.starts_with(b"HTTP/1.1 504"), "{}", String::from_utf8_lossy(&got));
    assert_eq!(edge.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn long_heads_are_refused() {
    let edge = Edge::start().await;
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "a".repeat(64 * 1024));
    let got = stalled(&edge, head.as_bytes()).await;
    assert!(got.is_empty() || got.starts_with(b"HTTP/1.1 431"), "{got:?}");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait() {
    let config = Config { max_connections: 2, head_timeout_ms: 60_000, ..Config::default() };
    let edge = Edge::with(config).await;
    // The fixture's client keeps one connection; this takes the other place.
    let idle = TcpStream::connect(edge.address).await.unwrap();
    let mut third = TcpStream::connect(edge.address).await.unwrap();
    third
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut got = Vec::new();
    let early = timeout(Duration::from_millis(200), third.read_to_end(&mut got)).await;
    assert!(early.is_err() && got.is_empty(), "it must wait");
    drop(idle);
    timeout(LIMIT, third.read_to_end(&mut got)).await.unwrap().unwrap();
    assert!(got.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    for config in [
        Config { tls_cert: Some("cert.pem".into()), ..Config::default() },
        Config { cors_origins: vec!["\n".to_owned()], ..Config::default() },
        Config { max_connections: 0, ..Config::default() },
        Config { read_deadline_ms: 0, ..Config::default() },
    ] {
        let world = kit::testing::World::new(kit::testing::Backend::Sqlite).await;
        let edge = edge::Edge::new(&world.host.of("edge"), config.clone());
        assert!(edge.is_err(), "{config:?}");
    }
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Sends frames until the edge closes the connection; says whether it did.
async fn floods(edge: &Edge, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    let socket = TcpStream::connect(edge.address).await.unwrap();
    let (mut from, mut to) = socket.into_split();
    let reader = tokio::spawn(async move {
        let mut sink = Vec::new();
        let _ = timeout(LIMIT, from.read_to_end(&mut sink)).await;
        // The type of a frame is its fourth byte; 7 is GOAWAY.
        let mut rest = &sink[..];
        while let [a, b, c, kind, ..] = rest {
            if *kind == 7 {
                return true;
            }
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            rest = rest.get(9 + length..).unwrap_or_default();
        }
        false
    });
    to.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    to.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    for frame in frames {
        if to.write_all(&frame).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
    reader.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_over_http2_are_sent_away_and_others_served() {
    let edge = Edge::start().await;
    // GET /v1/nothing by http, of the static table and a literal.
    let mut head = vec![0x82, 0x86, 0x04, 11];
    head.extend(b"/v1/nothing");
    head.extend([0x41, 1, b'x']);
    // Streams that are opened and reset at once (CVE-2023-44487).
    let open = head.clone();
    let resets = (0..20_000_u32).map(move |index| {
        let stream = index * 2 + 1;
        let mut pair = frame(1, 0x5, stream, &open);
        pair.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        pair
    });
    assert!(floods(&edge, resets).await, "rapid resets");
    // Heads that never end.
    let begun = frame(1, 0, 1, &head);
    let more = (0..20_000).map(|_| frame(9, 0, 1, &[0x40, 1, b'a', 1, b'b']));
    assert!(floods(&edge, std::iter::once(begun).chain(more)).await, "continuations");
    assert_eq!(edge.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(edge.get_as(customer(), "/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn deep_and_huge_documents_are_refused() {
    let edge = Edge::start().await;
    let bearer = edge.bearer(customer());
    for details in [
        format!("{}{}", r#"{"a":"#.repeat(5000), "}".repeat(5000)),
        format!("{}{}", r#"{"a":["#.repeat(200), "]}".repeat(200)),
        r#"{"a":1e999}"#.to_owned(),
    ] {
        let body = format!(r#"{{"vertical":"cleaning","details":{details}}}"#);
        let request = edge.request("POST", "/v1/quotes").header("authorization", &bearer);
        let request = request.header("content-type", "application/json");
        let answer = edge.send(request.body(body).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{:?}", answer.body);
    }
    let names = (0..300).map(|index| format!("a{index}=1")).collect::<Vec<_>>().join("&");
    let answer = edge.get_as(customer(), &format!("/v1/inbox?{names}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!edge.fakes.was_called());
}
