//! Server and client streams.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::{Value, json};
use transcode::Options;

use crate::support::{Edge, Plan, framed};

const JSON: (&str, &str) = ("content-type", "application/json");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

fn books(count: usize) -> Plan {
    let books: Vec<Value> = (1..=count).map(|n| json!({"pages": n})).collect();
    Plan::messages("library.v1.Book", &books)
}

#[tokio::test]
async fn the_form_of_a_stream_is_the_clients_choice() {
    let edge = Edge::new(Options::default());
    for (accept, kind, texts) in [
        ("*/*", "application/json", ["[]", r#"[{"pages":1},{"pages":2}]"#]),
        ("application/x-ndjson", "application/x-ndjson", ["", "{\"pages\":1}\n{\"pages\":2}\n"]),
        (
            "text/event-stream",
            "text/event-stream",
            ["", "data: {\"pages\":1}\n\ndata: {\"pages\":2}\n\n"],
        ),
    ] {
        for (count, text) in [0, 2].into_iter().zip(texts) {
            edge.plan(books(count));
            let answer = edge.send("GET /v1/watch", &[("accept", accept)], "").await;
            assert_eq!((answer.status, answer.header("content-type")), (200, kind));
            assert_eq!(answer.text, text);
        }
    }
}

#[tokio::test]
async fn an_error_before_the_first_message_keeps_its_status() {
    let edge = Edge::new(Options::default());
    edge.plan(books(0).status(5, "none"));
    for accept in ["*/*", "application/x-ndjson", "text/event-stream"] {
        let answer = edge.send("GET /v1/watch", &[("accept", accept)], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"), "{accept}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    edge.plan(Plan { messages: vec![vec![0x0A, 9]], ..Plan::default() });
    assert_eq!(edge.get("/v1/watch").await.status, 502);
}

#[tokio::test]
async fn an_error_after_a_message_is_in_band() {
    let edge = Edge::new(Options::default());
    let error = r#"{"error":{"code":429,"message":"full","status":"RESOURCE_EXHAUSTED"}}"#;
    edge.plan(books(1).status(8, "full"));
    for (accept, text) in [
        ("*/*", format!("[{{\"pages\":1}},{error}]")),
        ("application/jsonl", format!("{{\"pages\":1}}\n{error}\n")),
        ("text/event-stream", format!("data: {{\"pages\":1}}\n\nevent: error\ndata: {error}\n\n")),
    ] {
        let answer = edge.send("GET /v1/watch", &[("accept", accept)], "").await;
        assert_eq!((answer.status, answer.text), (200, text), "{accept}");
    }
    // Neither does a message that cannot be printed, or an end without a status, look like an end.
    let broken = Plan { messages: vec![vec![], vec![0x0A, 9]], ..Plan::default() };
    for plan in [broken, Plan { trailers: vec![], ..books(1) }] {
        edge.plan(plan);
        let answer = edge.get("/v1/watch").await;
        assert!(answer.json()[1]["error"]["code"].is_u64(), "{}", answer.text);
    }
}

#[tokio::test]
async fn problems_are_in_band_too() {
    let edge = Edge::new(Options::default());
    edge.plan(books(1).status(8, "full"));
    let accept = [("accept", "application/x-ndjson, application/problem+json;q=0.5")];
    let answer = edge.send("GET /v1/watch", &accept, "").await;
    let last: Value = serde_json::from_str(answer.text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["error"]["code"], &last["error"]["status"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!(429))
    );
}

#[tokio::test]
async fn messages_are_passed_on_as_they_come() {
    let edge = Edge::new(Options::default());
    let (mut send, frames) = futures::channel::mpsc::channel(8);
    let frames = std::sync::Mutex::new(Some(frames));
    let upstream = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
        let body = StreamBody::new(frames.lock().unwrap().take().unwrap());
        let response = http::Response::builder().header("content-type", "application/grpc");
        let response = response.body(tonic::body::Body::new(body)).unwrap();
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let upstream = tower::util::BoxCloneService::new(Shared(std::sync::Arc::new(
        tokio::sync::Mutex::new(upstream),
    )));
    let data = |message: &[u8]| Ok::<_, std::convert::Infallible>(Frame::data(framed(message)));
    use futures::SinkExt as _;
    send.send(data(&[0x18, 1])).await.unwrap();
    let request = http::Request::get("/v1/watch").header("accept", "application/x-ndjson");
    let request = request.body(http_body_util::Empty::new()).unwrap();
    let mut response = edge.transcoder.handle(request, upstream).await;
    let mut next = async || response.frame().await.map(|f| f.unwrap().into_data().unwrap());
    assert_eq!(next().await.unwrap(), "{\"pages\":1}\n");
    // Half a frame is no message yet; the other half makes it one.
    let second = framed(&[0x18, 2]);
    send.send(Ok(Frame::data(second.slice(..3)))).await.unwrap();
    send.send(Ok(Frame::data(second.slice(3..)))).await.unwrap();
    assert_eq!(next().await.unwrap(), "{\"pages\":2}\n");
    let status = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
    send.send(Ok(Frame::trailers(status.into_iter().collect()))).await.unwrap();
    assert_eq!(next().await, None);
}

/// Makes a service that cannot be cloned one that can.
struct Shared<S>(std::sync::Arc<tokio::sync::Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, R> tower::Service<R> for Shared<S>
where
    S: tower::Service<R> + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            let mut service = service.lock().await;
            let answer = service.call(request);
            drop(service);
            answer.await
        })
    }
}

#[tokio::test]
async fn a_deadline_ends_a_stream_in_band() {
    let edge = Edge::new(Options::default());
    let upstream = tower::service_fn(|_: http::Request<tonic::body::Body>| {
        let first = Ok::<_, std::convert::Infallible>(Frame::data(framed(&[])));
        let body =
            futures::StreamExt::chain(futures::stream::iter([first]), futures::stream::pending());
        let response = http::Response::builder().header("content-type", "application/grpc");
        let response = response.body(tonic::body::Body::new(StreamBody::new(body))).unwrap();
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let request = http::Request::get("/v1/watch").header("grpc-timeout", "20m");
    let request = request.body(http_body_util::Empty::new()).unwrap();
    let answer = crate::support::read(edge.transcoder.handle(request, upstream).await).await;
    assert_eq!(answer.json()[1]["error"]["status"], "DEADLINE_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_event_stream_shows_that_it_is_alive() {
    let edge = Edge::new(Options::default());
    let upstream = tower::service_fn(|_: http::Request<tonic::body::Body>| {
        let first = Ok::<_, std::convert::Infallible>(Frame::data(framed(&[])));
        let rest = futures::stream::pending();
        let body = futures::StreamExt::chain(futures::stream::iter([first]), rest);
        let response = http::Response::builder().header("content-type", "application/grpc");
        let response = response.body(tonic::body::Body::new(StreamBody::new(body))).unwrap();
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let request = http::Request::get("/v1/watch").header("accept", "text/event-stream");
    let request = request.body(http_body_util::Empty::new()).unwrap();
    let mut response = edge.transcoder.handle(request, upstream).await;
    for want in ["data: {}\n\n", ": alive\n\n", ": alive\n\n"] {
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), want);
    }
}

#[tokio::test]
async fn raw_streams_are_joined_and_cut_when_they_fail() {
    let edge = Edge::new(Options::default());
    let parts = [json!({"contentType": "text/plain", "data": "b25l"}), json!({"data": "dHdv"})];
    let plan = Plan::messages("google.api.HttpBody", &parts);
    edge.plan(plan.clone());
    let answer = edge.get("/v1/blobs").await;
    assert_eq!((answer.text.as_str(), answer.header("content-type")), ("onetwo", "text/plain"));
    assert!(!answer.cut);
    edge.plan(plan.status(13, "lost"));
    assert!(edge.get("/v1/blobs").await.cut);
}

#[tokio::test]
async fn client_streams_are_arrays_or_lines() {
    let edge = Edge::new(Options::default());
    let want = json!([{"genre": "GENRE_TRAVEL", "pages": 1}, {"title": "],["}]);
    for (kind, text) in [
        (JSON, r#" [{"pages":1} , {"title":"],["}] "#),
        (LINES, "{\"pages\":1}\n\n{\"title\":\"],[\"}"),
    ] {
        for size in [1, 7, 100] {
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|c| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(c))))
                .collect();
            let body = StreamBody::new(futures::stream::iter(pieces));
            let answer = edge.request("POST /v1/collect/GENRE_TRAVEL", &[kind], body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(Value::from(edge.received()), want);
        }
    }
    for (kind, text) in [(JSON, "[]"), (LINES, "\n"), (JSON, "")] {
        assert_eq!(edge.send("POST /v1/collect/1", &[kind], text).await.status, 200);
        assert_eq!(edge.received(), [json!(null); 0]);
    }
}

#[tokio::test]
async fn a_mistake_in_a_client_stream_outranks_the_upstreams_answer() {
    let edge = Edge::new(Options::default());
    for (kind, text) in [
        (JSON, r#"{"pages":1}"#),
        (JSON, r#"[{"pages":"x"}]"#),
        (JSON, "[{\"pages\":1"),
        (LINES, "[{}]"),
    ] {
        let answer = edge.send("POST /v1/collect/1", &[kind], text).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_ARGUMENT"), "{text}");
    }
    assert_eq!(edge.calls(), 0, "the first message is checked before the call");
    for text in [r#"[{"pages":1},{"pages":"x"}]"#, r#"[{"pages":1},]"#, r#"[{"pages":1}]]"#] {
        let answer = edge.send("POST /v1/collect/1", &[JSON], text).await;
        assert_eq!(answer.status, 400, "{text}");
        assert!(edge.last().broken, "{text}");
    }
    let wrong_author = "{}\n{}\n{\"author\":{\"name\":1}}";
    for (kind, text, field) in [
        (JSON, r#"[{"pages":1},{"pages":"x"}]"#, "[1].pages"),
        (LINES, wrong_author, "[2].author.name"),
    ] {
        let answer = edge.send("POST /v1/collect/1", &[kind], text).await;
        assert_eq!(answer.fields(), [field], "{text}");
    }
}

#[tokio::test]
async fn a_client_stream_is_limited_by_the_message_and_not_as_a_whole() {
    let edge = Edge::new(Options { max_request_bytes: 20, ..Options::default() });
    let count = 50;
    let array = format!("[{}]", vec!["{\"pages\":1}"; count].join(","));
    let lines = "{\"pages\":1}\n".repeat(count);
    for (kind, text) in [(JSON, array), (LINES, lines)] {
        for size in [1, 7, text.len()] {
            let pieces = chunks(&text, size);
            let answer = edge.request("POST /v1/collect/1", &[kind], pieces).await;
            assert_eq!((answer.status, edge.received().len()), (200, count), "{}", answer.text);
        }
        // Its length is declared.
        assert_eq!(edge.send("POST /v1/collect/1", &[kind], &text).await.status, 200);
    }
    let kind = [("content-type", "application/x-tar")];
    let answer = edge.send("POST /v1/blobs", &kind, &"x".repeat(100)).await;
    assert_eq!((answer.status, edge.received().len()), (200, 5), "{}", answer.text);
    let calls = edge.calls();
    let long = "{\"title\":\"xxxxxxxxxxxxxxx\"}";
    for (kind, text) in
        [(JSON, format!("[{long}]")), (JSON, format!("[{long}")), (LINES, long.to_owned())]
    {
        for size in [1, 7, text.len()] {
            let answer = edge.request("POST /v1/collect/1", &[kind], chunks(&text, size)).await;
            assert_eq!((answer.status, answer.code().as_str()), (413, "RESOURCE_EXHAUSTED"));
            assert!(answer.text.contains("a message of the request is longer than 20 bytes"));
        }
    }
    assert_eq!(edge.calls(), calls, "what is wrong from the start opens no call");
}

#[tokio::test]
async fn documents_that_are_not_complete_share_a_budget() {
    let options = Options { max_request_bytes: 100_000, max_held_bytes: 0, ..Options::default() };
    let edge = Edge::new(options);
    let text = format!("[{{\"title\":\"{}\"}}]", "x".repeat(90_000));
    let (first, rest) = (data(&text[..85_000]), data(&text[85_000..]));
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let pieces = futures::stream::once(futures::future::ready(first));
    let pieces = pieces.chain(futures::stream::once(async move {
        let _ = told.await;
        rest
    }));
    let waiting = edge.request("POST /v1/collect/1", &[JSON], StreamBody::new(Box::pin(pieces)));
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    // Each alone is allowed; there is no room for both.
    let pieces = || chunks(&text, 1000);
    let refused = edge.request("POST /v1/collect/1", &[JSON], pieces()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    tell.send(()).unwrap();
    assert_eq!(waiting.await.status, 200);
    assert_eq!(edge.request("POST /v1/collect/1", &[JSON], pieces()).await.status, 200);
}

fn data(text: &str) -> Result<Frame<Bytes>, std::io::Error> {
    Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))
}

/// A content that arrives in pieces of `size` bytes.
fn chunks(text: &str, size: usize) -> impl transcode::RequestContent + use<> {
    let pieces: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    let pieces = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
    StreamBody::new(futures::stream::iter(pieces))
}

#[tokio::test]
async fn streams_are_not_stored_unless_the_upstream_says_so() {
    let forward_response_metadata = vec!["cache-control".to_owned()];
    let edge = Edge::new(Options { forward_response_metadata, ..Options::default() });
    for own in [None, Some("no-store")] {
        let mut plan = Plan::messages("library.v1.Book", &[json!({})]);
        plan.headers.extend(own.map(|own| ("cache-control", own)));
        edge.plan(plan);
        for form in ["application/json", "application/x-ndjson", "text/event-stream"] {
            let answer = edge.send("GET /v1/watch", &[("accept", form)], "").await;
            let values: Vec<_> = answer.headers.get_all("cache-control").iter().collect();
            assert_eq!(values, [own.unwrap_or("no-cache")], "{form}");
        }
    }
}

#[tokio::test]
async fn raw_uploads_go_up_in_pieces() {
    let edge = Edge::new(Options::default());
    let parts = ["one", "two"].map(|p| Ok::<_, std::io::Error>(Frame::data(Bytes::from(p))));
    let body = StreamBody::new(futures::stream::iter(parts));
    let kind = [("content-type", "application/x-tar")];
    assert_eq!(edge.request("POST /v1/blobs", &kind, body).await.status, 200);
    let want =
        [json!({"contentType": "application/x-tar", "data": "b25l"}), json!({"data": "dHdv"})];
    assert_eq!(edge.received(), want);
    assert_eq!(edge.send("POST /v1/blobs", &kind, "").await.status, 200);
    assert_eq!(edge.received(), [json!({"contentType": "application/x-tar"})]);
    let long = "x".repeat((1 << 20) + 1);
    assert_eq!(edge.send("POST /v1/blobs", &kind, &long).await.status, 200);
    assert_eq!(edge.received().len(), 2);
}

#[tokio::test]
async fn both_sides_may_stream() {
    let edge = Edge::new(Options::default());
    edge.plan(books(2));
    let answer = edge
        .send("POST /v1/chat", &[JSON, ("accept", "application/x-ndjson")], r#"[{"pages":9}]"#)
        .await;
    assert_eq!(answer.text.lines().count(), 2);
    assert_eq!(edge.received(), [json!({"pages": 9})]);
    let answer = edge.get("/v1/chat/1").await;
    assert_eq!((answer.status, answer.header("upgrade")), (426, "websocket"));
}

#[tokio::test]
async fn dropping_the_response_cancels_the_call() {
    struct Guard(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let edge = Edge::new(Options::default());
    let (dropped, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let upstream = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
        let guard = Guard(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Err::<http::Response<tonic::body::Body>, _>("never")
        }
    });
    let request = http::Request::get("/v1/books/1").body(http_body_util::Empty::new()).unwrap();
    let call = edge.transcoder.handle(request, upstream);
    assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
    seen.recv().await.unwrap();
}
