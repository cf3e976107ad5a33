//! The connection to a plain upstream: opened late, opened again, shared, given up.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use transcode::{Direct, Options};

use crate::support::{Answer, Edge, Plan, Upstream, read};

/// A gRPC server that can be killed with its connections.
struct Server(JoinHandle<()>);

impl Server {
    async fn start(address: SocketAddr, upstream: Upstream) -> (SocketAddr, Self) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let upstream = upstream.clone();
                let service = hyper::service::service_fn(
                    move |request: http::Request<hyper::body::Incoming>| {
                        let upstream = upstream.clone();
                        let request = request.map(tonic::body::Body::new);
                        async { Ok::<_, std::convert::Infallible>(upstream.answer(request).await) }
                    },
                );
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                connections.spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        };
        (address, Self(tokio::spawn(serve)))
    }

    async fn kill(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

fn direct(address: SocketAddr) -> Direct {
    Direct::new(&format!("http://{address}").parse().unwrap(), None).unwrap()
}

async fn send(edge: &Edge, upstream: &Direct, line: &str, content: String) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = http::Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(content))).unwrap();
    read(edge.transcoder.handle(request, upstream.clone()).await).await
}

const ANYWHERE: &str = "127.0.0.1:0";

#[tokio::test]
async fn a_connection_that_broke_is_opened_again() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "1"})]));
    let (address, server) = Server::start(ANYWHERE.parse().unwrap(), edge.upstream.clone()).await;
    let upstream = direct(address);
    for _ in 0..3 {
        assert_eq!(send(&edge, &upstream, "GET /v1/books/1", String::new()).await.status, 200);
    }
    let seen = edge.last();
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("transcode/"));
    server.kill().await;
    let answer = send(&edge, &upstream, "GET /v1/books/1", String::new()).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    let (_, server) = Server::start(address, edge.upstream.clone()).await;
    assert_eq!(send(&edge, &upstream, "GET /v1/books/1", String::new()).await.status, 200);
    server.kill().await;
}

#[tokio::test]
async fn calls_that_begin_together_share_two_connections() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "1"})]));
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let upstream = direct(listener.local_addr().unwrap());
    let fake = edge.upstream.clone();
    let serve = async || {
        let (stream, _) = listener.accept().await.unwrap();
        let service =
            hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
                let (fake, request) = (fake.clone(), request.map(tonic::body::Body::new));
                async { Ok::<_, std::convert::Infallible>(fake.answer(request).await) }
            });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(stream), service).await
    };
    let calls = (0..50).map(|_| send(&edge, &upstream, "GET /v1/books/1", String::new()));
    tokio::select! {
        answers = futures::future::join_all(calls) => {
            assert!(answers.iter().all(|answer| answer.status == 200));
        }
        // A third connection would never be accepted.
        ended = futures::future::join(serve(), serve()) => panic!("{ended:?}"),
    }
}

#[tokio::test]
async fn messages_longer_than_every_window_come_through() {
    let edge = Edge::new(Options { max_request_bytes: 32 << 20, ..Options::default() });
    let title = "t".repeat(6 << 20);
    edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "1", "title": title})]));
    let (address, server) = Server::start(ANYWHERE.parse().unwrap(), edge.upstream.clone()).await;
    let upstream = direct(address);
    let content = json!({"title": title}).to_string();
    let answer = send(&edge, &upstream, "POST /v1/books/1:lend", content).await;
    assert_eq!(answer.status, 200, "{}", &answer.text[..answer.text.len().min(300)]);
    assert_eq!(answer.json()["title"].as_str().unwrap().len(), title.len());
    server.kill().await;
}

#[tokio::test]
async fn a_stream_of_the_client_goes_out_as_it_comes() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.BookResponse", &[json!({})]));
    let (address, server) = Server::start(ANYWHERE.parse().unwrap(), edge.upstream.clone()).await;
    let books: Vec<_> = (0..20).map(|n| json!({"title": "t".repeat(n * 10_000)})).collect();
    let content = serde_json::Value::from(books).to_string();
    let answer = send(&edge, &direct(address), "POST /v1/collect/GENRE_POETRY", content).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(edge.received().len(), 20);
    assert_eq!(edge.received()[19]["title"].as_str().unwrap().len(), 190_000);
    server.kill().await;
}

/// Says when it is dropped.
struct Dropped(tokio::sync::mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_at_the_upstream() {
    let edge = Edge::new(Options::default());
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let upstream = direct(listener.local_addr().unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = hyper::service::service_fn(move |_: http::Request<hyper::body::Incoming>| {
        tell.send("called").unwrap();
        let dropped = Dropped(tell.clone());
        async move {
            let _dropped = dropped;
            std::future::pending::<Result<http::Response<Full<Bytes>>, std::io::Error>>().await
        }
    });
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            connections.spawn(builder.serve_connection(TokioIo::new(stream), service.clone()));
        }
    });
    for (line, content) in [("GET /v1/books/1", ""), ("POST /v1/collect/GENRE_POETRY", "[{},{}]")] {
        tokio::select! {
            answer = send(&edge, &upstream, line, content.to_owned()) => panic!("{answer:?}"),
            called = told.recv() => assert_eq!(called, Some("called")),
        }
        assert_eq!(told.recv().await, Some("dropped"), "{line}");
    }
    server.abort();
}
