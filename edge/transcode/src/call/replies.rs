//! The upstream's answer: gRPC frames off an HTTP/2 stream, and the status that ends them.

use std::sync::{Arc, OnceLock};

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tonic::Code;

use super::compression::Compression;
use super::transport::{broken_off, unreachable_upstream};
use super::upstream::OpenCall;
use crate::codes::code_of_http;
use crate::failure::Failure;

const HEADER: usize = 5;
const MALFORMED: &str = "UPSTREAM_MALFORMED";

/// Why a request stream ended early. It outranks what the upstream says to being reset.
#[derive(Clone, Default)]
pub(crate) struct RequestFailure(Arc<OnceLock<Failure>>);

impl RequestFailure {
    pub fn set(&self, failure: Failure) {
        // The first one is the cause of all others.
        let _ = self.0.set(failure);
    }

    pub fn get(&self) -> Option<Failure> {
        self.0.get().cloned()
    }
}

/// The messages of an answer.
pub(crate) struct Replies {
    body: tonic::body::Body,
    buffer: BytesMut,
    pub headers: HeaderMap,
    /// Trailing metadata, once the messages have ended.
    pub trailers: HeaderMap,
    ended: bool,
    request_failure: RequestFailure,
    compression: Compression,
    /// The most bytes of a message, compressed and not.
    limit: usize,
}

/// The header of a gRPC frame.
#[derive(Clone, Copy)]
struct FrameHeader {
    compressed: bool,
    length: usize,
}

impl Replies {
    /// Opens the call and waits for the answer's headers.
    pub async fn open(
        open: OpenCall,
        request: Request<tonic::body::Body>,
        request_failure: RequestFailure,
        limit: usize,
    ) -> Result<Self, Failure> {
        let response = match open(request).await {
            Ok(response) => response,
            Err(error) => {
                return Err(request_failure.get().unwrap_or_else(|| unreachable_upstream(error)));
            }
        };
        let (head, body) = response.into_parts();
        if let Some(failure) = Failure::from_grpc(&head.headers) {
            return Err(request_failure.get().unwrap_or(failure));
        }
        if head.status != StatusCode::OK {
            let status = head.status.as_u16();
            let message = format!("the upstream answered with HTTP status {status}");
            let failure = Failure::new(code_of_http(head.status), message).with_reason(MALFORMED);
            return Err(failure.with_metadata(&head.headers));
        }
        let media = head.headers.get(CONTENT_TYPE).map(|v| v.as_bytes()).unwrap_or_default();
        if !media.starts_with(b"application/grpc") {
            let failure = Failure::new(Code::Unknown, "the upstream did not answer with gRPC");
            return Err(failure.with_reason(MALFORMED));
        }
        let (buffer, trailers) = (BytesMut::new(), HeaderMap::new());
        Ok(Self {
            body,
            buffer,
            compression: Compression::of(&head.headers),
            headers: head.headers,
            trailers,
            ended: false,
            request_failure,
            limit,
        })
    }

    /// The next message; `None` when the call ended well.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                None => self.end()?,
                Some(Err(status)) => {
                    self.ended = true;
                    return Err(self.request_failure.get().unwrap_or_else(|| broken_off(&status)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        if let Some(message) = self.take(data)? {
                            return Ok(Some(message));
                        }
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().unwrap_or_default();
                        self.end()?;
                    }
                },
            }
        }
    }

    /// Takes data in; a chunk that is exactly one frame is passed through without a copy.
    fn take(&mut self, mut data: Bytes) -> Result<Option<Bytes>, Failure> {
        if self.buffer.is_empty()
            && let Some(header) = self.frame_header(&data)?
            && data.len() == HEADER + header.length
        {
            data.advance(HEADER);
            return Ok(Some(self.message(header, data)?));
        }
        self.buffer.extend_from_slice(&data);
        Ok(None)
    }

    fn buffered(&mut self) -> Result<Option<Bytes>, Failure> {
        match self.frame_header(&self.buffer)? {
            Some(header) if self.buffer.len() >= HEADER + header.length => {
                self.buffer.advance(HEADER);
                let data = self.buffer.split_to(header.length).freeze();
                Ok(Some(self.message(header, data)?))
            }
            _ => Ok(None),
        }
    }

    /// The header of the frame at the front, as soon as it is there.
    fn frame_header(&self, data: &[u8]) -> Result<Option<FrameHeader>, Failure> {
        let Some((&[flag, a, b, c, d], _)) = data.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        if flag > 1 {
            return Err(Failure::bad_gateway("the upstream's answer is not made of gRPC frames"));
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.limit {
            return Err(Failure::upstream_too_long(self.limit));
        }
        Ok(Some(FrameHeader { compressed: flag == 1, length }))
    }

    fn message(&self, header: FrameHeader, data: Bytes) -> Result<Bytes, Failure> {
        if header.compressed { self.compression.decompress(data, self.limit) } else { Ok(data) }
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.ended = true;
        if let Some(request_failure) = self.request_failure.get() {
            return Err(request_failure);
        }
        if let Some(failure) = Failure::from_grpc(&self.trailers) {
            return Err(failure.with_metadata(&self.headers));
        }
        let stated =
            self.trailers.contains_key("grpc-status") || self.headers.contains_key("grpc-status");
        if !stated {
            let failure = Failure::new(Code::Unknown, "the upstream ended without a status");
            return Err(failure.with_reason(MALFORMED));
        }
        if !self.buffer.is_empty() {
            return Err(Failure::bad_gateway("the upstream's last message is cut off"));
        }
        Ok(())
    }
}
