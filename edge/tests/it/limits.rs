//! What clients may not do: too much, too long, too slowly.

use crate::{
    fakes::{ABSENT, SLOW},
    fixture::{Answer, Edge, customer},
};
use edge::Config;
use http::StatusCode;
use kit::testing::eventually;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_long_body_is_413() {
    let edge = Edge::with(Config { max_request_bytes: 1000, ..Config::default() }).await;
    let body = format!(r#"{{"name":"{}"}}"#, "a".repeat(2000));
    let answer = edge.post("/v1/users", &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["status"], 413);
    assert!(!edge.fakes.was_called());
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

#[tokio::test]
async fn a_call_that_finds_no_place_is_refused_and_others_go_on() {
    let config = Config { max_in_flight: 5, read_deadline_ms: 30_000, ..Config::default() };
    let edge = Edge::with(config).await;
    let slow = format!("/v1/users/{SLOW}");
    // Two of five places are half: another call of the same RPC finds none, and others do.
    let endless = async {
        tokio::join!(edge.get_as(customer(), &slow), edge.get_as(customer(), &slow));
    };
    let others = async {
        let path = format!("/v1/users/{ABSENT}");
        let ask = async || edge.get_as(customer(), &path).await;
        let is_refused = |answer: &Answer| answer.status == StatusCode::TOO_MANY_REQUESTS;
        let refused = eventually("the places are taken", ask, is_refused).await;
        assert_eq!(refused.json()["reason"], "OVERLOADED");
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(edge.get_as(customer(), "/v1/me").await.status, StatusCode::OK);
    };
    tokio::select! {
        () = endless => panic!("they never end"),
        () = others => {}
    }
}
