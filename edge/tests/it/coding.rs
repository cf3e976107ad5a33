//! Compressed content, both ways: what is read, what is refused, what a bomb costs.

use crate::fixture::{Answer, Edge, REGISTRATION, customer};
use edge::Config;
use http::StatusCode;
use std::io::{Read as _, Write as _};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 19).unwrap()
}

/// `content` in `coding`.
fn encoded(coding: &str, content: &[u8]) -> Vec<u8> {
    if coding == "zstd" { zstd(content) } else { gzip(content) }
}

async fn post(edge: &Edge, coding: &str, content: Vec<u8>) -> Answer {
    let request = edge.request("POST", "/v1/users").header("content-type", "application/json");
    let request = request.header("content-encoding", coding);
    edge.send_bytes(request.body(content).unwrap()).await
}

#[tokio::test]
async fn content_is_read_in_every_coding() {
    let edge = Edge::start().await;
    for coding in ["gzip", "x-gzip", "GZIP", "zstd", "Zstd"] {
        let content = encoded(&coding.to_ascii_lowercase(), REGISTRATION.as_bytes());
        let answer = post(&edge, coding, content).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{coding}: {:?}", answer.body);
    }
    let (first, second) = REGISTRATION.as_bytes().split_at(20);
    for coding in ["gzip", "zstd"] {
        // Both codings say that parts which follow each other are one content.
        let content = [encoded(coding, first), encoded(coding, second)].concat();
        assert_eq!(post(&edge, coding, content).await.status, StatusCode::CREATED, "{coding}");
    }
    let answer = post(&edge, "identity", REGISTRATION.into()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn content_that_is_not_of_its_coding_is_refused() {
    let edge = Edge::start().await;
    for coding in ["gzip", "zstd"] {
        let whole = encoded(coding, REGISTRATION.as_bytes());
        let cut = whole[..whole.len() - 3].to_vec();
        for content in [b"nothing of the kind".to_vec(), cut] {
            let answer = post(&edge, coding, content).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{coding}: {:?}", answer.body);
            assert_eq!(answer.json()["violations"][0]["field"], "content-encoding");
        }
    }
    for coding in ["br", "deflate", "gzip, zstd", ""] {
        let answer = post(&edge, coding, REGISTRATION.into()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding}");
        assert_eq!(answer.header("accept-encoding"), "gzip, zstd");
    }
    assert!(!edge.fakes.was_called());
}

#[tokio::test]
async fn a_window_beyond_what_must_be_understood_is_refused() {
    let edge = Edge::start().await;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(26).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(REGISTRATION.as_bytes()).unwrap();
    let answer = post(&edge, "zstd", encoder.finish().unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{:?}", answer.body);
}

#[tokio::test]
async fn what_comes_out_counts_and_what_goes_in_too() {
    let edge = Edge::with(Config { max_request_bytes: 1000, ..Config::default() }).await;
    for coding in ["gzip", "zstd"] {
        let answer = post(&edge, coding, encoded(coding, &vec![b' '; 2_000_000])).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{coding}");
        let answer = post(&edge, coding, vec![b'x'; 2000]).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{coding}");
    }
    assert!(!edge.fakes.was_called());
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_prefers() {
    let edge = Edge::start().await;
    let plain = edge.get("/docs").await.body;
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("identity", ""),
        ("br", ""),
    ] {
        let request = edge.request("GET", "/v1/me").header("accept-encoding", accepted);
        let request = request.header("authorization", edge.bearer(customer()));
        let answer = edge.send(request.body(String::new()).unwrap()).await;
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        if coding.is_empty() {
            continue;
        }
        assert!(answer.body.len() < 1000, "{}", answer.body.len());
        assert_eq!(answer.header("vary"), "accept-encoding");
        let mut text = String::new();
        match coding {
            "zstd" => zstd::Decoder::new(&answer.body[..]).unwrap().read_to_string(&mut text),
            _ => flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text),
        }
        .unwrap();
        assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
    }
    let short = edge.request("GET", "/healthz").header("accept-encoding", "zstd");
    let answer = edge.send(short.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), "");
    assert!(plain.len() > 1000);
}

#[tokio::test]
async fn what_no_answer_can_be_written_for_is_refused_before_it_is_done() {
    let edge = Edge::start().await;
    let register = |accepted: &str| {
        let request = edge.request("POST", "/v1/users").header("content-type", "application/json");
        let request = request.header("accept-encoding", accepted);
        edge.send_bytes(request.body(REGISTRATION.into()).unwrap())
    };
    for accepted in ["identity;q=0", "identity;q=0, br", "*;q=0", "gzip;q=0, *;q=0.0"] {
        let answer = register(accepted).await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{accepted}: {:?}", answer.body);
        assert_eq!(answer.json()["violations"][0]["field"], "accept-encoding");
        assert!(!edge.fakes.was_called(), "{accepted}");
    }
    // A short answer, which is compressed because the client takes it in no other way.
    let answer = register("identity;q=0, gzip").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::CREATED, "gzip"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut plain).unwrap();
    assert!(plain.contains("Ada"), "{plain}");
    let answer = register("identity").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::CREATED, ""));
}
