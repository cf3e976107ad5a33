//! The codec against prost-reflect, on generated texts and messages and on damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use prost::Message as _;

#[path = "codec/generate.rs"]
mod generate;
#[path = "codec/oracle.rs"]
mod oracle;
#[expect(dead_code, reason = "only the descriptors are needed here")]
#[path = "codec/payloads.rs"]
mod payloads;

use generate::{Entropy, object};
use oracle::Oracle;

thread_local! {
    static ORACLE: Oracle = Oracle::new(&payloads::descriptors(), "codec.v1.All");
}

fn text(oracle: &Oracle, entropy: &[u8]) -> String {
    let mut json = String::new();
    object(&oracle.descriptor, 5, &mut Entropy(entropy), &mut json);
    json
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

/// Replaces, removes, doubles or moves a few pieces of `bytes`.
fn damage(bytes: &mut Vec<u8>, changes: &[(usize, u8, u8)]) {
    for &(at, kind, with) in changes {
        if bytes.is_empty() {
            return;
        }
        let at = at % bytes.len();
        let end = (at + usize::from(with) % 8 + 1).min(bytes.len());
        match kind % 5 {
            0 => bytes[at] = with,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.insert(at, with),
            _ => bytes[at] ^= 1 << (with % 8),
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn valid_text_reads_the_same(entropy in bytes()) {
        ORACLE.with(|oracle| oracle.check_valid(&text(oracle, &entropy)));
    }

    #[test]
    fn damaged_text_reads_the_same_or_is_refused(entropy in bytes(), changes in changes()) {
        ORACLE.with(|oracle| {
            let mut json = text(oracle, &entropy).into_bytes();
            damage(&mut json, &changes);
            oracle.check_text(&json);
        });
    }

    #[test]
    fn messages_in_any_order_print_the_same(
        first in bytes(),
        second in bytes(),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        ORACLE.with(|oracle| {
            let encode = |entropy: &[u8]| {
                oracle.parse(text(oracle, entropy).as_bytes()).unwrap().encode_to_vec()
            };
            // Two messages behind one another are one that is merged, and records may change places.
            let mut records = records(&[encode(&first), encode(&second)].concat());
            for pair in shuffle.chunks_exact(2) {
                if !records.is_empty() {
                    let len = records.len();
                    records.swap(pair[0].index(len), pair[1].index(len));
                }
            }
            oracle.check_wire(&records.concat());
        });
    }

    #[test]
    fn damaged_messages_print_the_same_or_are_refused(entropy in bytes(), changes in changes()) {
        ORACLE.with(|oracle| {
            let mut wire = oracle.parse(text(oracle, &entropy).as_bytes()).unwrap().encode_to_vec();
            damage(&mut wire, &changes);
            oracle.check_wire(&wire);
        });
    }
}

/// The records of a message. Every field of the one that is tested is length-delimited, and those
/// with fields in turn are taken apart, so that records of one message come in several parts.
fn records(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((&tag, rest)) = wire.split_first() {
        let mut rest = rest;
        let len = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
        let (content, after) = rest.split_at(len);
        for inner in inner_records(content) {
            let mut record = vec![tag];
            prost::encoding::encode_varint(inner.len() as u64, &mut record);
            record.extend(inner);
            records.push(record);
        }
        wire = after;
    }
    records
}

fn inner_records(content: &[u8]) -> Vec<Vec<u8>> {
    let (mut records, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        let start = rest;
        let (tag, kind) = prost::encoding::decode_key(&mut rest).unwrap();
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(kind, tag, &mut rest, context).unwrap();
        records.push(start[..start.len() - rest.len()].to_vec());
    }
    if records.is_empty() {
        records.push(Vec::new());
    }
    records
}
