//! Compressed content of requests. It is read whole before it is decompressed, and few are decompressed at once: what a
//! client makes us hold is what it sent, however much that would become.

use bytes::{Buf as _, Bytes};
use futures::{TryStreamExt as _, stream};
use http::{
    Request,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use listener::Content;
use std::{
    io::{self, Read},
    sync::Arc,
};
use tokio::sync::Semaphore;
use transcode::{BufferedContent, ContentBuffer, Failure, RequestContent};

/// Contents decompressed at a time; each may grow to the limit on content.
pub const AT_ONCE: usize = 2;
/// Bytes decompressed in one go; others get their turn in between.
const CHUNK: u64 = 64 * 1024;
/// The largest window of zstd that has to be understood is 8 MiB (RFC 9659).
const WINDOW_LOG_MOST: u32 = 23;

/// A way in which content may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl ContentCoding {
    /// The coding of a request's content; none for plain content.
    ///
    /// # Errors
    /// 415 for any other coding, with those that are understood.
    pub fn of<B: Body>(request: &Request<B>) -> Result<Option<Self>, Failure> {
        let Some(coding) = request.headers().get(CONTENT_ENCODING) else { return Ok(None) };
        let name = coding.as_bytes();
        if name.eq_ignore_ascii_case(b"identity") || request.body().is_end_stream() {
            Ok(None)
        } else if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
            Ok(Some(Self::Gzip))
        } else if name.eq_ignore_ascii_case(b"zstd") {
            Ok(Some(Self::Zstd))
        } else {
            let failure = Failure::unsupported("the content coding is not supported");
            Err(failure.with_header(ACCEPT_ENCODING, "gzip, zstd"))
        }
    }

    fn decoder(self, content: Bytes) -> io::Result<Box<dyn Read + Send>> {
        let content = content.reader();
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(content)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(content)?;
                decoder.window_log_max(WINDOW_LOG_MOST)?;
                Box::new(decoder)
            }
        })
    }
}

/// The request with its content decompressed. At most as many bytes come out as `buffer` takes in.
pub fn decode_content(
    request: Request<Content>,
    coding: ContentCoding,
    buffer: ContentBuffer,
    places: Arc<Semaphore>,
) -> Request<impl RequestContent> {
    let (mut head, content) = request.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    let plain = async move {
        let limit = buffer.limit();
        let content = wait_for_content(content, buffer).await?;
        // Fails only on a closed semaphore, and this one is never closed.
        let _place = places.acquire_owned().await.map_err(|_| Failure::deadline())?;
        expand_content(
            coding.decoder(content.bytes.clone()).map_err(|_| malformed_content())?,
            limit,
        )
        .await
    };
    let frames = stream::once(plain).map_ok(Frame::data);
    Request::from_parts(head, StreamBody::new(frames).boxed_unsync())
}

/// The content as the client sent it.
async fn wait_for_content(
    mut content: Content,
    mut buffer: ContentBuffer,
) -> Result<BufferedContent, Failure> {
    while let Some(frame) = content.frame().await {
        let frame = frame.map_err(|error| Failure::of_broken_content(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        buffer.push(data)?;
    }
    Ok(buffer.finish())
}

async fn expand_content(mut decoder: Box<dyn Read + Send>, limit: usize) -> Result<Bytes, Failure> {
    let mut plain = Vec::new();
    loop {
        let more = (&mut decoder).take(CHUNK).read_to_end(&mut plain);
        if more.map_err(|_| malformed_content())? == 0 {
            return Ok(plain.into());
        }
        if plain.len() > limit {
            return Err(Failure::too_large(limit));
        }
        tokio::task::yield_now().await;
    }
}

fn malformed_content() -> Failure {
    Failure::invalid(CONTENT_ENCODING.as_str(), "the content is not of this coding")
}
