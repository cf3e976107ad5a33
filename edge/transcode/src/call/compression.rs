//! Messages that the upstream compresses, as gRPC allows it to when we offer to read them.

use std::io::Read;

use bytes::{Buf as _, Bytes};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderValue};

use crate::failure::Failure;

/// The compressions that we can read, as the header `grpc-accept-encoding` of a call offers them. They are those of gRPC's
/// C core, whose servers compress as they are told to, whatever is offered.
pub(crate) const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,deflate,gzip");

/// How the compressed messages of an answer are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// The upstream says nothing, so that no message may be compressed.
    Identity,
    Gzip,
    /// RFC 1950, which gRPC calls deflate as HTTP does.
    Deflate,
    /// One that was not offered. It matters only if a message uses it.
    Unknown,
}

impl Compression {
    /// The compression that an answer's headers name.
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Self::Identity,
            Some(b"gzip") => Self::Gzip,
            Some(b"deflate") => Self::Deflate,
            Some(_) => Self::Unknown,
        }
    }

    /// Decompresses a message that is marked as compressed. What would become longer than `limit` is refused before it
    /// does.
    pub fn decompress(self, message: Bytes, limit: usize) -> Result<Bytes, Failure> {
        match self {
            Self::Identity => Err(Failure::bad_gateway(
                "a message of the upstream is compressed, and its headers do not say how",
            )),
            Self::Unknown => Err(Failure::bad_gateway(
                "the upstream compressed a message in a way that was not offered",
            )),
            Self::Gzip => {
                let length = message.len();
                expand(MultiGzDecoder::new(message.reader()), length, limit)
            }
            Self::Deflate => {
                let length = message.len();
                expand(ZlibDecoder::new(message.reader()), length, limit)
            }
        }
    }
}

fn expand(decoder: impl Read, length: usize, limit: usize) -> Result<Bytes, Failure> {
    // Mostly enough: growing would copy what is there.
    let mut plain = Vec::with_capacity(length.saturating_mul(4).min(limit));
    let bound = limit.saturating_add(1) as u64;
    decoder.take(bound).read_to_end(&mut plain).map_err(|_| {
        Failure::bad_gateway("a message of the upstream is not compressed as its headers say")
    })?;
    if plain.len() > limit {
        return Err(Failure::upstream_too_long(limit));
    }
    Ok(plain.into())
}
