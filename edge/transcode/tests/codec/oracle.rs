//! prost-reflect as the oracle: what it makes of JSON and of the wire, beside the codec.

use bytes::BytesMut;
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor};
use transcode::{
    Bindings, ErrorKind, FieldError, JsonOptions, MessageIndex, Schema, WireError, json_to_wire,
    wire_to_json,
};

/// One message type, as the codec and as the oracle see it.
pub struct Oracle {
    schema: Schema,
    message: MessageIndex,
    /// The oracle's descriptor.
    pub descriptor: MessageDescriptor,
}

impl Oracle {
    /// Both sides of the message called `name` in a descriptor set.
    pub fn new(set: &[u8], name: &str) -> Self {
        let schema = Schema::from_descriptor_set(set).unwrap();
        let message = schema.find_message(name).unwrap();
        let pool = DescriptorPool::decode(set).unwrap();
        Self { schema, message, descriptor: pool.get_message_by_name(name).unwrap() }
    }

    /// The codec's wire form of a text.
    pub fn to_wire(&self, json: &[u8]) -> Result<Vec<u8>, FieldError> {
        let (mut out, bindings, options) =
            (BytesMut::new(), Bindings::new(), JsonOptions::default());
        json_to_wire(&self.schema, self.message, Some(json), &bindings, &options, &mut out)?;
        Ok(out.to_vec())
    }

    /// The codec's text of a message.
    pub fn to_json(&self, wire: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut json = Vec::new();
        let options = JsonOptions::default();
        wire_to_json(&self.schema, self.message, wire, &options, None, &mut json)?;
        Ok(json)
    }

    /// The message that the oracle reads from a text.
    pub fn parse(&self, json: &[u8]) -> Result<DynamicMessage, String> {
        let mut text = serde_json::Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize(self.descriptor.clone(), &mut text);
        let message = message.map_err(|e| e.to_string())?;
        text.end().map_err(|e| e.to_string())?;
        Ok(message)
    }

    /// The message that the oracle reads from the wire.
    pub fn decode(&self, wire: &[u8]) -> Result<DynamicMessage, String> {
        DynamicMessage::decode(self.descriptor.clone(), wire).map_err(|e| e.to_string())
    }

    /// Both must make the same of a text that is valid.
    pub fn check_valid(&self, json: &str) {
        let ours = self.to_wire(json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
        let theirs = self.parse(json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
        let read = self.decode(&ours).unwrap_or_else(|e| panic!("{e}: {json}"));
        assert!(same_message(&read, &theirs), "{json}\n{}\n{}", print(&read), print(&theirs));
        self.check_wire(&theirs.encode_to_vec());
    }

    /// For any text: what both accept is the same; what one of them refuses is a known ruling.
    pub fn check_text(&self, json: &[u8]) {
        match (self.to_wire(json), self.parse(json)) {
            (Ok(ours), Ok(theirs)) => {
                let read = self.decode(&ours).unwrap();
                let text = String::from_utf8_lossy(json);
                assert!(
                    same_message(&read, &theirs),
                    "{text}\n{}\n{}",
                    print(&read),
                    print(&theirs)
                );
            }
            (Ok(_), Err(theirs)) => {
                let text = String::from_utf8_lossy(json);
                assert!(we_take(&theirs), "only we take this: {text}\n{theirs}");
            }
            (Err(ours), Ok(_)) => {
                let text = String::from_utf8_lossy(json);
                assert!(we_refuse(&ours), "only we refuse this: {text}\n{ours}");
            }
            (Err(_), Err(_)) => {}
        }
    }

    /// For any bytes: both print the same, or both refuse them.
    pub fn check_wire(&self, wire: &[u8]) {
        if map_with_wrong_type(&self.descriptor, wire) {
            // The oracle reads an entry whatever its wire type says. No panic is all there is to see.
            return drop(self.to_json(wire));
        }
        let theirs = self.decode(wire).and_then(|message| {
            let json = serde_json::to_string(&message).map_err(|e| e.to_string())?;
            serde_json::from_str(&json).map_err(|e| e.to_string())
        });
        match (self.to_json(wire), theirs) {
            (Ok(ours), Ok(theirs)) => {
                let text = String::from_utf8(ours).unwrap();
                let ours: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert!(same_json(&ours, &theirs), "{wire:02x?}\n{ours}\n{theirs}");
            }
            (Ok(ours), Err(theirs)) => {
                let text = String::from_utf8_lossy(&ours);
                assert!(we_print(&theirs), "only we print this: {wire:02x?}\n{text}\n{theirs}");
            }
            (Err(ours), Ok(theirs)) => {
                assert!(
                    we_do_not_print(&ours),
                    "only we refuse this: {wire:02x?}\n{ours}\n{theirs}"
                );
            }
            (Err(_), Err(_)) => {}
        }
    }
}

/// Whether an entry of a map stands behind a tag that is not for length-delimited values.
fn map_with_wrong_type(message: &MessageDescriptor, wire: &[u8]) -> bool {
    let mut rest = wire;
    while let Ok((number, kind)) = decode_key(&mut rest) {
        let Some(field) = message.get_field(number) else {
            if skip_field(kind, number, &mut rest, DecodeContext::default()).is_err() {
                return false;
            }
            continue;
        };
        if kind != WireType::LengthDelimited {
            if field.is_map() {
                return true;
            }
            if skip_field(kind, number, &mut rest, DecodeContext::default()).is_err() {
                return false;
            }
            continue;
        }
        let len = decode_varint(&mut rest).ok().and_then(|len| usize::try_from(len).ok());
        let Some((content, after)) = len.and_then(|len| rest.split_at_checked(len)) else {
            return false;
        };
        if let Kind::Message(child) = field.kind()
            && map_with_wrong_type(&child, content)
        {
            return true;
        }
        rest = after;
    }
    false
}

/// Texts that we take and the oracle does not: integers in quotes have the same grammar as others,
/// so they may have an exponent.
fn we_take(theirs: &str) -> bool {
    theirs.contains("invalid digit found in string")
}

/// Texts that we refuse and the oracle takes: a field twice, two members of a oneof, paths of a field
/// mask that do not survive the conversion, times with more than nine digits of fraction, numbers in
/// quotes that are no JSON numbers (`inf`, `+1`) or beyond the type.
fn we_refuse(ours: &FieldError) -> bool {
    const STRICTER: [&str; 4] =
        ["field mask", "expected a time", "expected a duration", "expected a number"];
    matches!(ours.kind(), ErrorKind::Duplicate | ErrorKind::Conflict | ErrorKind::Range)
        || STRICTER.iter().any(|rule| ours.problem().contains(rule))
}

/// Messages that we print and the oracle does not: a known number with another wire type is an
/// unknown field, also of a map in the content of an `Any`; and an `Any` without a type is empty.
fn we_print(theirs: &str) -> bool {
    theirs.contains("invalid wire type")
        || theirs.starts_with("error decoding")
        || theirs.starts_with("unsupported type url ''")
}

/// Messages that we refuse and the oracle prints: times whose parts contradict each other are not
/// silently made to fit.
fn we_do_not_print(ours: &WireError) -> bool {
    matches!(ours, WireError::Unprintable(_))
}

/// For the message of a failed test; the oracle's own `Debug` does not end on recursive types.
fn print(message: &DynamicMessage) -> String {
    serde_json::to_string(message).unwrap_or_else(|e| e.to_string())
}

/// Equal, where NaN is equal to itself: compared as the oracle prints it, and what it does not
/// print (the sign of a zero) as it encodes it.
fn same_message(a: &DynamicMessage, b: &DynamicMessage) -> bool {
    a == b || {
        let json = |message| serde_json::to_value(message).unwrap();
        same_json(&json(a), &json(b))
    }
}

/// Equal, where whole numbers may be printed with or without a fraction, and where the last digit of
/// a float may differ: the oracle's reader rounds some the wrong way.
fn same_json(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Null, Number, Object, String};
    match (a, b) {
        (Number(a), Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a == b || ((a - b) / a).abs() < 1e-14,
            (a, b) => a == b,
        },
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b)),
        // What two `Any`s merge to may hold a map with a wrong wire type, which see above.
        (Object(a), Object(b)) if is_any_struct(a) => is_any_struct(b),
        (Object(a), Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_json(a, b)))
        }
        // The oracle prints a wrapper of what is not finite as null.
        (String(a), Null) => ["NaN", "Infinity", "-Infinity"].contains(&a.as_str()),
        _ => a == b,
    }
}

fn is_any_struct(object: &serde_json::Map<String, serde_json::Value>) -> bool {
    object.get("@type").is_some_and(|url| url == "type.googleapis.com/google.protobuf.Struct")
}
