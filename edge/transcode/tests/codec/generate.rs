//! Valid ProtoJSON of any message, made from bytes: the same bytes give the same text, and fewer
//! bytes a smaller one, so that property tests can shrink and fuzzers can steer.

use std::fmt::Write as _;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// Bytes that decide what is generated; zeros once they are used up.
pub struct Entropy<'a>(pub &'a [u8]);

impl Entropy<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// A number below `n`, which is at most 256.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    fn bits(&mut self) -> u64 {
        (0..8).fold(0, |bits, _| bits << 8 | u64::from(self.byte()))
    }
}

const STRINGS: [&str; 9] = [
    r#""""#,
    r#""x""#,
    r#""a longer text with nothing to escape in it""#,
    r#""é🚀""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\u0000\u001F""#,
    r#""\uD83D\uDE80""#,
    r#""\u007f<>&""#,
    r#""null""#,
];
const BASE64: [&str; 6] =
    [r#""""#, r#""QQ==""#, r#""QUI=""#, r#""QUJD""#, r#""-_-_""#, r#""+/+/""#];
const TIMES: [&str; 6] = [
    r#""1970-01-01T00:00:00Z""#,
    r#""0001-01-01T00:00:00Z""#,
    r#""9999-12-31T23:59:59.999999999Z""#,
    r#""2024-02-29T12:34:56.789Z""#,
    r#""1900-03-01T00:00:00+01:30""#,
    r#""1969-12-31T23:59:59.000001Z""#,
];
const SPANS: [&str; 6] =
    [r#""0s""#, r#""1.5s""#, r#""-0.5s""#, r#""315576000000s""#, r#""-3.000000001s""#, r#""100s""#];
const MASKS: [&str; 4] = [r#""""#, r#""a""#, r#""fooBar,baz.quxQuux""#, r#""a.b.c,d""#];

/// Appends an object with some of the message's fields, in some order.
pub fn object(message: &MessageDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    out.push('{');
    members(message, depth, from, out);
    out.push('}');
}

fn members(message: &MessageDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    let mut fields: Vec<FieldDescriptor> = message.fields().collect();
    let mut oneofs = Vec::new();
    let count = from.below(fields.len().min(12) + 1);
    let ordered = from.below(2) == 0;
    let mut first = true;
    for _ in 0..count {
        let at = if ordered { 0 } else { from.below(fields.len().max(1)) };
        if fields.is_empty() {
            break;
        }
        let field = fields.remove(at);
        if ordered && from.below(3) == 0 {
            continue;
        }
        if let Some(oneof) = field.containing_oneof() {
            if oneofs.contains(&oneof.full_name().to_owned()) {
                continue;
            }
            oneofs.push(oneof.full_name().to_owned());
        }
        if !std::mem::take(&mut first) {
            out.push_str(from.pick(&[",", ",", " , ", ",\n"]));
        }
        let name = if from.below(4) == 0 { field.name() } else { field.json_name() };
        write!(out, "\"{name}\":{}", from.pick(&["", "", " "])).unwrap();
        value(&field, depth, from, out);
    }
}

fn value(field: &FieldDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    if field.is_map() {
        map(field, depth, from, out);
    } else if field.is_list() {
        out.push('[');
        for n in 0..from.below(4) {
            if n > 0 {
                out.push(',');
            }
            single(&field.kind(), depth, from, out);
        }
        out.push(']');
    } else if from.below(16) == 0 {
        out.push_str("null");
    } else {
        single(&field.kind(), depth, from, out);
    }
}

fn map(field: &FieldDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    let Kind::Message(entry) = field.kind() else { return };
    let key = entry.map_entry_key_field().kind();
    out.push('{');
    let count = from.below(4);
    for n in 0..count {
        if n > 0 {
            out.push(',');
        }
        match key {
            Kind::String => write!(out, "\"key {n}\":"),
            Kind::Bool if n > 1 => {
                out.pop();
                break;
            }
            Kind::Bool => write!(out, "\"{}\":", n == 0),
            Kind::Int32 | Kind::Sint32 => write!(out, "\"{}\":", n as i64 - 1),
            _ => write!(out, "\"{}\":", n * 1_000_000_007),
        }
        .unwrap();
        single(&entry.map_entry_value_field().kind(), depth, from, out);
    }
    out.push('}');
}

/// One value of a kind.
fn single(kind: &Kind, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    match kind {
        Kind::String => out.push_str(from.pick(&STRINGS)),
        Kind::Bytes => out.push_str(from.pick(&BASE64)),
        Kind::Bool => out.push_str(from.pick(&["true", "false"])),
        Kind::Double | Kind::Float => float(kind, from, out),
        Kind::Enum(values) => enumeration(values, from, out),
        Kind::Message(message) => child(message, depth, from, out),
        _ => integer(kind, from, out),
    }
}

fn float(kind: &Kind, from: &mut Entropy<'_>, out: &mut String) {
    const SPECIAL: [&str; 9] =
        ["0", "-0.0", "1", "0.1", "1e10", "-2.5E-3", "\"NaN\"", "\"-Infinity\"", "\"1.5\""];
    if from.below(2) == 0 {
        return out.push_str(from.pick(&SPECIAL));
    }
    let bits = from.bits();
    if *kind == Kind::Float {
        let value = f32::from_bits(bits as u32);
        write!(out, "{:?}", if value.is_finite() { value } else { 1.5 }).unwrap();
    } else {
        let value = f64::from_bits(bits);
        write!(out, "{:?}", if value.is_finite() { value } else { 1.5 }).unwrap();
    }
}

fn integer(kind: &Kind, from: &mut Entropy<'_>, out: &mut String) {
    let (signed, wide) = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (true, false),
        Kind::Uint32 | Kind::Fixed32 => (false, false),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (true, true),
        _ => (false, true),
    };
    let shift = from.below(64);
    let bits = from.bits() >> shift;
    let text = match (signed, wide) {
        (true, false) => (bits as i32).to_string(),
        (false, false) => (bits as u32).to_string(),
        (true, true) => (bits as i64).to_string(),
        (false, true) => bits.to_string(),
    };
    match from.below(4) {
        0 => write!(out, "\"{text}\"").unwrap(),
        // Not where the oracle goes through a float and loses digits.
        1 if !wide => write!(out, "{text}.0").unwrap(),
        _ => out.push_str(&text),
    }
}

fn enumeration(values: &EnumDescriptor, from: &mut Entropy<'_>, out: &mut String) {
    if values.full_name() == "google.protobuf.NullValue" {
        return out.push_str("null");
    }
    let at = from.below(values.values().len());
    let value = values.values().nth(at).unwrap();
    match from.below(4) {
        0 => write!(out, "{}", value.number()).unwrap(),
        1 => write!(out, "{}", from.byte()).unwrap(),
        _ => write!(out, "\"{}\"", value.name()).unwrap(),
    }
}

fn child(message: &MessageDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    let depth = depth.saturating_sub(1);
    match message.full_name().strip_prefix("google.protobuf.") {
        Some("Timestamp") => out.push_str(from.pick(&TIMES)),
        Some("Duration") => out.push_str(from.pick(&SPANS)),
        Some("FieldMask") => out.push_str(from.pick(&MASKS)),
        Some("Struct") => {
            out.push('{');
            json_members(depth, from, out);
            out.push('}');
        }
        Some("ListValue") => {
            out.push('[');
            json(depth, from, out);
            out.push(']');
        }
        Some("Value") => json(depth, from, out),
        Some("Any") => any(message, depth, from, out),
        Some("Empty") => out.push_str("{}"),
        Some(wrapper) if wrapper.ends_with("Value") => {
            single(&message.fields().next().unwrap().kind(), depth, from, out);
        }
        _ if depth == 0 => out.push_str("{}"),
        _ => object(message, depth, from, out),
    }
}

fn any(message: &MessageDescriptor, depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    const TYPES: [&str; 4] = [
        "google.protobuf.Duration",
        "google.protobuf.Int64Value",
        "google.protobuf.Struct",
        "google.protobuf.Value",
    ];
    if from.below(2) == 0 {
        let name = from.pick(&TYPES);
        let inner = message.parent_pool().get_message_by_name(name).unwrap();
        write!(out, "{{\"@type\":\"type.googleapis.com/{name}\",\"value\":").unwrap();
        child(&inner, depth, from, out);
        return out.push('}');
    }
    let name = "codec.v1.Tree";
    let tree = message.parent_pool().get_message_by_name(name).unwrap();
    let mut inside = String::new();
    if depth > 0 {
        members(&tree, depth, from, &mut inside);
    }
    let url = format!("\"@type\":\"type.googleapis.com/{name}\"");
    let comma = if inside.is_empty() { "" } else { "," };
    if from.below(2) == 0 {
        write!(out, "{{{url}{comma}{inside}}}").unwrap();
    } else {
        write!(out, "{{{inside}{comma}{url}}}").unwrap();
    }
}

/// Any JSON.
fn json(depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    match from.below(if depth == 0 { 4 } else { 6 }) {
        0 => out.push_str("null"),
        1 => out.push_str(from.pick(&["true", "false"])),
        2 => out.push_str(from.pick(&STRINGS)),
        3 => out.push_str(from.pick(&["0", "-1.5", "1e100", "123456789"])),
        4 => {
            out.push('[');
            for n in 0..from.below(3) {
                out.push_str(if n > 0 { "," } else { "" });
                json(depth - 1, from, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            json_members(depth - 1, from, out);
            out.push('}');
        }
    }
}

fn json_members(depth: usize, from: &mut Entropy<'_>, out: &mut String) {
    for n in 0..from.below(3) {
        out.push_str(if n > 0 { "," } else { "" });
        write!(out, "\"member {n}\":").unwrap();
        json(depth, from, out);
    }
}
