//! Any text as JSON: what the codec and prost-reflect both accept, they read the same.
#![no_main]

#[path = "../../tests/codec/oracle.rs"]
mod oracle;
#[allow(dead_code)]
#[path = "../../tests/codec/payloads.rs"]
mod payloads;

thread_local! {
    static ORACLE: oracle::Oracle = oracle::Oracle::new(&payloads::descriptors(), "codec.v1.All");
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| ORACLE.with(|oracle| oracle.check_text(data)));
