//! The codec of generated servers: prost on the wire, and a request that breaks a rule of its contract is refused before
//! any handler sees it. Clients use tonic's own codec: they trust what they sent and what they got.

use crate::validate::{self, Validate};
use prost::Message;
use std::{fmt, marker::PhantomData};
use tonic::{
    Status,
    codec::{DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// Encodes responses `E` and decodes requests `D` on the server's side.
pub struct Codec<E, D>(PhantomData<fn() -> (E, D)>);

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> fmt::Debug for Codec<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}

impl<E, D> tonic::codec::Codec for Codec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Default + Validate + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = RequestDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

/// Decodes one request and checks its rules. Both failures are the caller's: `INVALID_ARGUMENT`.
#[derive(Debug)]
pub struct RequestDecoder<D>(PhantomData<fn() -> D>);

impl<D: Message + Default + Validate> Decoder for RequestDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        let request = D::decode(bytes).map_err(|error| validate::malformed_status(&error))?;
        validate::check_message(&request)?;
        Ok(Some(request))
    }
}
