//! Text from path and query as field paths and values, beside a body.
#![no_main]

use bytes::BytesMut;
use transcode::{Bindings, JsonOptions, Schema, Selection, json_paths, json_to_wire, wire_to_json};

#[allow(dead_code)]
#[path = "../../tests/codec/payloads.rs"]
mod payloads;

thread_local! {
    static SCHEMA: Schema = Schema::from_descriptor_set(&payloads::descriptors()).unwrap();
}

libfuzzer_sys::fuzz_target!(|data: &str| {
    SCHEMA.with(|schema| {
        let message = schema.find_message("codec.v1.All").unwrap();
        let (mut bindings, options) = (Bindings::new(), JsonOptions::default());
        let (query, body) = data.split_once('\n').unwrap_or((data, "{}"));
        let _ = Selection::parse(schema, message, query);
        let _ = json_paths(schema, message, body.as_bytes(), &options);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let (name, key) = match name.split_once('[') {
                Some((name, key)) => (name, Some(key)),
                None => (name, None),
            };
            let Ok((path, _)) = schema.resolve(message, name.split('.')) else { continue };
            let _ = match key {
                Some(key) => bindings.add_map_entry(schema, message, &path, key, value),
                None => bindings.add_text(schema, message, &path, value),
            };
        }
        let mut wire = BytesMut::new();
        let body = Some(body.as_bytes());
        if json_to_wire(schema, message, body, &bindings, &options, &mut wire).is_ok() {
            // What is accepted can be printed, and printing needs no second look.
            let mut json = Vec::new();
            wire_to_json(schema, message, &wire, &options, None, &mut json).unwrap();
        }
    });
});
