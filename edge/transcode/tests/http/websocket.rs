//! Streams over WebSocket, through a real connection.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use transcode::Options;

use crate::server::Running;
use crate::support::{Edge, Plan};

pub async fn connect(server: &Running, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let url = format!("ws://{}{path}", server.address);
    tokio_tungstenite::client_async(url, stream).await.map(|(socket, _)| socket)
}

pub async fn next(socket: &mut WebSocketStream<TcpStream>) -> Value {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

pub async fn closed(socket: &mut WebSocketStream<TcpStream>) -> CloseCode {
    match socket.next().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => frame.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_document_is_one_message_each_way() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.Book", &[json!({"pages": 1}), json!({"pages": 2})]));
    let server = Running::start(&edge).await;
    let mut socket = connect(&server, "/v1/chat/GENRE_POETRY?pages=3").await.unwrap();
    socket.send(Message::text(r#"{"title":"a"}"#)).await.unwrap();
    socket.send(Message::binary(&br#"{"title":"b"}"#[..])).await.unwrap();
    // The empty message ends our side: this upstream answers only then.
    socket.send(Message::text("")).await.unwrap();
    assert_eq!(next(&mut socket).await, json!({"pages": 1}));
    assert_eq!(next(&mut socket).await, json!({"pages": 2}));
    assert_eq!(closed(&mut socket).await, CloseCode::Normal);
    let first = json!({"title": "a", "genre": "GENRE_POETRY", "pages": 3});
    assert_eq!(edge.received(), [first, json!({"title": "b"})]);
}

#[tokio::test]
async fn errors_are_one_last_message_and_another_code() {
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    edge.plan(Plan { messages: vec![vec![]], ..Plan::default() }.status(14, "later"));
    let mut socket = connect(&server, "/v1/chat/1").await.unwrap();
    socket.send(Message::text("")).await.unwrap();
    assert_eq!(next(&mut socket).await, json!({}));
    assert_eq!(next(&mut socket).await["error"]["status"], "UNAVAILABLE");
    assert_eq!(closed(&mut socket).await, CloseCode::Error);
    edge.plan(Plan { messages: vec![], ..Plan::default() });
    let mut socket = connect(&server, "/v1/chat/1").await.unwrap();
    socket.send(Message::text(r#"{"pages":"x"}"#)).await.unwrap();
    let error = next(&mut socket).await["error"].clone();
    assert_eq!(error["details"][0]["fieldViolations"][0]["field"], "[0].pages");
    assert_eq!(closed(&mut socket).await, CloseCode::Policy);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_socket_is_pinged() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan { delay: Duration::from_secs(40), messages: vec![], ..Plan::default() });
    let server = Running::start(&edge).await;
    let mut socket = connect(&server, "/v1/chat/1").await.unwrap();
    socket.send(Message::text("")).await.unwrap();
    for _ in 0..2 {
        assert!(socket.next().await.unwrap().unwrap().is_ping());
    }
    assert_eq!(closed(&mut socket).await, CloseCode::Normal);
}

#[tokio::test]
async fn long_messages_are_refused() {
    let edge = Edge::new(Options { max_request_bytes: 64, ..Options::default() });
    edge.plan(Plan { messages: vec![], ..Plan::default() });
    let server = Running::start(&edge).await;
    let mut socket = connect(&server, "/v1/chat/1").await.unwrap();
    let long = format!("{{\"title\":\"{}\"}}", "x".repeat(100));
    socket.send(Message::text(long)).await.unwrap();
    assert_eq!(next(&mut socket).await["error"]["status"], "RESOURCE_EXHAUSTED");
}

#[tokio::test]
async fn a_client_that_closes_ends_its_stream() {
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    let mut socket = connect(&server, "/v1/chat/1").await.unwrap();
    socket.send(Message::text("{}")).await.unwrap();
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    while edge.calls() == 0 || edge.received().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!edge.last().broken);
}

#[tokio::test]
async fn mistakes_in_the_request_are_http_errors() {
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    for (path, status) in [("/v1/chat/NOPE", 400), ("/v1/chat/1?nope=1", 400), ("/v1/nowhere", 404)]
    {
        match connect(&server, path).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}
