//! The codec of generated servers.

pub use tonic_prost::ProstCodec as Codec;
