//! Valid JSON, steered by the fuzzer: the codec and prost-reflect read and print the same.
#![no_main]

#[path = "../../tests/codec/generate.rs"]
mod generate;
#[allow(dead_code)]
#[path = "../../tests/codec/oracle.rs"]
mod oracle;
#[allow(dead_code)]
#[path = "../../tests/codec/payloads.rs"]
mod payloads;

thread_local! {
    static ORACLE: oracle::Oracle = oracle::Oracle::new(&payloads::descriptors(), "codec.v1.All");
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ORACLE.with(|oracle| {
        let mut json = String::new();
        generate::object(&oracle.descriptor, 5, &mut generate::Entropy(data), &mut json);
        oracle.check_valid(&json);
    });
});
