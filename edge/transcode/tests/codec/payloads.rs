//! The test schema and the three payloads that are measured: a small message, a page of about
//! 10 KB, and bytes that are 350 KB of base64.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use base64::Engine as _;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// A message in its ProtoJSON form.
pub struct Payload {
    /// What it is called in results.
    pub name: &'static str,
    /// The message's full name.
    pub message: &'static str,
    /// The text.
    pub json: String,
}

/// The test schema, part of the program so that it runs from anywhere.
struct Source;

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "codec.proto" => File::from_source(name, include_str!("../proto/codec.proto")),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The test schema as a serialised descriptor set.
pub fn descriptors() -> Vec<u8> {
    let mut files = ChainFileResolver::new();
    files.add(Source);
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("codec.proto").expect("the schema compiles");
    compiler.encode_file_descriptor_set()
}

/// The three payloads.
pub fn payloads() -> [Payload; 3] {
    let small = concat!(
        r#"{"userId":"0191f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506","email":"ada@example.com","#,
        r#""age":36,"active":true,"grade":"GRADE_PASS"}"#
    );
    [
        Payload { name: "small", message: "codec.v1.Small", json: small.to_owned() },
        Payload { name: "page", message: "codec.v1.Page", json: page() },
        Payload { name: "blob", message: "codec.v1.Blob", json: blob() },
    ]
}

fn page() -> String {
    let mut json = r#"{"title":"Everything for the home","items":["#.to_owned();
    for n in 0..60 {
        let comma = if n > 0 { "," } else { "" };
        let rating = 1.0 + f64::from(n % 40) / 10.0;
        write!(
            json,
            r#"{comma}{{"id":"item-{n:05}","displayName":"Cleaning of {n} rooms","priceMinor":"{}","#,
            n * 997 + 1
        )
        .expect("a string takes it");
        write!(
            json,
            r#""currency":"EUR","grade":"GRADE_PASS","available":true,"rating":{rating}}}"#
        )
        .expect("a string takes it");
    }
    json.push_str(r#"],"counts":["#);
    json.push_str(&list(200, |n| (n * n).to_string()));
    json.push_str(r#"],"labels":{"#);
    json.push_str(&list(20, |n| format!(r#""label-{n}":"value of {n}""#)));
    json.push_str(r#"},"updated":["#);
    json.push_str(&list(10, |n| format!(r#""2024-02-{:02}T12:34:56.789Z""#, n + 1)));
    json.push_str(r#"],"nextPageToken":"eyJvZmZzZXQiOjYwfQ"}"#);
    json
}

fn list(len: usize, item: impl Fn(usize) -> String) -> String {
    (0..len).map(item).collect::<Vec<_>>().join(",")
}

fn blob() -> String {
    let content: Vec<u8> =
        (0..262_500_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let content = base64::engine::general_purpose::STANDARD.encode(content);
    format!(r#"{{"name":"photo.jpg","content":"{content}"}}"#)
}
