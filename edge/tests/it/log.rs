//! The access log: one line a request, and nothing in it that is anybody's.

use crate::fixture::{Edge, REGISTRATION, customer};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_line_without_secrets() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // The tests of this file's thread only: its runtime has no other.
    let _guard = tracing::subscriber::set_default(subscriber);
    let edge = Edge::start().await;
    let canary = "canary-7f3a";
    let token = edge.bearer(customer());
    let (id, trace) = ("request-of-the-canary", "0af7651916cd43dd8448eb211c80319c");
    let request = edge
        .request("POST", &format!("/v1/users?password={canary}"))
        .header("x-request-id", id)
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .header("content-type", "application/json")
        .header("authorization", &token)
        .header("cookie", canary);
    let refused = edge.send(request.body(REGISTRATION.into()).unwrap()).await;
    assert_eq!(refused.status, 400);
    let body = REGISTRATION.replace("correct horse battery", canary);
    assert_eq!(edge.post("/v1/users", &body.replace("Ada", canary)).await.status, 201);
    edge.get_as(customer(), &format!("/v1/users/{canary}")).await;
    edge.get(&format!("/{canary}?a={canary}")).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().filter(|line| line.contains("access") && line.contains(id));
    let line = line.collect::<Vec<_>>();
    assert_eq!(line.len(), 1, "{text}");
    for part in ["method=\"POST\"", "route=\"/v1/users\"", "status=400", "duration_us=", "bytes="] {
        assert!(line[0].contains(part), "{}", line[0]);
    }
    assert!(line[0].contains(&format!("trace_id=\"{trace}\"")), "{}", line[0]);
    let ours = text.lines().filter(|line| line.contains(" access") || line.contains(" edge"));
    for line in ours {
        assert!(!line.contains(canary), "{line}");
        assert!(!line.contains(token.trim_start_matches("Bearer ")), "{line}");
        assert!(!line.contains("ada@example.org"), "{line}");
    }
}
