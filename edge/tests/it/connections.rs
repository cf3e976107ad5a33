//! Connections as clients use them: written by hand, in pieces, idle, and in ways that HTTP forbids.

use crate::fixture::{Edge, REGISTRATION, customer};
use edge::Config;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A client that writes what it is told to and reads whole answers.
struct Client(BufReader<TcpStream>);

/// An answer of HTTP/1.1.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn closes(&self) -> bool {
        self.head.contains("connection: close\r\n")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Client {
    async fn connect(edge: &Edge) -> Self {
        let socket = TcpStream::connect(edge.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::new(socket))
    }

    async fn write(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.write_all(bytes.as_ref()).await
    }

    /// Reads one answer with a content length; none when the connection ends before it.
    async fn read(&mut self) -> Option<Answer> {
        timeout(LIMIT, async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if self.0.read_line(&mut head).await.ok()? == 0 {
                    return None;
                }
            }
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
            let length = header("content-length: ").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.ok()?;
            let status = head.get(9..12)?.parse().unwrap();
            Some(Answer { status, head, body })
        })
        .await
        .expect("the edge answers")
    }

    /// Whether the edge closes the connection.
    async fn is_closed(&mut self) -> bool {
        // A reset says the same as an end.
        let read = timeout(LIMIT, self.0.read(&mut [0])).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

/// The only answer to `bytes`, on a connection of its own.
async fn ask(edge: &Edge, bytes: impl AsRef<[u8]>) -> (Answer, Client) {
    let mut client = Client::connect(edge).await;
    client.write(bytes).await.unwrap();
    (client.read().await.expect("an answer"), client)
}

fn assert_is_problem(answer: &Answer, status: u16, sent: &str) {
    assert_eq!(answer.status, status, "{sent:?}: {answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json\r\n"), "{answer:?}");
    assert!(answer.head.contains("x-request-id: "), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(problem["request_id"].is_string(), "{problem}");
}

#[tokio::test]
async fn what_http_forbids_is_refused_and_the_connection_closed() {
    let edge = Edge::start().await;
    let post = |headers: &str| {
        format!("POST /v1/users HTTP/1.1\r\n{headers}content-type: application/json\r\n\r\n")
    };
    let chunked = format!("{:x}\r\n{REGISTRATION}\r\n0\r\n\r\n", REGISTRATION.len());
    let te = "transfer-encoding: chunked\r\n";
    for (sent, status) in [
        ("GET /v1/nothing HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /v1/nothing HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET /v1/nothing HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n".to_owned(), 400),
        ("GET /v1/nothing HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(), 400),
        (post(&format!("host: x\r\n{te}{te}")) + &chunked, 400),
        (post("host: x\r\ntransfer-encoding: chunked, chunked\r\n") + &chunked, 400),
        (post("host: x\r\ntransfer-encoding: gzip, chunked\r\n") + &chunked, 501),
        (post(&format!("host: x\r\n{te}")) + "no length\r\n", 400),
        (post(&format!("host: x\r\ncontent-encoding: gzip\r\n{te}")) + "no length\r\n", 400),
    ] {
        let (answer, mut client) = ask(&edge, &sent).await;
        assert_is_problem(&answer, status, &sent);
        assert_eq!(answer.json()["reason"], "MALFORMED_REQUEST");
        assert!(answer.closes(), "{sent:?}: {answer:?}");
        assert!(client.is_closed().await, "{sent:?}");
    }
    assert!(!edge.fakes.was_called());
    let (answer, _) = ask(&edge, post(&format!("host: x\r\n{te}")) + &chunked).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    // Both lengths: the chunks count, and no other request is read from what follows.
    let both = post(&format!("host: x\r\ncontent-length: 3\r\n{te}")) + &chunked;
    let (answer, mut client) = ask(&edge, both.clone() + &both).await;
    assert_eq!((answer.status, answer.closes()), (201, true), "{answer:?}");
    assert!(client.is_closed().await);
    let (answer, _) = ask(&edge, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_answered_like_any_other() {
    let edge = Edge::start().await;
    let long = "a".repeat(64 * 1024);
    for (sent, status) in [
        ("GET / HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n".to_owned(), 400),
        ("G@T / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"), 431),
    ] {
        let sent_start = sent.get(..40).unwrap_or(&sent).to_owned();
        let (answer, mut client) = ask(&edge, &sent).await;
        assert_is_problem(&answer, status, &sent_start);
        assert!(answer.closes(), "{answer:?}");
        assert!(client.is_closed().await);
    }
}

/// The head of a registration by somebody who is refused: the token is no token.
fn refused_head(length: usize, more: &str) -> String {
    format!(
        "POST /v1/me/addresses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

/// An edge that takes only short contents.
async fn edge_of_short_contents() -> Edge {
    Edge::with(Config { max_request_bytes: REGISTRATION.len() - 1, ..Config::default() }).await
}

/// The heads of registrations that are refused before their content, with the status of the refusal.
fn refused_by_head(edge: &Edge) -> Vec<(u16, String)> {
    const JSON: &str = "content-type: application/json\r\n";
    let customer = format!("authorization: {}\r\n{JSON}", edge.bearer(customer()));
    [
        (401, "/v1/me/addresses", format!("authorization: Bearer x\r\n{JSON}")),
        (403, "/v1/users/0b9d5a80-0000-4000-8000-00000000000a:suspend", customer),
        (404, "/v1/nothing", JSON.to_owned()),
        (405, "/v1/me", JSON.to_owned()),
        (413, "/v1/users", JSON.to_owned()),
        (415, "/v1/users", "content-type: text/plain\r\n".to_owned()),
    ]
    .into_iter()
    .map(|(status, path, headers)| {
        let length = REGISTRATION.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
        (status, head)
    })
    .collect()
}

#[tokio::test]
async fn an_answer_before_the_content_says_that_the_connection_ends() {
    let edge = edge_of_short_contents().await;
    let mut refused = refused_by_head(&edge);
    refused.push((401, refused_head(100, "expect: 100-continue\r\n")));
    // More than is worth reading: no time is given to it.
    refused.push((401, refused_head(1_000_000, "")));
    for (status, head) in refused {
        let (answer, mut client) = ask(&edge, &head).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.closes(), "{head:?}: {answer:?}");
        // The content still comes, and the answer is not lost by it.
        let _ = client.write(vec![b' '; REGISTRATION.len()]).await;
        assert!(client.is_closed().await);
        let (answer, _) = ask(&edge, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_writes_head_and_content_apart_never_meets_a_closed_connection() {
    let edge = edge_of_short_contents().await;
    for (status, head) in refused_by_head(&edge) {
        refuse_sixty(&edge, status, &head).await;
    }
    let edge = Edge::with(Config { client_per_minute: 1, ..Config::default() }).await;
    edge.get("/v1/nothing").await;
    refuse_sixty(&edge, 429, &refused_head(REGISTRATION.len(), "")).await;
}

/// Sends a head and a content of its length sixty times, on a connection that is kept until an answer says otherwise.
async fn refuse_sixty(edge: &Edge, status: u16, head: &str) {
    let mut client = Client::connect(edge).await;
    let mut opened = 1;
    for round in 0..60 {
        client.write(head).await.unwrap();
        // Some contents come after the answer, and most right after the head.
        let is_late = round % 20 == 7;
        if !is_late {
            tokio::task::yield_now().await;
            client.write(REGISTRATION).await.unwrap();
        }
        let answer = client.read().await.unwrap_or_else(|| panic!("closed in round {round}"));
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.closes() || !is_late, "{answer:?}");
        if answer.closes() {
            client = Client::connect(edge).await;
            opened += 1;
        }
    }
    // Most of them are read in time, so that the connection goes on.
    assert!(opened < 60, "{opened}");
}

#[tokio::test]
async fn content_that_is_there_with_its_head_keeps_the_connection() {
    let edge = Edge::start().await;
    let mut client = Client::connect(&edge).await;
    for _ in 0..5 {
        let length = REGISTRATION.len();
        client.write(refused_head(length, "") + REGISTRATION).await.unwrap();
        let answer = client.read().await.expect("the connection goes on");
        assert_eq!((answer.status, answer.closes()), (401, false), "{answer:?}");
    }
}

#[tokio::test]
async fn when_all_connections_are_taken_the_longest_idle_one_is_closed() {
    let config = Config { max_connections: 12, head_timeout_ms: 600_000, ..Config::default() };
    let edge = Edge::with(config).await;
    // A stream that is open, which is not idle however long nothing comes.
    let mut busy = Client::connect(&edge).await;
    let bearer = edge.bearer(customer());
    let watch = format!(
        "GET /v1/me/inbox HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    busy.write(watch).await.unwrap();
    assert_eq!(busy.read().await.expect("the head of a stream").status, 200);
    // One that was used and is idle, one that sent half a head, and many that said nothing.
    let (_, mut longest_idle) = ask(&edge, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = Vec::new();
    for index in 0..20 {
        let mut client = Client::connect(&edge).await;
        if index == 0 {
            client.write("GET / HT").await.unwrap();
        }
        idle.push(client);
    }
    for _ in 0..5 {
        let (answer, _) = ask(&edge, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
    assert!(longest_idle.is_closed().await);
    let mut first_silent = idle.remove(0);
    assert!(first_silent.is_closed().await);
    // The stream goes on.
    edge.fakes.close_inbox();
    let mut rest = String::new();
    while !rest.ends_with("\r\n0\r\n") {
        let read = timeout(LIMIT, busy.0.read_line(&mut rest)).await;
        assert_ne!(read.expect("the stream ends").unwrap(), 0, "{rest:?}");
    }
    assert!(rest.contains("one") && rest.contains("two"), "{rest:?}");
}
