//! gRPC and gRPC-Web on the port that also speaks REST.

use crate::{
    fakes::SLOW,
    fixture::{Answer, Edge, customer, whole},
};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use edge::Config;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::{
    Role, Subject,
    testing::{eventually, somebody},
};
use prost::Message as _;
use proto::quickserve::{
    notification::v1::{
        WatchInboxRequest, WatchInboxResponse,
        notification_service_client::NotificationServiceClient,
    },
    provider::v1::tracking_service_client::TrackingServiceClient,
    user::v1::{
        GetMeRequest, GetUserRequest, GetUserResponse, ListRevocationsRequest, Revocation,
        account_service_client::AccountServiceClient, user_service_client::UserServiceClient,
    },
};
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::{Code, transport::Channel};

async fn channel(edge: &Edge) -> Channel {
    Channel::from_shared(edge.url("")).unwrap().connect().await.unwrap()
}

fn with<T>(message: T, name: &'static str, value: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn native_calls_are_checked_and_passed_on() {
    let edge = Edge::start().await;
    let mut users = UserServiceClient::new(channel(&edge).await);
    let refused = users.get_me(GetMeRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = users.get_me(with(GetMeRequest {}, "authorization", "Bearer x")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    assert!(!edge.fakes.was_called());

    let subject = customer();
    let mut request = with(GetMeRequest {}, "authorization", &edge.bearer(subject));
    request.metadata_mut().insert("x-quickserve-identity", "forged".parse().unwrap());
    let answer = users.get_me(request).await.unwrap();
    assert_eq!(answer.into_inner().user.unwrap().id, subject.user_id.to_string());
    let (caller, metadata) = edge.fakes.seen();
    assert_eq!(caller.subject, Some(subject));
    assert!(metadata.get("authorization").is_none());
    assert!(metadata.get("x-quickserve-identity").is_none());

    let malformed = GetUserRequest { user_id: "x".to_owned() };
    let refused = users.get_user(with(malformed, "authorization", &edge.bearer(subject))).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_only_services_may_call_is_not_there() {
    let edge = Edge::start().await;
    let channel = channel(&edge).await;
    let mut accounts = AccountServiceClient::new(channel.clone());
    let refused = accounts.list_revocations(ListRevocationsRequest::default()).await.unwrap_err();
    let mut nobody = tonic::client::Grpc::new(channel);
    nobody.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<GetMeRequest, GetUserResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/quickserve.none.v1.None/None");
    let absent = nobody.unary(tonic::Request::new(GetMeRequest {}), path, codec).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!((refused.code(), refused.message()), (absent.code(), absent.message()));
}

#[tokio::test]
async fn native_streams_flow() {
    let edge = Edge::start().await;
    let mut inbox = NotificationServiceClient::new(channel(&edge).await);
    let request = with(WatchInboxRequest::default(), "authorization", &edge.bearer(customer()));
    let mut messages = inbox.watch_inbox(request).await.unwrap().into_inner();
    for subject in ["one", "two"] {
        let message = messages.message().await.unwrap().unwrap().message.unwrap();
        assert_eq!(message.subject, subject);
    }
    edge.fakes.close_inbox();
    assert!(messages.message().await.unwrap().is_none());
}

#[tokio::test]
async fn native_calls_have_a_deadline() {
    let edge = Edge::with(Config { read_deadline_ms: 200, ..Config::default() }).await;
    let mut users = UserServiceClient::new(channel(&edge).await);
    let slow = GetUserRequest { user_id: SLOW.to_owned() };
    let request = with(slow.clone(), "authorization", &edge.bearer(customer()));
    let refused = users.get_user(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    // A client of tonic's would end the call itself.
    let mut request = web(&edge, "/quickserve.user.v1.UserService/GetUser", &slow);
    request.headers_mut().insert("grpc-timeout", "100m".parse().unwrap());
    let answer = edge.send_bytes(request).await;
    assert!(ends_with_status(&answer, "4"), "{:?}", answer.body);
    let mut request = web(&edge, "/quickserve.user.v1.UserService/GetUser", &slow);
    request.headers_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let answer = edge.send_bytes(request).await;
    assert!(ends_with_status(&answer, "3"), "{:?}", answer.body);
}

/// Whether a gRPC-Web answer has this status, in its head or in its trailers.
fn ends_with_status(answer: &Answer, status: &str) -> bool {
    let in_band = frames(answer.body.clone()).last().is_some_and(|(is_trailers, text)| {
        *is_trailers && String::from_utf8_lossy(text).contains(&format!("grpc-status:{status}\r"))
    });
    in_band || answer.header("grpc-status") == status
}

/// A message as gRPC frames it.
fn framed(message: &impl prost::Message) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut frame).unwrap();
    frame.to_vec()
}

/// The frames of a gRPC-Web answer: whether it is the trailers, and its content.
fn frames(mut body: Bytes) -> Vec<(bool, Bytes)> {
    let mut frames = Vec::new();
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        frames.push((flags & 0x80 != 0, body.split_to(length)));
    }
    frames
}

fn web(edge: &Edge, path: &str, message: &impl prost::Message) -> Request<Vec<u8>> {
    let request = edge.request("POST", path).header("content-type", "application/grpc-web+proto");
    let request = request.header("x-grpc-web", "1");
    request.header("authorization", edge.bearer(customer())).body(framed(message)).unwrap()
}

#[tokio::test]
async fn web_calls_end_with_their_trailers() {
    let edge = Edge::start().await;
    let id = customer().user_id.to_string();
    let path = "/quickserve.user.v1.UserService/GetUser";
    let message = GetUserRequest { user_id: id.clone() };
    let answer = edge.send_bytes(web(&edge, path, &message)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    let frames = frames(answer.body);
    let user = GetUserResponse::decode(frames[0].1.clone()).unwrap().user.unwrap();
    assert_eq!(user.id, id);
    let (is_trailers, trailers) = frames.last().unwrap();
    assert!(is_trailers);
    assert!(String::from_utf8_lossy(trailers).contains("grpc-status:0"), "{trailers:?}");
}

#[tokio::test]
async fn web_calls_are_refused_like_others() {
    let edge = Edge::start().await;
    let path = "/quickserve.user.v1.UserService/GetMe";
    let mut request = web(&edge, path, &GetMeRequest {});
    request.headers_mut().remove("authorization");
    let answer = edge.send_bytes(request).await;
    assert!(ends_with_status(&answer, "16"), "{:?}", answer.body);
    assert!(!edge.fakes.was_called());
    let get = edge.request("GET", path).header("content-type", "application/grpc-web");
    let answer = edge.send(get.body(String::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let native = edge.request("POST", path).header("content-type", "application/grpc");
    let answer = edge.send(native.body(String::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn web_calls_beyond_a_limit_are_refused_as_web_calls() {
    let edge = Edge::with(Config { client_per_minute: 1, ..Config::default() }).await;
    let path = "/quickserve.user.v1.UserService/GetMe";
    edge.send_bytes(web(&edge, path, &GetMeRequest {})).await;
    let answer = edge.send_bytes(web(&edge, path, &GetMeRequest {})).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (StatusCode::OK, "8"));
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
}

#[tokio::test]
async fn web_streams_flow() {
    let edge = Edge::start().await;
    edge.fakes.close_inbox();
    let path = "/quickserve.notification.v1.NotificationService/WatchInbox";
    let answer = edge.send_bytes(web(&edge, path, &WatchInboxRequest::default())).await;
    let frames = frames(answer.body);
    assert_eq!(frames.len(), 3);
    let message = WatchInboxResponse::decode(frames[1].1.clone()).unwrap().message.unwrap();
    assert_eq!(message.subject, "two");
    assert!(frames[2].0);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let origin = "https://app.example.org";
    let config = Config { cors_origins: vec![origin.to_owned()], ..Config::default() };
    let edge = Edge::with(config).await;
    let preflight = edge
        .request("OPTIONS", "/quickserve.user.v1.UserService/GetUser")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-grpc-web,authorization");
    let answer = edge.send(preflight.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    assert!(answer.header("access-control-allow-headers").contains("x-grpc-web"));
    let mut request = web(
        &edge,
        "/quickserve.user.v1.UserService/GetUser",
        &GetUserRequest { user_id: customer().user_id.to_string() },
    );
    request.headers_mut().insert("origin", origin.parse().unwrap());
    let answer = edge.send_bytes(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    assert!(answer.header("access-control-expose-headers").contains("grpc-status"));
    let other = edge.request("GET", "/v1/nothing").header("origin", "https://evil.example");
    let answer = edge.send(other.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn rest_is_answered_over_http2_too() {
    let edge = Edge::start().await;
    let socket = TcpStream::connect(edge.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let driver = tokio::spawn(connection);
    let request = edge.request("GET", "/v1/me").header("authorization", edge.bearer(customer()));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let answer = whole(sender.send_request(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    drop(sender);
    let _ = tokio::time::timeout(Duration::from_secs(5), driver).await.unwrap();
}

#[tokio::test]
async fn an_inbox_is_a_stream_of_events_over_rest() {
    let edge = Edge::start().await;
    let request = edge.request("GET", "/v1/me/inbox").header("accept", "text/event-stream");
    let request = request.header("authorization", edge.bearer(customer()));
    let mut response = edge.open(request.body(String::new()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    for subject in ["one", "two"] {
        let frame = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        let event = String::from_utf8(frame.to_vec()).unwrap();
        assert!(event.starts_with("data: {") && event.ends_with("\n\n"), "{event}");
        assert!(event.contains(&format!("\"subject\":\"{subject}\"")), "{event}");
    }
    edge.fakes.close_inbox();
    assert!(response.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn open_streams_end_as_their_protocols_have_it_when_the_edge_stops() {
    let edge = Edge::start().await;
    let bearer = edge.bearer(customer());
    let open = async |accept| {
        let request = edge.request("GET", "/v1/me/inbox").header("accept", accept);
        let request = request.header("authorization", &bearer).body(String::new()).unwrap();
        let mut response = edge.open(request).await;
        for _ in 0..2 {
            response.body_mut().frame().await.unwrap().unwrap();
        }
        response
    };
    let (events, lines) = (open("text/event-stream").await, open("application/x-ndjson").await);
    let mut client = NotificationServiceClient::new(channel(&edge).await);
    let watch = with(WatchInboxRequest::default(), "authorization", &bearer);
    let mut native = client.watch_inbox(watch).await.unwrap().into_inner();
    for _ in 0..2 {
        native.message().await.unwrap().unwrap();
    }
    // A client that streams and has had no answer yet.
    let mut tracking = TrackingServiceClient::new(channel(&edge).await);
    let driver = edge.bearer(somebody(&[Role::Provider]));
    let positions = with(futures::stream::pending(), "authorization", &driver);
    let positions = tokio::spawn(async move { tracking.stream_positions(positions).await });
    let called = async || edge.fakes.was_called();
    eventually("the client's stream is open", called, |called| *called).await;

    edge.world.host.stop_token().cancel();
    let events = String::from_utf8(whole(events).await.body.to_vec()).unwrap();
    let told = events.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let told: u64 = told.unwrap_or_else(|| panic!("{events:?}")).parse().unwrap();
    assert!((1_000..2_000).contains(&told), "{told}");
    let lines = String::from_utf8(whole(lines).await.body.to_vec()).unwrap();
    assert!(lines.contains("SERVER_STOPPING") && lines.ends_with('\n'), "{lines:?}");
    for refused in [native.message().await.unwrap_err(), positions.await.unwrap().unwrap_err()] {
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.message(), "the server is stopping; call again");
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), edge.serving).await;
    ended.expect("the drain is bounded").unwrap();
}

#[tokio::test]
async fn media_types_are_read_in_any_case_and_with_parameters() {
    let edge = Edge::start().await;
    let subject = customer();
    for media in [
        "Application/gRPC-Web+proto",
        "application/grpc-web; charset=utf-8",
        "APPLICATION/GRPC-WEB+PROTO;a=b",
    ] {
        let mut request = web(&edge, "/quickserve.user.v1.UserService/GetMe", &GetMeRequest {});
        request.headers_mut().insert("content-type", media.parse().unwrap());
        request.headers_mut().insert("authorization", edge.bearer(subject).parse().unwrap());
        let answer = edge.send_bytes(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{media}: {:?}", answer.body);
        assert!(ends_with_status(&answer, "0"), "{media}: {:?}", answer.body);
    }
    for media in ["application/grpc-web+json", "application/grpc-webs", "application/grpcs"] {
        let mut request = web(&edge, "/quickserve.user.v1.UserService/GetMe", &GetMeRequest {});
        request.headers_mut().insert("content-type", media.parse().unwrap());
        let answer = edge.send_bytes(request).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["reason"], "UNSUPPORTED_MEDIA_TYPE");
    }
}

/// Makes the tokens of a session or of a whole account void.
fn revoke(edge: &Edge, subject: Subject, is_account: bool) {
    let now = edge.world.clock.now();
    let session_id = if is_account { String::new() } else { subject.session_id.to_string() };
    edge.fakes.revoke(Revocation {
        user_id: subject.user_id.to_string(),
        session_id,
        token_version: if is_account { 2 } else { 0 },
        revoked_at: Some(prost_types::Timestamp { seconds: now.timestamp(), nanos: 0 }),
    });
}

#[tokio::test]
async fn open_streams_end_when_their_token_becomes_void() {
    let edge = Edge::start().await;
    let mut inbox = NotificationServiceClient::new(channel(&edge).await);
    let watch = WatchInboxRequest::default();
    let other = with(watch.clone(), "authorization", &edge.bearer(customer()));
    let mut other = inbox.watch_inbox(other).await.unwrap().into_inner();
    for is_account in [false, true] {
        let subject = customer();
        let bearer = edge.bearer(subject);
        let native = with(watch.clone(), "authorization", &bearer);
        let mut native = inbox.watch_inbox(native).await.unwrap().into_inner();
        let events = edge.request("GET", "/v1/me/inbox").header("accept", "text/event-stream");
        let events = events.header("authorization", &bearer).body(String::new()).unwrap();
        let events = edge.open(events).await;
        let mut web =
            web(&edge, "/quickserve.notification.v1.NotificationService/WatchInbox", &watch);
        web.headers_mut().insert("authorization", bearer.parse().unwrap());
        edge.fakes.was_called();
        let revoked = async {
            let called = async || edge.fakes.was_called();
            eventually("the third stream is open", called, |called| *called).await;
            revoke(&edge, subject, is_account);
        };
        let (web, ()) = tokio::join!(edge.send_bytes(web), revoked);
        assert!(ends_with_status(&web, "16"), "{:?}", web.body);
        for _ in 0..2 {
            native.message().await.unwrap().unwrap();
        }
        assert_eq!(native.message().await.unwrap_err().code(), Code::Unauthenticated);
        let events = String::from_utf8(whole(events).await.body.to_vec()).unwrap();
        assert!(events.contains("\"two\"") && events.contains("TOKEN_INVALID"), "{events}");
    }
    for _ in 0..2 {
        other.message().await.unwrap().unwrap();
    }
    edge.fakes.close_inbox();
    assert!(other.message().await.unwrap().is_none(), "another's stream goes on");
}
