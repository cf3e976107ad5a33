//! The contract that is measured, and each payload in both its forms.

use anyhow::Context;
use bytes::{BufMut, Bytes, BytesMut};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use transcode::{Bindings, JsonOptions, Schema, json_to_wire};

#[path = "../../../edge/transcode/tests/codec/payloads.rs"]
#[expect(dead_code, reason = "the codec's own benches use the rest")]
mod payloads;

/// A payload, ready to be sent.
pub struct Case {
    /// Its name in the table, and of its route.
    pub name: &'static str,
    /// The path of its RPC.
    pub rpc: &'static str,
    /// The content of a request in JSON.
    pub json: Bytes,
    /// The same as a gRPC frame.
    pub frame: Bytes,
}

/// The files, part of the program so that it runs from anywhere.
struct Files;

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = match name {
            "echo.proto" => include_str!("echo.proto"),
            "codec.proto" => include_str!("../../../edge/transcode/tests/proto/codec.proto"),
            "google/api/annotations.proto" => {
                include_str!("../../../proto/google/api/annotations.proto")
            }
            "google/api/http.proto" => include_str!("../../../proto/google/api/http.proto"),
            _ => return Err(protox::Error::file_not_found(name)),
        };
        File::from_source(name, source)
    }
}

/// The contract as a serialised descriptor set.
pub fn descriptors() -> anyhow::Result<Vec<u8>> {
    let mut files = ChainFileResolver::new();
    files.add(Files);
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true).include_source_info(true).open_file("echo.proto")?;
    Ok(compiler.encode_file_descriptor_set())
}

/// The payloads that are measured.
pub fn cases() -> anyhow::Result<Vec<Case>> {
    let schema = Schema::from_descriptor_set(&descriptors()?)?;
    let (bindings, options) = (Bindings::new(), JsonOptions::default());
    let case = |payload: &payloads::Payload| {
        let message = schema.find_message(payload.message).context(payload.message)?;
        let mut wire = BytesMut::new();
        let json = Bytes::from(payload.json.clone());
        json_to_wire(&schema, message, Some(&json), &bindings, &options, &mut wire)?;
        let mut frame = BytesMut::from(&[0][..]);
        frame.put_u32(u32::try_from(wire.len())?);
        frame.put(wire);
        let rpc = match payload.name {
            "small" => "/bench.v1.EchoService/EchoSmall",
            "page" => "/bench.v1.EchoService/EchoPage",
            _ => "/bench.v1.EchoService/EchoBlob",
        };
        Ok(Case { name: payload.name, rpc, json, frame: frame.freeze() })
    };
    payloads::payloads().iter().map(case).collect()
}
