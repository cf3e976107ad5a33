//! A testee of the official protobuf conformance runner: JSON to the wire, the wire to JSON, and
//! JSON to JSON over the wire. What the codec does not do (other formats, wire to wire) is skipped.
//!
//! `conformance PROTOS` takes a folder with the runner's `.proto` files, which it compiles, or a file
//! that is a `FileDescriptorSet` of them. It speaks the runner's protocol on standard input and
//! output: a little-endian length and a message, each way.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use prost::Message;
use transcode::{Bindings, JsonOptions, Schema, json_to_wire, wire_to_json};

/// The files with the test messages; those that the compiler cannot read are left out.
const FILES: [&str; 5] = [
    "google/protobuf/test_messages_proto3.proto",
    "google/protobuf/test_messages_proto2.proto",
    "google/protobuf/test_messages_proto3_editions.proto",
    "google/protobuf/test_messages_proto2_editions.proto",
    "google/protobuf/test_messages_edition2023.proto",
];

/// `conformance.ConformanceRequest`.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(oneof = "Payload", tags = "1, 2, 7, 8")]
    payload: Option<Payload>,
    #[prost(int32, tag = "3")]
    output: i32,
    #[prost(string, tag = "4")]
    message_type: String,
    #[prost(int32, tag = "5")]
    category: i32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Payload {
    #[prost(bytes, tag = "1")]
    Wire(Vec<u8>),
    #[prost(string, tag = "2")]
    Json(String),
    #[prost(string, tag = "7")]
    Jspb(String),
    #[prost(string, tag = "8")]
    Text(String),
}

/// `conformance.ConformanceResponse`.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6")]
    outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Outcome {
    #[prost(string, tag = "1")]
    ParseError(String),
    #[prost(string, tag = "2")]
    RuntimeError(String),
    #[prost(bytes, tag = "3")]
    Wire(Vec<u8>),
    #[prost(string, tag = "4")]
    Json(String),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    SerializeError(String),
}

/// `conformance.WireFormat` and `conformance.TestCategory`.
const WIRE: i32 = 1;
const JSON: i32 = 2;
const IGNORE_UNKNOWN: i32 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = std::env::args().nth(1).ok_or("usage: conformance PROTOS")?;
    let schema = compile(&protos)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut request)?;
        let outcome = Some(answer(&schema, Request::decode(&request[..])?));
        let response = Response { outcome }.encode_to_vec();
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    Ok(())
}

fn compile(protos: &str) -> Result<Schema, Box<dyn std::error::Error>> {
    if std::path::Path::new(protos).is_file() {
        return Ok(Schema::from_descriptor_set(&std::fs::read(protos)?)?);
    }
    let mut set = Vec::new();
    for file in FILES {
        let mut compiler = protox::Compiler::new([protos])?;
        compiler.include_imports(true);
        match compiler.open_file(file) {
            // Sets may be put behind one another.
            Ok(compiler) => set.extend(compiler.encode_file_descriptor_set()),
            Err(error) => eprintln!("{file} is left out: {error}"),
        }
    }
    Ok(Schema::from_descriptor_set(&set)?)
}

fn answer(schema: &Schema, request: Request) -> Outcome {
    if request.message_type == "conformance.FailureSet" {
        return Outcome::Wire(Vec::new());
    }
    let Some(message) = schema.find_message(&request.message_type) else {
        return Outcome::Skipped(format!("{} is not compiled", request.message_type));
    };
    let options = JsonOptions {
        ignore_unknown_fields: request.category == IGNORE_UNKNOWN,
        ..JsonOptions::default()
    };
    let (wire, from_json) = match request.payload {
        Some(Payload::Wire(wire)) => (wire, false),
        Some(Payload::Json(json)) => {
            let mut wire = BytesMut::new();
            let bindings = Bindings::new();
            let json = Some(json.as_bytes());
            match json_to_wire(schema, message, json, &bindings, &options, &mut wire) {
                Ok(()) => (wire.to_vec(), true),
                Err(error) => return Outcome::ParseError(error.to_string()),
            }
        }
        Some(Payload::Jspb(_) | Payload::Text(_)) | None => {
            return Outcome::Skipped("the input is neither JSON nor the wire format".to_owned());
        }
    };
    match request.output {
        WIRE if from_json => Outcome::Wire(wire),
        JSON => print(schema, message, &wire, &options),
        _ => Outcome::Skipped("only JSON is transcoded".to_owned()),
    }
}

fn print(
    schema: &Schema,
    message: transcode::MessageIndex,
    wire: &[u8],
    options: &JsonOptions,
) -> Outcome {
    let mut json = Vec::new();
    match wire_to_json(schema, message, wire, options, None, &mut json) {
        Ok(()) => match String::from_utf8(json) {
            Ok(json) => Outcome::Json(json),
            Err(_) => Outcome::RuntimeError("the JSON text is not UTF-8".to_owned()),
        },
        Err(error @ transcode::WireError::Malformed(_)) => Outcome::ParseError(error.to_string()),
        Err(error) => Outcome::SerializeError(error.to_string()),
    }
}
