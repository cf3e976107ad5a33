//! A fake upstream that records what it gets and answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;
use transcode::{Options, Transcoder};

/// The descriptor set of `library.proto` with its imports and source information.
pub static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let root = env!("CARGO_MANIFEST_DIR");
    compile(&[format!("{root}/tests/http"), format!("{root}/../../proto")], "library.proto")
});

/// Compiles a `.proto` file.
pub fn compile(includes: &[String], file: &str) -> Vec<u8> {
    let mut compiler = protox::Compiler::new(includes).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(file).unwrap();
    compiler.encode_file_descriptor_set()
}

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS.as_slice()).unwrap());

fn message(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(name).unwrap()
}

/// A call as the upstream saw it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub rpc: String,
    pub headers: HeaderMap,
    /// The messages as ProtoJSON.
    pub messages: Vec<Value>,
    /// The error that ended the request's stream.
    pub broken: bool,
}

/// What the upstream answers.
#[derive(Clone, Debug)]
pub struct Plan {
    pub http_status: StatusCode,
    pub headers: Vec<(&'static str, &'static str)>,
    /// The serialised messages.
    pub messages: Vec<Vec<u8>>,
    pub trailers: Vec<(&'static str, String)>,
    /// Whether the answer ends only when the request does.
    pub patient: bool,
    /// How long the answer takes.
    pub delay: Duration,
    /// How long the messages take after the answer's headers.
    pub quiet: Duration,
    /// How the messages are compressed, by the names of gRPC.
    pub compression: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            http_status: StatusCode::OK,
            headers: vec![("content-type", "application/grpc")],
            messages: vec![Vec::new()],
            trailers: vec![("grpc-status", "0".to_owned())],
            patient: true,
            delay: Duration::ZERO,
            quiet: Duration::ZERO,
            compression: None,
        }
    }
}

impl Plan {
    /// Answers with these messages of a type.
    pub fn messages(name: &str, messages: &[Value]) -> Self {
        let encode = |json: &Value| {
            DynamicMessage::deserialize(message(name), json.clone()).unwrap().encode_to_vec()
        };
        Self { messages: messages.iter().map(encode).collect(), ..Self::default() }
    }

    /// Compresses the messages, and says so.
    pub fn compressed(mut self, compression: &'static str) -> Self {
        self.compression = Some(compression);
        self.headers.push(("grpc-encoding", compression));
        self
    }

    fn frame(&self, message: &[u8]) -> Bytes {
        match self.compression {
            None => framed(message),
            Some("deflate") => framed_as(1, &deflate(message)),
            Some(_) => framed_as(1, &gzip(message)),
        }
    }

    /// Ends with this status.
    pub fn status(mut self, code: i32, text: &str) -> Self {
        self.trailers = vec![("grpc-status", code.to_string()), ("grpc-message", text.to_owned())];
        self
    }
}

/// The upstream. Clones share what they record.
#[derive(Clone, Default)]
pub struct Upstream {
    pub plan: Arc<Mutex<Plan>>,
    pub calls: Arc<Mutex<Vec<Call>>>,
}

impl tower::Service<Request<tonic::body::Body>> for Upstream {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move { Ok(upstream.answer(request).await) })
    }
}

impl Upstream {
    pub async fn answer(self, request: Request<tonic::body::Body>) -> Response<tonic::body::Body> {
        let plan = self.plan.lock().unwrap().clone();
        let (head, body) = request.into_parts();
        let place = {
            let mut calls = self.calls.lock().unwrap();
            let rpc = head.uri.path().to_owned();
            calls.push(Call { rpc, headers: head.headers, ..Call::default() });
            calls.len() - 1
        };
        if plan.patient {
            self.receive(place, body).await;
        }
        tokio::time::sleep(plan.delay).await;
        let mut frames: VecDeque<Frame<Bytes>> =
            plan.messages.iter().map(|m| Frame::data(plan.frame(m))).collect();
        let trailers = headers(plan.trailers.iter().map(|(n, v)| (*n, v.as_str())));
        if !trailers.is_empty() {
            frames.push_back(Frame::trailers(trailers));
        }
        let frames = futures::stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
        let frames = futures::stream::once(async move {
            tokio::time::sleep(plan.quiet).await;
            frames
        });
        let frames = frames.flatten();
        let mut response = Response::new(tonic::body::Body::new(StreamBody::new(frames)));
        *response.status_mut() = plan.http_status;
        *response.headers_mut() = headers(plan.headers.iter().copied());
        response
    }

    async fn receive(&self, place: usize, mut body: tonic::body::Body) {
        let rpc = self.calls.lock().unwrap()[place].rpc.clone();
        let (service, method) = rpc[1..].split_once('/').unwrap();
        let service = POOL.get_service_by_name(service).unwrap();
        let input = service.methods().find(|m| m.name() == method).unwrap().input();
        let mut buffer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    self.calls.lock().unwrap()[place].broken = true;
                    return;
                }
            }
            while let Some(message) = unframed(&mut buffer) {
                let message = DynamicMessage::decode(input.clone(), message).unwrap();
                let json = serde_json::to_value(&message).unwrap();
                self.calls.lock().unwrap()[place].messages.push(json);
            }
        }
    }
}

fn headers<'a>(pairs: impl Iterator<Item = (&'static str, &'a str)>) -> HeaderMap {
    pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap())).collect()
}

/// A gRPC frame.
pub fn framed(message: &[u8]) -> Bytes {
    framed_as(0, message)
}

fn framed_as(flag: u8, message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat().into()
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn deflate(message: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn unframed(buffer: &mut BytesMut) -> Option<Bytes> {
    let header = buffer.first_chunk::<5>()?;
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    if buffer.len() < 5 + length {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length).freeze())
}

/// A transcoder with its fake upstream.
pub struct Edge {
    pub transcoder: Transcoder,
    pub upstream: Upstream,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Whether the body ended with an error.
    pub cut: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    /// `error.status` of an AIP-193 body.
    pub fn code(&self) -> String {
        self.json()["error"]["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a refusal names.
    pub fn fields(&self) -> Vec<String> {
        let violations = &self.json()["error"]["details"][0]["fieldViolations"];
        let violations = violations.as_array().cloned().unwrap_or_default();
        violations.iter().map(|v| v["field"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

impl Edge {
    pub fn new(options: Options) -> Self {
        let transcoder = Transcoder::compile(&DESCRIPTORS, options).unwrap();
        Self { transcoder, upstream: Upstream::default() }
    }

    pub fn plan(&self, plan: Plan) {
        *self.upstream.plan.lock().unwrap() = plan;
    }

    /// Sends `METHOD path`, with headers and content.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], content: &str) -> Answer {
        let content = Full::new(Bytes::copy_from_slice(content.as_bytes()));
        self.request(line, headers, content).await
    }

    pub async fn request<B: transcode::RequestContent>(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        content: B,
    ) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(content).unwrap();
        read(self.transcoder.handle(request, self.upstream.clone()).await).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "").await
    }

    /// The messages of the last call, and how many calls there were.
    pub fn received(&self) -> Vec<Value> {
        self.upstream.calls.lock().unwrap().last().map(|c| c.messages.clone()).unwrap_or_default()
    }

    pub fn last(&self) -> Call {
        self.upstream.calls.lock().unwrap().last().cloned().unwrap()
    }

    pub fn calls(&self) -> usize {
        self.upstream.calls.lock().unwrap().len()
    }
}

pub async fn read(response: Response<transcode::Body>) -> Answer {
    let (head, mut body) = response.into_parts();
    let (mut text, mut cut) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => cut = true,
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Answer { status: head.status.as_u16(), headers: head.headers, text, cut }
}
