//! Servers on a port of the system's choice, met by well-behaved clients, silent ones and hostile ones.

use super::*;
use crate::rpc::health::{LIVENESS, ask_health};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    task::JoinHandle,
};
use tonic::{Code, Request as Call, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::ServiceExt as _;

/// What an HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long connections may take to notice that they were dropped.
const CUT_LIMIT: Duration = Duration::from_secs(1);

const NAME: &str = "quickserve.test.v1.TestService";

/// Calls in progress, and a way to know when they are dropped.
#[derive(Clone, Default)]
struct Open(Arc<AtomicUsize>);

impl Open {
    fn enter(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.clone()
    }
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Leaves on drop.
struct Inside(Open);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A server under test.
struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    open: Open,
    finish: CancellationToken,
    task: JoinHandle<Result<Drained, ServeError>>,
}

impl Running {
    /// `/…/Ok` answers, `/…/Wait` waits for `finish`, `/…/Hang` never answers; all else is refused by "the guard".
    async fn start(options: Options) -> Self {
        let (open, finish) = (Open::default(), CancellationToken::new());
        let (calls, wait) = (open.clone(), finish.clone());
        let stack = tower::service_fn(move |request: Request<Body>| {
            let (calls, wait) = (calls.clone(), wait.clone());
            async move {
                let _inside = Inside(calls.enter());
                match request.uri().path().rsplit('/').next() {
                    Some("Ok") => {}
                    Some("Wait") => wait.cancelled().await,
                    Some("Hang") => std::future::pending().await,
                    _ => return Ok(Status::permission_denied("guarded").into_http()),
                }
                Ok::<_, Infallible>(Status::ok("").into_http())
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve_routes(listener, stack, shutdown.clone(), options));
        Self { address, shutdown, open, finish, task }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// The status of a call to `path`.
    async fn call(channel: &Channel, path: &str) -> Result<Code, tonic::transport::Error> {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .body(Body::new(Full::new(Bytes::from_static(&[0; 5]))))
            .unwrap();
        let response = channel.clone().oneshot(request).await?;
        let head = response.headers().clone();
        let trailers =
            response.into_body().collect().await.ok().and_then(|b| b.trailers().cloned());
        let status =
            head.get("grpc-status").or(trailers.as_ref().and_then(|t| t.get("grpc-status")));
        Ok(Code::from_bytes(status.unwrap().as_bytes()))
    }

    async fn until_open(&self, count: usize) {
        while self.open.count() != count {
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) -> (Drained, Duration) {
        self.shutdown.cancel();
        let begun = Instant::now();
        let drained = self.task.await.unwrap().unwrap();
        (drained, begun.elapsed())
    }
}

fn draining(drain: Duration) -> Options {
    let limits = Limits { drain, ..service_limits() };
    Options { services: vec![NAME.to_owned()], limits, ..Options::default() }
}

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_open_call_may_end_and_no_new_one_begins() {
    let server = Running::start(draining(LONG)).await;
    let channel = server.channel().await;
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { Running::call(&channel, "/t/Wait").await }
    });
    server.until_open(1).await;
    server.shutdown.cancel();
    let address = server.address;
    // The listener closes; who connected before it did is told to go away.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(Running::call(&channel, "/t/Ok").await.is_err());
    server.finish.cancel();
    assert_eq!(waiting.await.unwrap().unwrap(), Code::Ok);
    let (drained, _) = server.stop().await;
    assert_eq!(drained, Drained { dropped: 0 });
}

#[tokio::test]
async fn a_call_that_never_ends_is_dropped_at_the_limit() {
    let server = Running::start(draining(SHORT)).await;
    let channel = server.channel().await;
    let hanging = tokio::spawn(async move { Running::call(&channel, "/t/Hang").await });
    server.until_open(1).await;
    let open = server.open.clone();
    let (drained, took) = server.stop().await;
    assert_eq!(drained, Drained { dropped: 1 });
    assert!(took >= SHORT && took < SHORT + CUT_LIMIT, "{took:?}");
    assert!(hanging.await.unwrap().is_err());
    // The handler is dropped with its connection, and frees what it holds.
    while open.count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn silent_connections_do_not_delay_the_end() {
    let limits = Limits { head_timeout: LONG, drain: LONG, ..service_limits() };
    let server = Running::start(Options { limits, ..draining(LONG) }).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(server.address).await.unwrap();
    half.write_all(&PREFACE[..10]).await.unwrap();
    // Idle, but connected for real.
    let channel = server.channel().await;
    assert_eq!(Running::call(&channel, "/t/Ok").await.unwrap(), Code::Ok);
    let (drained, took) = server.stop().await;
    assert_eq!(drained, Drained { dropped: 0 });
    assert!(took < Duration::from_secs(5), "{took:?}");
    for socket in [&mut silent, &mut half] {
        assert!(matches!(socket.read(&mut [0; 64]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn a_peer_that_said_hello_and_nothing_else_is_dropped_at_the_limit() {
    let server = Running::start(draining(SHORT)).await;
    let mut mute = tokio::net::TcpStream::connect(server.address).await.unwrap();
    mute.write_all(PREFACE).await.unwrap();
    // The server's SETTINGS: hyper has taken the connection over.
    mute.read_exact(&mut [0; 9]).await.unwrap();
    let (_, took) = server.stop().await;
    assert!(took < SHORT + CUT_LIMIT + Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_health_watch_hears_the_news_and_ends() {
    let server = Running::start(draining(LONG)).await;
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: NAME.to_owned() };
    let mut watch = client.watch(Call::new(request)).await.unwrap().into_inner();
    let status = |message: Option<tonic_health::pb::HealthCheckResponse>| message.unwrap().status();
    assert_eq!(status(watch.message().await.unwrap()), ServingStatus::Serving);
    server.shutdown.cancel();
    assert_eq!(status(watch.message().await.unwrap()), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    let (drained, took) = server.stop().await;
    assert_eq!(drained, Drained { dropped: 0 });
    assert!(took < service_limits().stream_grace + Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn health_says_whether_the_process_can_work() {
    let (can_work, ready) = watch::channel(true);
    let ready = Readiness::default().and("disk_full", ready);
    let server = Running::start(Options { ready, ..draining(LONG) }).await;
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: NAME.to_owned() };
    let mut watch = client.watch(Call::new(request)).await.unwrap().into_inner();
    for (can, expected) in [
        (true, ServingStatus::Serving),
        (false, ServingStatus::NotServing),
        (true, ServingStatus::Serving),
    ] {
        can_work.send_replace(can);
        assert_eq!(watch.message().await.unwrap().unwrap().status(), expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn liveness_holds_while_the_process_starts_and_drains() {
    let (started, is_started) = watch::channel(false);
    let ready = Readiness::default().and("starting", is_started);
    let options = Options { ready, notice: LONG, ..draining(LONG) };
    let server = Running::start(options).await;
    let channel = server.channel().await;
    let serves = async |service| ask_health(channel.clone(), service, LONG).await.unwrap();
    assert!(!serves(NAME).await && !serves("").await && serves(LIVENESS).await);
    started.send_replace(true);
    while !serves(NAME).await {
        tokio::task::yield_now().await;
    }
    server.shutdown.cancel();
    while serves(NAME).await {
        tokio::task::yield_now().await;
    }
    assert!(!serves("").await && serves(LIVENESS).await);
    server.task.abort();
}

#[tokio::test]
async fn a_health_watch_never_outlasts_the_limit() {
    let server = Running::start(draining(Duration::ZERO)).await;
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = client.watch(Call::new(request)).await.unwrap().into_inner();
    watch.message().await.unwrap();
    let (_, took) = server.stop().await;
    assert!(took < CUT_LIMIT, "{took:?}");
}

#[tokio::test]
async fn peers_are_served_until_the_notice_is_over() {
    let notice = Duration::from_millis(300);
    let server = Running::start(Options { notice, ..draining(LONG) }).await;
    let channel = server.channel().await;
    let mut health = HealthClient::new(channel);
    server.shutdown.cancel();
    let request = || Call::new(HealthCheckRequest { service: NAME.to_owned() });
    while health.check(request()).await.unwrap().into_inner().status() == ServingStatus::Serving {
        tokio::task::yield_now().await;
    }
    let late = server.channel().await;
    assert_eq!(Running::call(&late, "/t/Ok").await.unwrap(), Code::Ok);
    let (drained, took) = server.stop().await;
    assert_eq!(drained.dropped, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn only_health_and_reflection_bypass_the_guard() {
    let server = Running::start(draining(LONG)).await;
    let channel = server.channel().await;
    for (path, expected) in [
        ("/grpc.health.v1.Health/Check", Code::Ok),
        ("/grpc.health.v1.Health/No", Code::Unimplemented),
        ("/grpc.reflection.v1.ServerReflection/No", Code::Unimplemented),
        ("/grpc.reflection.v1alpha.ServerReflection/No", Code::Unimplemented),
        ("/grpc.health.v1.Healthy/Check", Code::PermissionDenied),
        ("/grpc.health.v1.Health", Code::PermissionDenied),
        ("/x/grpc.health.v1.Health/Check", Code::PermissionDenied),
        ("//grpc.health.v1.Health/Check", Code::PermissionDenied),
        ("/GRPC.health.v1.Health/Check", Code::PermissionDenied),
        ("/grpc.health.v1.Health%2FCheck", Code::PermissionDenied),
        ("/grpc.reflection.v2.ServerReflection/No", Code::PermissionDenied),
        ("/quickserve.user.v1.UserService/GetUser", Code::PermissionDenied),
        ("/", Code::PermissionDenied),
    ] {
        assert_eq!(Running::call(&channel, path).await.unwrap(), expected, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn reflection_lists_our_services_and_shows_error_details() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let server = Running::start(draining(LONG)).await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let ask =
        |message| ServerReflectionRequest { message_request: Some(message), ..Default::default() };
    let requests = tokio_stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("google.rpc.ErrorInfo".to_owned())),
        ask(MessageRequest::FileContainingSymbol(proto::all_rpcs()[0].service.to_owned())),
    ]);
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let ours =
        proto::all_rpcs().iter().map(|rpc| rpc.service).collect::<std::collections::BTreeSet<_>>();
    assert!(ours.iter().all(|service| names.contains(service)), "{names:?}");
    for _ in 0..2 {
        let file = answers.message().await.unwrap().unwrap().message_response;
        assert!(matches!(file, Some(MessageResponse::FileDescriptorResponse(_))), "{file:?}");
    }
    server.stop().await;
}

mod hostile;
