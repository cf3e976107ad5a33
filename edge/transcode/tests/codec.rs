//! The codec's rules, one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "codec/bindings.rs"]
mod bindings;
#[path = "codec/input.rs"]
mod input;
#[path = "codec/output.rs"]
mod output;
#[expect(dead_code, reason = "only the descriptors are needed here")]
#[path = "codec/payloads.rs"]
mod payloads;
#[path = "codec/schema.rs"]
mod schema;

use bytes::BytesMut;
use transcode::{
    Bindings, FieldError, JsonOptions, MessageIndex, Schema, WireError, json_to_wire, wire_to_json,
};

thread_local! {
    static SCHEMA: Schema = Schema::from_descriptor_set(&payloads::descriptors()).unwrap();
}

/// Runs `test` with the schema and one of its messages.
fn with<T>(message: &str, test: impl FnOnce(&Schema, MessageIndex) -> T) -> T {
    SCHEMA.with(|schema| {
        let index = schema.find_message(&format!("codec.v1.{message}")).unwrap();
        test(schema, index)
    })
}

fn read_with(message: &str, json: &str, options: &JsonOptions) -> Result<Vec<u8>, FieldError> {
    with(message, |schema, index| {
        let (mut out, bindings) = (BytesMut::from(&b"before"[..]), Bindings::new());
        let result =
            json_to_wire(schema, index, Some(json.as_bytes()), &bindings, options, &mut out);
        assert_eq!(&out[..6], b"before");
        assert!(result.is_ok() || out.len() == 6, "a refused text leaves something behind");
        result.map(|()| out[6..].to_vec())
    })
}

fn print_with(message: &str, wire: &[u8], options: &JsonOptions) -> Result<String, WireError> {
    with(message, |schema, index| {
        let mut out = b"before".to_vec();
        let result = wire_to_json(schema, index, wire, options, None, &mut out);
        assert_eq!(&out[..6], b"before");
        assert!(result.is_ok() || out.len() == 6, "a refused message leaves something behind");
        result.map(|()| String::from_utf8(out[6..].to_vec()).unwrap())
    })
}

/// The canonical form of a text: what comes back from the wire.
fn canonical(message: &str, json: &str) -> String {
    let wire = read_with(message, json, &JsonOptions::default());
    let wire = wire.unwrap_or_else(|e| panic!("{e}: {json}"));
    print_with(message, &wire, &JsonOptions::default()).unwrap()
}

/// Why a text is refused.
fn refusal(message: &str, json: &str) -> FieldError {
    match read_with(message, json, &JsonOptions::default()) {
        Ok(_) => panic!("accepted: {json}"),
        Err(error) => error,
    }
}
