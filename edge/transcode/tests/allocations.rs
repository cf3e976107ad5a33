//! A warm codec allocates nothing, whatever the message.

use bytes::BytesMut;
use transcode::{Bindings, JsonOptions, Schema, json_to_wire, wire_to_json};

#[path = "codec/payloads.rs"]
mod payloads;

#[test]
fn no_allocation_per_message_once_warm() {
    let schema = Schema::from_descriptor_set(&payloads::descriptors()).unwrap();
    let (options, mut wire, mut json) = (JsonOptions::default(), BytesMut::new(), Vec::new());
    let (mut bindings, path) = (Bindings::new(), [1]);
    for payload in payloads::payloads() {
        let message = schema.find_message(payload.message).unwrap();
        let text = payload.json.as_bytes();
        let mut pass = |bound: bool| {
            wire.clear();
            json.clear();
            bindings.clear();
            // The body gives this field too, and the same value.
            if bound && payload.name == "small" {
                let id = "0191f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";
                bindings.add_text(&schema, message, &path, id).unwrap();
            }
            json_to_wire(&schema, message, Some(text), &bindings, &options, &mut wire).unwrap();
            wire_to_json(&schema, message, &wire, &options, None, &mut json).unwrap();
            assert!(json == text);
        };
        for _ in 0..3 {
            pass(true);
        }
        let counted = allocation_counter::measure(|| {
            for _ in 0..10 {
                pass(false);
                pass(true);
            }
        });
        assert_eq!(counted.count_total, 0, "{}", payload.name);
    }
}
