//! Streams over WebSocket (RFC 6455): one JSON document a message, in both directions.
//!
//! An empty message ends the client's side and leaves the server's open. A normal end is a close
//! with 1000; an error is one last message `{"error": …}` and a close with another code.

use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt as _, Stream, StreamExt as _};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tonic::Code;

use super::content;
use super::prepare::Call;
use super::printer::Printer;
use super::replies::{Replies, RequestFailure};
use super::reply_stream::ReplyStream;
use super::stream::HEARTBEAT_INTERVAL;
use super::upload::Encoder;
use super::upstream::{Content, OpenCall};
use crate::body::Body;
use crate::codes::code_name;
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::rule::ResponseBody;

/// The subprotocol's name; a client may leave it out.
const PROTOCOL: &str = "json";
const VERSION: &str = "13";
/// How long the upstream may take to end after the client has closed.
const GRACE: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Sink = futures::stream::SplitSink<Socket, Message>;
type Frames = mpsc::Sender<Result<Frame<Bytes>, tonic::Status>>;

/// Whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(request: &Request<Content>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && lists_token(headers, &CONNECTION, "upgrade")
        && lists_token(headers, &UPGRADE, "websocket")
}

/// What a method that needs a WebSocket answers without one.
pub(crate) fn upgrade_required() -> Failure {
    let failure = Failure::new(Code::FailedPrecondition, "the method needs a WebSocket");
    failure
        .with_status(StatusCode::UPGRADE_REQUIRED)
        .with_header(UPGRADE, "websocket")
        .with_reason("UPGRADE_REQUIRED")
        .with_header(CONNECTION, "upgrade")
}

fn lists_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(wanted))
}

/// Answers 101 and serves the call on the connection, which outlives this request.
pub(crate) fn accept_upgrade(
    mut call: Call,
    mut request: Request<Content>,
    open: OpenCall,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let headers = request.headers();
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|v| v != VERSION) {
        return Err(upgrade_required().with_header(SEC_WEBSOCKET_VERSION, VERSION));
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .ok_or_else(|| Failure::invalid(SEC_WEBSOCKET_KEY.as_str(), "the header is missing"))?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| Failure::invalid(SEC_WEBSOCKET_KEY.as_str(), "the key is malformed"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    answer.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if lists_token(headers, &SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    // The request of a server stream is all in the URL.
    let client_streams = call.route.binding.method.client_streaming();
    let message =
        if client_streams { None } else { Some(content::json_to_message(&mut call, None)?) };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(serve_socket(upgrade, call, message, open, context.clone()));
    Ok(response)
}

/// Serves the call; the request is `message`, or what the client sends.
async fn serve_socket(
    upgrade: OnUpgrade,
    mut call: Call,
    message: Option<Bytes>,
    open: OpenCall,
    context: ErrorContext,
) {
    let connection = match upgrade.await {
        Ok(connection) => TokioIo::new(connection),
        Err(error) => return tracing::debug!(%error, "the connection was not upgraded"),
    };
    let limit = call.route.inner.options.max_request_bytes;
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let socket = Socket::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (mut sink, source) = socket.split();
    let (frames, body) = match message {
        Some(message) => (None, tonic::body::Body::new(Full::new(message))),
        None => {
            let (frames, body) = mpsc::channel(1);
            (Some(frames), tonic::body::Body::new(StreamBody::new(body)))
        }
    };
    let request_failure = RequestFailure::default();
    let reader = read_frames(source, Encoder::new(&mut call), frames, request_failure.clone());
    let writer = async {
        let printer = Printer::new(&mut call);
        let ended = write_frame(&mut sink, &mut call, &printer, open, body, request_failure).await;
        close_socket(&mut sink, &printer, &context, ended).await;
    };
    tokio::pin!(writer);
    tokio::select! {
        () = &mut writer => {}
        closed = reader => if closed {
            let _ = timeout(GRACE, writer).await;
        },
    }
}

/// Passes the client's messages on until it leaves; says whether it closed the connection in order. Without `frames`, as
/// for a server stream, what the client sends is ignored.
async fn read_frames(
    mut source: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut encoder: Encoder,
    mut frames: Option<Frames>,
    request_failure: RequestFailure,
) -> bool {
    loop {
        let document = match source.next().await {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(data))) => data,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_))) => return true,
            Some(Err(Error::Capacity(error))) => {
                tracing::debug!(%error, "a message is too long");
                refuse_upgrade(
                    &mut frames,
                    &request_failure,
                    Failure::message_too_large(encoder.limit()),
                )
                .await;
                return std::future::pending().await;
            }
            Some(Err(_)) | None => return false,
        };
        let Some(open) = &mut frames else { continue };
        if document.is_empty() {
            frames = None;
            continue;
        }
        match encoder.message(&document) {
            // The upstream may have ended already; the writer sees that.
            Ok(frame) => drop(open.send(Ok(Frame::data(frame))).await),
            Err(failure) => refuse_upgrade(&mut frames, &request_failure, failure).await,
        }
    }
}

/// Resets the upstream call; the writer then tells the client why.
async fn refuse_upgrade(
    frames: &mut Option<Frames>,
    request_failure: &RequestFailure,
    failure: Failure,
) {
    let status = tonic::Status::from(&failure);
    request_failure.set(failure);
    if let Some(mut frames) = frames.take() {
        let _ = frames.send(Err(status)).await;
    }
}

/// Passes the upstream's messages on until it ends, or the client can no longer be written to.
async fn write_frame(
    sink: &mut Sink,
    call: &mut Call,
    printer: &Printer,
    open: OpenCall,
    body: tonic::body::Body,
    request_failure: RequestFailure,
) -> Result<(), Failure> {
    let request = call.outgoing(body);
    let limit = printer.inner.options.max_response_bytes;
    let opening = Replies::open(open, request, request_failure, limit);
    let mut replies = ReplyStream::new(opening, call);
    loop {
        let message = match timeout(HEARTBEAT_INTERVAL, replies.next()).await {
            Ok(next) => match next? {
                Some(message) => websocket_message(printer, &message)?,
                None => return Ok(()),
            },
            Err(_) => Message::Ping(Bytes::new()),
        };
        if sink.send(message).await.is_err() {
            return Ok(());
        }
    }
}

fn websocket_message(printer: &Printer, message: &Bytes) -> Result<Message, Failure> {
    match &printer.binding.response {
        ResponseBody::Raw(_) => Ok(Message::Binary(printer.raw(message)?.1)),
        ResponseBody::Whole | ResponseBody::Field(_) => {
            let mut text = Vec::with_capacity(message.len() * 2 + 64);
            printer.print(message, &mut text)?;
            let text = String::from_utf8(text)
                .map_err(|_| Failure::bad_gateway("the upstream's text is not UTF-8"))?;
            Ok(Message::text(text))
        }
    }
}

async fn close_socket(
    sink: &mut Sink,
    printer: &Printer,
    context: &ErrorContext,
    ended: Result<(), Failure>,
) {
    let (code, reason) = match &ended {
        Ok(()) => (CloseCode::Normal, ""),
        Err(failure) if failure.is_stopping() => (CloseCode::Restart, code_name(failure.code)),
        Err(failure) if failure.status.is_client_error() => {
            (CloseCode::Policy, code_name(failure.code))
        }
        Err(failure) => (CloseCode::Error, code_name(failure.code)),
    };
    if let Err(failure) = &ended {
        let text = printer.inner.errors().in_band(context, failure);
        let _ = sink.send(Message::text(String::from_utf8_lossy(&text).into_owned())).await;
    }
    let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    let _ = sink.close().await;
}
