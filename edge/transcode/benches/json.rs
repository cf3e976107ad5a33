//! The codec on three payloads, beside `serde_json` reading the same bytes and prost-reflect doing
//! the same work through a dynamic message.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(missing_docs, reason = "the harness's macro makes public items without")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use transcode::{Bindings, JsonOptions, MessageIndex, Schema, json_to_wire, wire_to_json};

#[path = "../tests/codec/payloads.rs"]
mod payloads;

use payloads::{Payload, payloads};

/// Everything that a run of one payload needs.
struct Case {
    schema: Schema,
    message: MessageIndex,
    descriptor: MessageDescriptor,
    json: Vec<u8>,
    wire: Vec<u8>,
}

impl Case {
    fn new(payload: &Payload) -> Self {
        let set = payloads::descriptors();
        let schema = Schema::from_descriptor_set(&set).expect("the schema compiles");
        let message = schema.find_message(payload.message).expect("the message is known");
        let pool = DescriptorPool::decode(&set[..]).expect("the pool takes the set");
        let descriptor = pool.get_message_by_name(payload.message).expect("the message is known");
        let json = payload.json.clone().into_bytes();
        let mut wire = BytesMut::new();
        let (bindings, options) = (Bindings::new(), JsonOptions::default());
        json_to_wire(&schema, message, Some(&json), &bindings, &options, &mut wire)
            .expect("the payload is valid");
        Self { schema, message, descriptor, json, wire: wire.to_vec() }
    }
}

fn inbound(c: &mut Criterion) {
    let mut group = c.benchmark_group("json_to_wire");
    for payload in payloads() {
        let case = Case::new(&payload);
        group.throughput(Throughput::Bytes(case.json.len() as u64));
        let (bindings, options) = (Bindings::new(), JsonOptions::default());
        let mut out = BytesMut::new();
        group.bench_function(BenchmarkId::new("transcode", payload.name), |b| {
            b.iter(|| {
                out.clear();
                let json = Some(black_box(&case.json[..]));
                json_to_wire(&case.schema, case.message, json, &bindings, &options, &mut out)
            });
        });
        group.bench_function(BenchmarkId::new("serde_json_skip", payload.name), |b| {
            b.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&case.json)));
        });
        group.bench_function(BenchmarkId::new("serde_json_value", payload.name), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&case.json)));
        });
        group.bench_function(BenchmarkId::new("prost_reflect", payload.name), |b| {
            b.iter(|| {
                let mut json = serde_json::Deserializer::from_slice(black_box(&case.json));
                let message = DynamicMessage::deserialize(case.descriptor.clone(), &mut json);
                message.map(|message| message.encode_to_vec())
            });
        });
    }
    group.finish();
}

fn outbound(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire_to_json");
    for payload in payloads() {
        let case = Case::new(&payload);
        group.throughput(Throughput::Bytes(case.json.len() as u64));
        let options = JsonOptions::default();
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("transcode", payload.name), |b| {
            b.iter(|| {
                out.clear();
                let wire = black_box(&case.wire[..]);
                wire_to_json(&case.schema, case.message, wire, &options, None, &mut out)
            });
        });
        group.bench_function(BenchmarkId::new("prost_reflect", payload.name), |b| {
            b.iter(|| {
                let wire = black_box(&case.wire[..]);
                let message = DynamicMessage::decode(case.descriptor.clone(), wire);
                message.map(|message| serde_json::to_vec(&message).ok())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, inbound, outbound);
criterion_main!(benches);
