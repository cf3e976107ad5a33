//! Peers that answer, refuse, hang, leave or are not there; what the caller gets, and how often the peer is asked.

use super::*;
use crate::rpc::listener::{Options, serve_routes};
use bytes::Bytes;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// A peer that answers each call with what `answer` makes of its number, and counts them.
struct Peer {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    _task: JoinHandle<()>,
}

impl Peer {
    async fn start(answer: fn(usize) -> Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answer).await
    }

    async fn on(listener: TcpListener, answer: fn(usize) -> Answer) -> Self {
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let stack = tower::service_fn(move |request: Request<Body>| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Infallible>(answer(number).response(request).await) }
        });
        let shutdown = CancellationToken::new();
        let mut options = Options::default();
        options.limits.drain = Duration::ZERO;
        let serving = serve_routes(listener, stack, shutdown.clone(), options);
        let task = tokio::spawn(async move {
            serving.await.unwrap();
        });
        Self { address, calls, shutdown, _task: task }
    }

    fn channel(&self) -> RemoteChannel {
        channel(self.address)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// For tests, what is called `/t/Read` may be repeated, and `/t/Stream` is sent as it comes.
fn policy(path: &str, _: &HeaderMap) -> Repetition {
    match path {
        "/t/Read" => Repetition::Unavailable,
        "/t/Stream" => Repetition::Never,
        _ => Repetition::Unprocessed,
    }
}

fn channel(address: SocketAddr) -> RemoteChannel {
    let resolver = SystemResolver::new(&address.ip().to_string(), address.port());
    let origin = format!("http://{address}").parse().unwrap();
    let replicas = Replicas::new(origin, FollowPace::default(), None);
    RemoteChannel::new(replicas, Arc::new(resolver), policy)
}

enum Answer {
    Status(Status),
    Pushback(&'static str),
    /// The request's own body.
    Echo,
    Hang,
    /// The head at once, and no message.
    HangAfterHead,
}

impl Answer {
    async fn response(self, request: Request<Body>) -> Response<Body> {
        match self {
            Self::Status(status) => status.into_http(),
            Self::Pushback(told) => {
                let mut response = Status::unavailable("busy").into_http();
                response.headers_mut().insert(PUSHBACK, HeaderValue::from_static(told));
                response
            }
            Self::Echo => Response::new(request.into_body()),
            Self::Hang => std::future::pending().await,
            Self::HangAfterHead => {
                let endless = futures::stream::pending::<Result<http_body::Frame<Bytes>, Status>>();
                Response::new(Body::new(http_body_util::StreamBody::new(endless)))
            }
        }
    }
}

fn request(path: &str, timeout: Option<&str>) -> Request<Body> {
    let body = Body::new(Full::new(Bytes::from_static(b"\0\0\0\0\x01x")));
    let builder = Request::post(path).header("content-type", "application/grpc");
    let builder = timeout.into_iter().fold(builder, |b, value| b.header("grpc-timeout", value));
    builder.body(body).unwrap()
}

/// The code of a call's answer, wherever it is.
async fn code(channel: &RemoteChannel, path: &str, timeout: Option<&str>) -> Code {
    match channel.send(request(path, timeout)).await {
        Err(status) => status.code(),
        Ok(response) => {
            Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
        }
    }
}

/// An address where nobody listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn an_answer_comes_through_with_its_body() {
    let peer = Peer::start(|_| Answer::Echo).await;
    for path in ["/t/Read", "/t/Write"] {
        let response = peer.channel().send(request(path, Some("5S"))).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"\0\0\0\0\x01x");
    }
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_unavailable() {
    let channel = channel(nowhere().await);
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Unavailable);
    assert_eq!(code(&channel, "/t/Read", None).await, Code::Unavailable);
}

#[tokio::test]
async fn every_wait_ends_at_the_deadline() {
    // A listener whose queue nobody empties: the connection stands, and no HTTP/2 ever comes.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = channel(silent.local_addr().unwrap());
    let hanging = Peer::start(|_| Answer::Hang).await;
    for channel in [silent, hanging.channel()] {
        for path in ["/t/Read", "/t/Write"] {
            let begun = Instant::now();
            let code = code(&channel, path, Some("300m")).await;
            let took = begun.elapsed();
            assert_eq!(code, Code::DeadlineExceeded, "{path}");
            assert!(took >= Duration::from_millis(300), "{took:?}");
            assert!(took < Duration::from_millis(1500), "{took:?}");
        }
    }
}

#[tokio::test]
async fn the_deadline_covers_the_body_too() {
    let peer = Peer::start(|_| Answer::HangAfterHead).await;
    let response = peer.channel().send(request("/t/Write", Some("300m"))).await.unwrap();
    let status = response.into_body().collect().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_peer_that_leaves_is_unavailable_whatever_it_was_doing() {
    for answer in [(|_| Answer::Hang) as fn(usize) -> Answer, |_| Answer::HangAfterHead] {
        let peer = Peer::start(answer).await;
        let channel = peer.channel();
        let call = tokio::spawn(async move {
            let response = channel.send(request("/t/Write", Some("30S"))).await?;
            // A stopping server ends streams with a status of its own.
            let trailers = response.into_body().collect().await?.trailers().cloned();
            Err(Status::from_header_map(&trailers.unwrap()).unwrap())
        });
        while peer.calls() == 0 {
            tokio::task::yield_now().await;
        }
        peer.shutdown.cancel();
        let ended: Result<(), Status> = call.await.unwrap();
        assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    }
}

/// A way to `peer` that is cut when the task is aborted.
async fn cable(peer: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(peer).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    (address, task)
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable_before_the_answer_and_within() {
    let peer = Peer::start(|_| Answer::Hang).await;
    let (address, cut) = cable(peer.address).await;
    let channel = self::channel(address);
    let call = tokio::spawn(async move { code(&channel, "/t/Write", Some("30S")).await });
    while peer.calls() == 0 {
        tokio::task::yield_now().await;
    }
    cut.abort();
    assert_eq!(call.await.unwrap(), Code::Unavailable);

    let peer = Peer::start(|_| Answer::HangAfterHead).await;
    let (address, cut) = cable(peer.address).await;
    let channel = self::channel(address);
    let response = channel.send(request("/t/Write", Some("30S"))).await.unwrap();
    cut.abort();
    assert_eq!(response.into_body().collect().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_request_that_a_closing_connection_did_not_take_is_unavailable() {
    let (near, _far) = tokio::io::duplex(1024);
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(near);
    let handshake = hyper::client::conn::http2::handshake::<_, _, Body>(executor, io);
    let (mut sender, connection) = handshake.await.unwrap();
    drop(connection);
    let error = sender.send_request(request("/t/Write", None)).await.unwrap_err();
    assert!(error.is_canceled());
    assert_eq!(failure::reach_of(&error), CallReach::Unprocessed);
    assert_eq!(failure::status_of_failure(&error).code(), Code::Unavailable);
    let tonics = Status::from_error(Box::new(error));
    assert_eq!(tonics.code(), Code::Cancelled);
    assert_eq!(failure::rename_failure(tonics).code(), Code::Unavailable);
}

/// Takes a connection and tells its first request that nothing was done about it, as a server does that closes a
/// connection by its age.
async fn turn_away(listener: &TcpListener) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // The last stream that was processed is none, and there was no error.
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (mut socket, _) = listener.accept().await.unwrap();
    socket.write_all(&SETTINGS).await.unwrap();
    socket.read_exact(&mut [0; 24]).await.unwrap();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        socket.read_exact(&mut vec![0; length as usize]).await.unwrap();
        if head[3] == 1 {
            break;
        }
    }
    socket.write_all(&GOAWAY).await.unwrap();
    // The caller closes the connection when nothing is open on it any more.
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_call_that_was_not_processed_is_sent_again_whatever_it_does() {
    for path in ["/t/Write", "/t/Read"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel = channel(listener.local_addr().unwrap());
        let call = tokio::spawn(async move { code(&channel, path, Some("30S")).await });
        // The first is the question for its health, or the call itself.
        for _ in 0..3 {
            turn_away(&listener).await;
        }
        let peer = Peer::on(listener, |_| Answer::Echo).await;
        assert_eq!((call.await.unwrap(), peer.calls()), (Code::Ok, 1), "{path}");
    }
}

#[tokio::test]
async fn a_peer_that_processes_nothing_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(listener.local_addr().unwrap());
    let turning_away = async {
        loop {
            turn_away(&listener).await;
        }
    };
    let code = tokio::select! {
        code = code(&channel, "/t/Write", Some("30S")) => code,
        never = turning_away => never,
    };
    assert_eq!(code, Code::Unavailable);
}

#[test]
fn a_status_of_the_peers_own_stays_what_it_is() {
    for status in [Status::not_found("order"), Status::cancelled("by the peer")] {
        assert_eq!(failure::rename_failure(status.clone()).code(), status.code());
    }
    let timeout = Status::from_error(Box::new(tonic::TimeoutExpired(())));
    assert_eq!(timeout.code(), Code::Cancelled, "what tonic says");
    assert_eq!(failure::rename_failure(timeout).code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_peer_that_comes_back_is_found_again() {
    let peer = Peer::start(|_| Answer::Echo).await;
    let (address, channel) = (peer.address, peer.channel());
    assert_eq!(code(&channel, "/t/Read", None).await, Code::Ok);
    peer.shutdown.cancel();
    peer._task.await.unwrap();
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Unavailable);
    let listener = TcpListener::bind(address).await.unwrap();
    let back = Peer::on(listener, |_| Answer::Echo).await;
    assert_eq!(code(&channel, "/t/Read", None).await, Code::Ok);
    assert_eq!(back.calls(), 1);
}

#[tokio::test]
async fn only_what_may_be_repeated_is_and_only_while_unavailable() {
    let peer = Peer::start(|_| Answer::Status(Status::unavailable("busy"))).await;
    assert_eq!(code(&peer.channel(), "/t/Write", None).await, Code::Unavailable);
    assert_eq!(peer.calls(), 1);
    assert_eq!(code(&peer.channel(), "/t/Read", None).await, Code::Unavailable);
    assert_eq!(peer.calls(), 1 + 3);

    for refusal in [
        (|_| Answer::Status(Status::internal("bug"))) as fn(usize) -> Answer,
        |_| Answer::Status(Status::resource_exhausted("full")),
        |_| Answer::Status(Status::deadline_exceeded("late")),
        |_| Answer::Status(Status::failed_precondition("no")),
        |_| Answer::Status(Status::aborted("race")),
        |_| Answer::Status(Status::ok("")),
        |_| Answer::Pushback("-1"),
        |_| Answer::Pushback("soon"),
    ] {
        let peer = Peer::start(refusal).await;
        code(&peer.channel(), "/t/Read", None).await;
        assert_eq!(peer.calls(), 1);
    }
}

#[tokio::test]
async fn a_retry_sends_the_whole_request_again() {
    let peer = Peer::start(|number| match number {
        0 | 1 => Answer::Status(Status::unavailable("starting")),
        _ => Answer::Echo,
    })
    .await;
    let response = peer.channel().send(request("/t/Read", Some("5S"))).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!((&body[..], peer.calls()), (&b"\0\0\0\0\x01x"[..], 3));
}

#[tokio::test]
async fn a_retry_waits_as_long_as_it_is_told_and_not_past_the_deadline() {
    let told = |number| match number {
        0 => Answer::Pushback("400"),
        _ => Answer::Echo,
    };
    let peer = Peer::start(told).await;
    let begun = Instant::now();
    assert_eq!(code(&peer.channel(), "/t/Read", Some("5S")).await, Code::Ok);
    assert!(begun.elapsed() >= Duration::from_millis(400));

    let peer = Peer::start(told).await;
    let begun = Instant::now();
    assert_eq!(code(&peer.channel(), "/t/Read", Some("300m")).await, Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_millis(300), "the answer is there already");
    assert_eq!(peer.calls(), 1);
}

#[tokio::test]
async fn a_failing_peer_is_not_buried_under_retries() {
    const CALLS: usize = 300;
    let peer = Peer::start(|_| Answer::Status(Status::unavailable("down"))).await;
    let channel = peer.channel();
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..CALLS {
        let channel = channel.clone();
        tasks.spawn(async move { code(&channel, "/t/Read", Some("20S")).await });
    }
    assert!(tasks.join_all().await.iter().all(|code| *code == Code::Unavailable));
    // A tenth of the calls, what the window holds in reserve, and one a second.
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    let most = CALLS + CALLS / 10 + 10 + seconds;
    assert!((CALLS + 10..=most).contains(&peer.calls()), "{} of at most {most}", peer.calls());
}

#[test]
fn the_contracts_say_what_may_be_repeated() {
    use proto::rpc::{IdempotencyKey, IdempotencyLevel};
    let (bare, mut keyed) = (HeaderMap::new(), HeaderMap::new());
    keyed.insert(crate::storage::idempotency::HEADER, HeaderValue::from_static("k"));
    assert_eq!(repeats_of("/no/Such", &keyed), Repetition::Never);
    for rpc in proto::all_rpcs() {
        let safe = rpc.idempotency_level != IdempotencyLevel::Unknown;
        let takes_key = rpc.idempotency_key != IdempotencyKey::Unspecified;
        let expected = |repeatable| match (rpc.client_streaming, repeatable) {
            (true, _) => Repetition::Never,
            (false, true) => Repetition::Unavailable,
            (false, false) => Repetition::Unprocessed,
        };
        assert_eq!(repeats_of(rpc.path, &bare), expected(safe), "{}", rpc.path);
        assert_eq!(repeats_of(rpc.path, &keyed), expected(safe || takes_key), "{}", rpc.path);
    }
    let safe = |rpc: &proto::rpc::Rpc| repeats_of(rpc.path, &bare) == Repetition::Unavailable;
    assert!(proto::all_rpcs().iter().any(safe));
}

#[test]
fn an_address_is_checked() {
    for address in ["not an address", "user:7100", "/user", "ftp://user:21", "http://:7100"] {
        assert!(RemoteChannel::connect(address).is_err(), "{address}");
    }
    for address in ["http://user:7100", "http://127.0.0.1:7100", "http://[::1]:7100", "http://user"]
    {
        assert!(RemoteChannel::connect(address).is_ok(), "{address}");
    }
}

#[tokio::test]
async fn an_address_may_be_a_name_or_an_ip_address() {
    for host in ["localhost", "127.0.0.1", "[::1]", "::1"] {
        let found = SystemResolver::new(host, 7100).resolve().await.unwrap();
        assert!(found.iter().all(|address| address.port() == 7100), "{found:?}");
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
    }
}

mod replicas;
