//! What becomes of streams and WebSockets when the server is asked to stop.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use transcode::Options;

use crate::server::Running;
use crate::support::{Edge, Plan};
use crate::websocket::{closed, connect, next};

/// An edge whose upstream says nothing for very long.
fn quiet_edge() -> Edge {
    let edge = Edge::new(Options { server_streams_over_websocket: true, ..Options::default() });
    edge.plan(Plan { delay: Duration::from_secs(3600), patient: false, ..Plan::default() });
    edge
}

#[tokio::test]
async fn a_websocket_is_closed_with_a_code() {
    let edge = quiet_edge();
    let mut server = Running::start(&edge).await;
    for path in ["/v1/chat/1", "/v1/watch"] {
        let mut socket = connect(&server, path).await.unwrap();
        while edge.calls() == 0 {
            tokio::task::yield_now().await;
        }
        let client = async {
            assert_eq!(next(&mut socket).await["error"]["status"], "UNAVAILABLE");
            assert_eq!(closed(&mut socket).await, CloseCode::Restart);
            assert!(socket.next().await.is_none());
        };
        tokio::join!(server.stop(), client);
        server = Running::start(&edge).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_an_error() {
    let edge = quiet_edge();
    let mut server = Running::start(&edge).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /v1/watch HTTP/1.1\r\nhost: edge\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b" \r\n") {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
    }
    let client = async {
        stream.read_to_end(&mut got).await.unwrap();
        String::from_utf8(got).unwrap()
    };
    let ((), got) = tokio::join!(server.stop(), client);
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
    assert!(got.contains("\"reason\":\"SERVER_STOPPING\""), "{got}");
    // In order, as HTTP and as JSON.
    assert!(got.ends_with("]\r\n0\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn events_end_in_order_and_say_when_to_come_back() {
    let edge = quiet_edge();
    let mut server = Running::start(&edge).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /v1/watch HTTP/1.1\r\nhost: edge\r\naccept: text/event-stream\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b": alive\n\n\r\n") {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
    }
    got.clear();
    let client = async {
        stream.read_to_end(&mut got).await.unwrap();
        String::from_utf8(got).unwrap()
    };
    let ((), got) = tokio::join!(server.stop(), client);
    // No event, and the end of the content as HTTP has it.
    let told =
        got.split_once("retry: ").and_then(|(_, rest)| rest.strip_suffix("\n\n\r\n0\r\n\r\n"));
    let told: u64 = told.unwrap_or_else(|| panic!("{got:?}")).parse().unwrap();
    assert!((1_000..2_000).contains(&told), "{got:?}");
    assert!(!got.contains("event:") && !got.contains("data:"), "{got:?}");
}

#[tokio::test]
async fn server_streams_are_served_over_websocket_where_that_is_allowed() {
    let edge = Edge::new(Options { server_streams_over_websocket: true, ..Options::default() });
    edge.plan(Plan::messages("library.v1.Book", &[json!({"pages": 1}), json!({"pages": 2})]));
    let server = Running::start(&edge).await;
    let mut socket = connect(&server, "/v1/watch").await.unwrap();
    assert_eq!(next(&mut socket).await, json!({"pages": 1}));
    assert_eq!(next(&mut socket).await, json!({"pages": 2}));
    assert_eq!(closed(&mut socket).await, CloseCode::Normal);
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    assert!(connect(&server, "/v1/watch").await.is_err());
}
