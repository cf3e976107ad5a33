//! The generic mode on real sockets: both HTTP versions, reload, reflection, draining.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use transcode::serve::{self, ReloadableTranscoder};
use transcode::source::{self, Source};
use transcode::{Direct, Options, Transcoder};

use crate::support::{DESCRIPTORS, Edge, Plan, Upstream};

/// The generic mode before a fake upstream, until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub reloadable: ReloadableTranscoder,
    end: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Running {
    pub async fn start(edge: &Edge) -> Self {
        Self::before(edge.transcoder.clone(), edge.upstream.clone()).await
    }

    pub async fn before(transcoder: Transcoder, upstream: impl transcode::Upstream + Sync) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reloadable = ReloadableTranscoder::new(transcoder);
        let (end, ended) = oneshot::channel();
        let ended = async {
            let _ = ended.await;
        };
        let task =
            tokio::spawn(serve::serve_transcoder(listener, reloadable.clone(), upstream, ended));
        Self { address, reloadable, end: Some(end), task: Some(task) }
    }

    pub async fn stop(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
        self.task.take().unwrap().await.unwrap();
    }

    async fn get(&self, path: &str) -> http::Response<Bytes> {
        let stream = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(path).header("host", "edge").body(Empty::<Bytes>::new());
        let (head, body) = sender.send_request(request.unwrap()).await.unwrap().into_parts();
        http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A gRPC server for the fake upstream.
pub async fn grpc(upstream: Upstream) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let upstream = upstream.clone();
            let service =
                hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let upstream = upstream.clone();
                    async move {
                        let request = request.map(tonic::body::Body::new);
                        Ok::<_, std::convert::Infallible>(upstream.answer(request).await)
                    }
                });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

pub fn direct(address: SocketAddr) -> Direct {
    Direct::new(&format!("http://{address}").parse().unwrap(), None).unwrap()
}

/// Users of the library may bring a channel of their own.
fn channel(address: SocketAddr) -> tonic::transport::Channel {
    tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

#[tokio::test]
async fn both_http_versions_are_served_over_a_real_channel() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan::messages("library.v1.Book", &[serde_json::json!({"id": "1"})]));
    let address = grpc(edge.upstream.clone()).await;
    both_versions(&edge, channel(address)).await;
    both_versions(&edge, direct(address)).await;
}

async fn both_versions(edge: &Edge, channel: impl transcode::Upstream + Sync) {
    let server = Running::before(edge.transcoder.clone(), channel).await;
    let answer = server.get("/v1/books/1").await;
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, &br#"{"id":"1"}"#[..]));
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://edge/v1/books/1").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().to_bytes().as_ref(), br#"{"id":"1"}"#);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_call() {
    let edge = Edge::new(Options::default());
    let (dropped, mut seen) = tokio::sync::mpsc::channel::<()>(1);
    let (asked, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let upstream = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
        let guard = dropped.clone();
        asked.send(()).unwrap();
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Err::<http::Response<tonic::body::Body>, _>("never")
        }
    });
    let mut server = Running::before(edge.transcoder.clone(), upstream).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    use tokio::io::AsyncWriteExt as _;
    stream.write_all(b"GET /v1/books/1 HTTP/1.1\r\nhost: edge\r\n\r\n").await.unwrap();
    arrived.recv().await.unwrap();
    drop(stream);
    // Stopping waits for open calls, so it ends at once only when this one is gone.
    server.stop().await;
    assert_eq!(seen.recv().await, None);
}

#[tokio::test]
async fn draining_lets_open_calls_end() {
    let edge = Edge::new(Options::default());
    let (asked, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let (go, gone) = tokio::sync::watch::channel(false);
    let fake = edge.upstream.clone();
    let upstream = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let (fake, mut gone) = (fake.clone(), gone.clone());
        asked.send(()).unwrap();
        async move {
            gone.wait_for(|gone| *gone).await.unwrap();
            Ok::<_, std::convert::Infallible>(fake.answer(request).await)
        }
    });
    let mut server = Running::before(edge.transcoder.clone(), upstream).await;
    let address = server.address;
    let client = async {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("/v1/books/1").header("host", "edge");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap().status().as_u16()
    };
    let stop = async {
        arrived.recv().await.unwrap();
        let stopping = server.stop();
        tokio::pin!(stopping);
        assert!(futures::poll!(&mut stopping).is_pending());
        go.send(true).unwrap();
        stopping.await;
    };
    let (status, ()) = tokio::join!(client, stop);
    assert_eq!(status, 200);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn new_contracts_take_over_and_bad_ones_do_not() {
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    let without = Transcoder::compile(&[], Options::default()).unwrap();
    server.reloadable.store(without);
    assert_eq!(server.get("/v1/books/1").await.status(), 404);
    assert!(!source::reload_on_change(b"no descriptors", &server.reloadable));
    assert_eq!(server.get("/v1/books/1").await.status(), 404);
    assert!(source::reload_on_change(&DESCRIPTORS, &server.reloadable));
    assert_eq!(server.get("/v1/books/1").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    std::fs::write(&path, []).unwrap();
    let reloadable =
        ReloadableTranscoder::new(Transcoder::compile(&[], Options::default()).unwrap());
    let watch = tokio::spawn(source::watch_sources(
        Source::File(path.clone()),
        Vec::new(),
        reloadable.clone(),
    ));
    let until = async |routes: usize| {
        while reloadable.load().routes() != routes {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let routes = Transcoder::compile(&DESCRIPTORS, Options::default()).unwrap().routes();
    std::fs::write(&path, &*DESCRIPTORS).unwrap();
    until(routes).await;
    std::fs::write(&path, b"broken").unwrap();
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(reloadable.load().routes(), routes);
    std::fs::write(&path, []).unwrap();
    until(0).await;
    watch.abort();
}

/// The whole of what the server answers to `sent`, up to the end of the connection.
async fn exchange(address: SocketAddr, sent: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    got
}

#[tokio::test]
async fn requests_that_break_http_get_an_error_of_the_usual_shape() {
    let edge = Edge::new(Options::default());
    let server = Running::start(&edge).await;
    for sent in [
        "GET /v1/books/1 HTTP/1.1\r\n\r\n",
        "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        "GET /v1/books/1 HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n",
        "POST /v1/books HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/books HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n",
        "POST /v1/collect/1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n",
    ] {
        let answer = exchange(server.address, sent).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{sent:?}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("connection: close"), "{sent:?}: {answer}");
        let error: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(error["error"]["status"], "INVALID_ARGUMENT", "{sent:?}: {answer}");
    }
}
