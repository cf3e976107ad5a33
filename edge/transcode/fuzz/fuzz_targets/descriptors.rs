//! Any bytes as a descriptor set, and every message of it that compiles as a target of small texts.
#![no_main]

use bytes::BytesMut;
use transcode::{Bindings, JsonOptions, Schema, json_to_wire, wire_to_json};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(schema) = Schema::from_descriptor_set(data) else { return };
    let options = JsonOptions { emit_defaults: true, ..JsonOptions::default() };
    for (index, _) in schema.messages().take(20) {
        let mut json = Vec::new();
        let _ = wire_to_json(&schema, index, data, &options, None, &mut json);
        let mut wire = BytesMut::new();
        let _ = json_to_wire(&schema, index, Some(b"{}"), &Bindings::new(), &options, &mut wire);
    }
});
