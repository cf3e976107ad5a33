//! Clients that take their time with what they send.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use transcode::Options;

use crate::server::Running;
use crate::support::{Edge, Plan};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A content whose pieces come one pause after the other, and which never ends if it is not whole.
fn content(
    pieces: Vec<String>,
    pause: Duration,
) -> impl Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send + 'static {
    let pieces = futures::stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(Bytes::from(piece)))
    });
    Box::pin(pieces)
}

#[tokio::test(start_paused = true)]
async fn a_content_that_stalls_or_drips_is_refused() {
    let edge = Edge::new(Options::default());
    let stalled = content(vec!["{".to_owned()], Duration::ZERO).chain(futures::stream::pending());
    let begun = Instant::now();
    let answer = edge.request("POST /v1/books", &[JSON], StreamBody::new(stalled)).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "DEADLINE_EXCEEDED"));
    assert!(answer.text.contains("REQUEST_TOO_SLOW"), "{}", answer.text);
    assert!(begun.elapsed() < Duration::from_secs(31));
    let drops = vec![" ".to_owned(); 1000];
    let drips = StreamBody::new(content(drops, Duration::from_secs(1)));
    assert_eq!(edge.request("POST /v1/books", &[JSON], drips).await.status, 408);
    assert_eq!(edge.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_content_that_is_long_may_take_longer() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.BookResponse", &[json!({})]));
    // 40 s at 32 KiB a second.
    let mut pieces = vec![" ".repeat(32 << 10); 40];
    pieces.push("{}".to_owned());
    let slow = StreamBody::new(content(pieces, Duration::from_secs(1)));
    let answer = edge.request("POST /v1/books", &[JSON], slow).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_pause_between_its_messages_but_not_within_a_long_one() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.BookResponse", &[json!({})]));
    let pause = Duration::from_secs(600);
    let pieces = ["[{},", "{\"pages\":", "7},\n", "{}]"].map(str::to_owned).to_vec();
    let answer =
        edge.request("POST /v1/collect/1", &[JSON], StreamBody::new(content(pieces, pause))).await;
    assert_eq!((answer.status, edge.received().len()), (200, 3), "{}", answer.text);
    let long = "x".repeat(20_000);
    let pieces = vec!["[{},".to_owned(), format!("{{\"title\":\"{long}"), "\"}]".to_owned()];
    let answer =
        edge.request("POST /v1/collect/1", &[JSON], StreamBody::new(content(pieces, pause))).await;
    assert_eq!(answer.status, 408, "{}", answer.text);
}

#[tokio::test]
async fn a_client_that_still_sends_gets_the_413() {
    let edge = Edge::new(Options { max_request_bytes: 1000, ..Options::default() });
    let server = Running::start(&edge).await;
    for framing in ["content-length: 8000000", "transfer-encoding: chunked"] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let sending = tokio::spawn(async move {
            let head = format!(
                "POST /v1/books HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
            );
            to.write_all(head.as_bytes()).await.unwrap();
            let chunk = format!("{:x}\r\n{}\r\n", 4000, " ".repeat(4000));
            // More than all buffers take. It fails when the server has closed at last.
            for _ in 0..2000 {
                if to.write_all(chunk.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
        let mut got = Vec::new();
        // The end may be a reset, after the answer.
        let _ = from.read_to_end(&mut got).await;
        let got = String::from_utf8(got).unwrap();
        assert!(got.starts_with("HTTP/1.1 413 "), "{framing}: {got}");
        assert!(got.contains("CONTENT_TOO_LARGE"), "{framing}: {got}");
        sending.await.unwrap();
    }
}
