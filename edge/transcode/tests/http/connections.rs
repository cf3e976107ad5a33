//! Connections that the upstream ends by itself, as servers with a maximum connection age do; over http and over https.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto, pki_types};
use transcode::{Direct, Options};

use crate::support::{Answer, Edge, Plan, Upstream, read};

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Where an upstream listens, in TLS or not.
struct Listener {
    tcp: TcpListener,
    tls: Option<(TlsAcceptor, String)>,
}

impl Listener {
    async fn bind(secure: bool) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { tcp, tls: secure.then(certificate) }
    }

    async fn accept(&self) -> Box<dyn Io> {
        let (stream, _) = self.tcp.accept().await.unwrap();
        match &self.tls {
            None => Box::new(stream),
            Some((acceptor, _)) => Box::new(acceptor.accept(stream).await.unwrap()),
        }
    }

    fn connect(&self) -> Direct {
        let port = self.tcp.local_addr().unwrap().port();
        let (scheme, ca) = match &self.tls {
            None => ("http", None),
            Some((_, ca)) => ("https", Some(ca.as_bytes())),
        };
        let url = format!("{scheme}://localhost:{port}").parse().unwrap();
        Direct::new(&url, ca).unwrap()
    }
}

/// A certificate for localhost, with what trusts it.
fn certificate() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// Serves a connection, and ends it in order after so many calls.
async fn serve(io: Box<dyn Io>, upstream: Upstream, calls: usize) {
    let (count, old) = (AtomicUsize::new(0), Notify::new());
    let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
        if count.fetch_add(1, Ordering::Relaxed) + 1 == calls {
            old.notify_one();
        }
        let (upstream, request) = (upstream.clone(), request.map(tonic::body::Body::new));
        async { Ok::<_, std::convert::Infallible>(upstream.answer(request).await) }
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = old.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn send(
    edge: &Edge,
    upstream: impl transcode::Upstream,
    line: &str,
    content: &str,
) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = http::Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(content.to_owned()))).unwrap();
    read(edge.transcoder.handle(request, upstream).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_while_connections_are_ended_by_age() {
    for secure in [false, true] {
        let edge = Edge::new(Options::default());
        edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "1"})]));
        let listener = Listener::bind(secure).await;
        let upstream = listener.connect();
        let serving = async {
            let mut connections = JoinSet::new();
            loop {
                connections.spawn(serve(listener.accept().await, edge.upstream.clone(), 20));
            }
        };
        let calls = futures::stream::iter(0..3000)
            .map(|_| send(&edge, upstream.clone(), "GET /v1/books/1", ""))
            .buffer_unordered(20)
            .collect::<Vec<_>>();
        let answers = tokio::select! {
            answers = calls => answers,
            never = serving => never,
        };
        let failed =
            answers.iter().filter(|answer| answer.status != 200).map(|answer| answer.status);
        assert_eq!(failed.collect::<Vec<_>>(), [0; 0], "secure: {secure}");
        assert_eq!(edge.calls(), 3000, "nothing is sent twice");
    }
}

/// Takes a connection's first request and says, as a server that closes does, that it has done nothing about it.
async fn turn_away(mut io: Box<dyn Io>) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // The last stream that was processed is none, and there was no error.
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    io.write_all(&SETTINGS).await.unwrap();
    io.read_exact(&mut [0; 24]).await.unwrap();
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        io.read_exact(&mut vec![0; length as usize]).await.unwrap();
        if head[3] == 1 {
            break;
        }
    }
    io.write_all(&GOAWAY).await.unwrap();
    io.flush().await.unwrap();
    // The client closes the connection when nothing is open on it any more.
    let _ = io.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_call_that_a_closing_connection_did_not_take_is_made_on_another() {
    for secure in [false, true] {
        let edge = Edge::new(Options::default());
        edge.plan(Plan::messages("library.v1.BookResponse", &[json!({})]));
        let listener = Listener::bind(secure).await;
        let upstream = listener.connect();
        let serving = async {
            turn_away(listener.accept().await).await;
            serve(listener.accept().await, edge.upstream.clone(), usize::MAX).await;
        };
        let answer = tokio::select! {
            answer = send(&edge, upstream, "POST /v1/books", r#"{"title":"a"}"#) => answer,
            () = serving => panic!("the upstream ended"),
        };
        assert_eq!((answer.status, edge.calls()), (200, 1), "secure: {secure}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_upstream_that_takes_nothing_is_unavailable() {
    for secure in [false, true] {
        let edge = Edge::new(Options::default());
        let listener = Listener::bind(secure).await;
        let upstream = listener.connect();
        let mut tried = 0;
        let serving = async {
            loop {
                turn_away(listener.accept().await).await;
                tried += 1;
            }
        };
        let answer = tokio::select! {
            answer = send(&edge, upstream, "POST /v1/books", r#"{"title":"a"}"#) => answer,
            never = serving => never,
        };
        assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"), "{secure}");
        assert!(tried <= 5, "{tried} attempts");
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_processed_is_not_made_again() {
    for secure in [false, true] {
        let edge = Edge::new(Options::default());
        let listener = Listener::bind(secure).await;
        let upstream = listener.connect();
        let (arrived, seen) = (Notify::new(), AtomicUsize::new(0));
        let serving = async {
            loop {
                let service =
                    hyper::service::service_fn(|_: http::Request<hyper::body::Incoming>| {
                        seen.fetch_add(1, Ordering::Relaxed);
                        arrived.notify_one();
                        std::future::pending::<Result<http::Response<Full<Bytes>>, std::io::Error>>(
                        )
                    });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let io = TokioIo::new(listener.accept().await);
                tokio::select! {
                    // It is cut in the middle of the call.
                    () = arrived.notified() => {}
                    _ = builder.serve_connection(io, service) => {}
                }
            }
        };
        let answer = tokio::select! {
            answer = send(&edge, upstream, "POST /v1/books", r#"{"title":"a"}"#) => answer,
            never = serving => never,
        };
        assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"), "{secure}");
        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }
}
