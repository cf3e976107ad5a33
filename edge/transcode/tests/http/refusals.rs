//! Requests that are refused before their content has come, on connections that go on or say that they end.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use transcode::Options;

use crate::server::Running;
use crate::support::Edge;

const CONTENT: &str = r#"{"title":"The Aleph"}"#;
const LIMIT: Duration = Duration::from_secs(20);

/// A client that keeps its connection.
struct Client(BufReader<TcpStream>);

/// The start of an answer whose content was read.
#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn has_status(&self, status: u16) -> bool {
        self.head.starts_with(&format!("HTTP/1.1 {status} "))
    }

    fn closes(&self) -> bool {
        self.head.contains("connection: close\r\n")
    }
}

impl Client {
    async fn connect(server: &Running) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::new(socket))
    }

    async fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.0.write_all(text.as_bytes()).await
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
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length?.parse().unwrap()];
            self.0.read_exact(&mut body).await.ok()?;
            Some(Answer { head, body: String::from_utf8(body).unwrap() })
        })
        .await
        .expect("an answer")
    }

    /// Waits until the server closes; a reset says the same as an end.
    async fn wait_for_end(&mut self) {
        let read = timeout(LIMIT, self.0.read(&mut [0])).await.expect("the server closes");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}

/// Heads that are refused, with the status; each says that a content of this length follows.
fn refused_by_head() -> Vec<(u16, String)> {
    [
        (404, "/v1/nothing", "application/json"),
        (405, "/v1/books/1", "application/json"),
        (413, "/v1/books", "application/json"),
        (415, "/v1/books", "text/plain"),
    ]
    .into_iter()
    .map(|(status, path, media)| {
        let length = CONTENT.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n");
        (status, head)
    })
    .collect()
}

async fn server() -> Running {
    let options = Options { max_request_bytes: CONTENT.len() - 1, ..Options::default() };
    Running::start(&Edge::new(options)).await
}

#[tokio::test]
async fn an_answer_before_the_content_says_that_the_connection_ends() {
    let server = server().await;
    for (status, head) in refused_by_head() {
        let mut client = Client::connect(&server).await;
        client.write(&head).await.unwrap();
        let answer = client.read().await.expect("an answer");
        assert!(answer.has_status(status) && answer.closes(), "{head}: {answer:?}");
        assert!(answer.body.starts_with(r#"{"error":"#), "{answer:?}");
        // The content still comes, and nothing is reset by it.
        client.write(CONTENT).await.unwrap();
        client.wait_for_end().await;
    }
}

#[tokio::test]
async fn a_client_that_writes_head_and_content_apart_never_meets_a_closed_connection() {
    let server = server().await;
    for (status, head) in refused_by_head() {
        let mut client = Client::connect(&server).await;
        let mut opened = 1;
        for round in 0..60 {
            client.write(&head).await.unwrap();
            tokio::task::yield_now().await;
            client.write(CONTENT).await.unwrap();
            let answer = client.read().await.unwrap_or_else(|| panic!("closed in round {round}"));
            assert!(answer.has_status(status), "{answer:?}");
            if answer.closes() {
                client = Client::connect(&server).await;
                opened += 1;
            }
        }
        // Most contents are read in time, so that the connection goes on.
        assert!(opened < 60, "{opened}");
    }
}
