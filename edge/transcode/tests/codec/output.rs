//! The wire to JSON.

use transcode::{
    ErrorKind, JsonOptions, Limits, Selection, WireError, any_to_json, wire_field_to_json,
    wire_to_json,
};

use super::{print_with, read_with, with};

fn print(message: &str, wire: &[u8]) -> String {
    print_with(message, wire, &JsonOptions::default())
        .unwrap_or_else(|e| panic!("{e}: {wire:02x?}"))
}

fn refused(message: &str, wire: &[u8]) -> WireError {
    match print_with(message, wire, &JsonOptions::default()) {
        Ok(json) => panic!("printed: {json}"),
        Err(error) => error,
    }
}

/// Each row is a message, its wire bytes and its JSON.
fn assert_printed(rows: &[(&str, &[u8], &str)]) {
    for (message, wire, json) in rows {
        assert_eq!(print(message, wire), *json, "{message}: {wire:02x?}");
    }
}

#[test]
fn the_last_scalar_counts_and_parts_of_messages_are_merged() {
    assert_printed(&[
        // The last of a singular scalar counts.
        ("Tree", b"\x0A\x01a\x0A\x01b", r#"{"name":"b"}"#),
        // Parts of a message are merged, also inside one another.
        ("Tree", b"\x22\x03\x0A\x01a\x22\x02\x10\x07", r#"{"only":{"name":"a","weight":7}}"#),
        (
            "Tree",
            b"\x22\x05\x22\x03\x0A\x01a\x22\x04\x22\x02\x10\x07",
            r#"{"only":{"only":{"name":"a","weight":7}}}"#,
        ),
        // Zeros of fields without presence are not there.
        ("Scalars", b"\x18\x00\x72\x00\x88\x01\x00", r#"{"maybeInt":0}"#),
    ]);
}

#[test]
fn lists_keep_their_order_across_other_fields_packed_or_not() {
    assert_printed(&[
        // Elements of a list keep their order across other fields.
        ("Tree", b"\x2A\x01a\x0A\x01x\x2A\x01b", r#"{"name":"x","tags":["a","b"]}"#),
        // Packed, not packed, and both.
        ("Lists", b"\x10\x01\x12\x02\x02\x03\x10\x04", r#"{"ints":[1,2,3,4]}"#),
        ("Lists", b"\x4A\x02\x01\x02", r#"{"loose":[1,2]}"#),
        ("Lists", b"\x12\x00", "{}"),
    ]);
}

#[test]
fn map_entries_have_defaults_and_the_last_value_of_a_key_counts() {
    assert_printed(&[
        // Maps: a missing key or value is the default, and the last value of a key counts.
        ("Maps", b"\x0A\x00", r#"{"labels":{"":""}}"#),
        (
            "Maps",
            b"\x12\x00\x1A\x00\x32\x00",
            r#"{"trees":{"0":{}},"grades":{"false":"GRADE_UNSPECIFIED"},"times":{"0":"1970-01-01T00:00:00Z"}}"#,
        ),
        (
            "Maps",
            b"\x0A\x06\x0A\x01a\x12\x011\x0A\x06\x0A\x01a\x12\x012",
            r#"{"labels":{"a":"2"}}"#,
        ),
        ("Maps", b"\x0A\x06\x12\x011\x0A\x01a", r#"{"labels":{"a":"1"}}"#),
        (
            "Maps",
            b"\x12\x0B\x08\x05\x12\x03\x0A\x01x\x12\x02\x10\x01",
            r#"{"trees":{"5":{"name":"x","weight":1}}}"#,
        ),
    ]);
}

#[test]
fn a_oneof_keeps_its_last_member() {
    assert_printed(&[
        // A oneof keeps its last member, and of that only what comes after the others.
        ("Choice", b"\x12\x01a\x18\x01", r#"{"number":1}"#),
        ("Choice", b"\x18\x01\x12\x01a", r#"{"text":"a"}"#),
        ("Choice", b"\x22\x03\x0A\x01x\x18\x01\x22\x02\x10\x01", r#"{"tree":{"weight":1}}"#),
        ("Choice", b"\x22\x03\x0A\x01x\x22\x02\x10\x01", r#"{"tree":{"name":"x","weight":1}}"#),
    ]);
}

#[test]
fn well_known_types_in_parts_are_put_together() {
    assert_printed(&[
        // A part that could not be printed alone: nanoseconds without seconds, an unknown type.
        (
            "WellKnown",
            b"\x12\x0B\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x12\x02\x08\x00",
            r#"{"span":"-0.000000001s"}"#,
        ),
        (
            "WellKnown",
            b"\x0A\x0B\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x0A\x02\x10\x00",
            r#"{"time":"1970-01-01T00:00:00Z"}"#,
        ),
        (
            "WellKnown",
            b"\x3A\x03\x0A\x01d\x3A\x12\x0A\x10/codec.v1.Choice",
            r#"{"any":{"@type":"/codec.v1.Choice"}}"#,
        ),
        // A value whose last member counts.
        ("WellKnown", b"\x2A\x04\x20\x01\x08\x00", r#"{"value":null}"#),
        ("WellKnown", b"\x2A\x00", r#"{"value":null}"#),
        (
            "WellKnown",
            b"\x22\x12\x0A\x07\x0A\x01a\x12\x02\x20\x01\x0A\x07\x0A\x01a\x12\x02\x20\x00",
            r#"{"structure":{"a":false}}"#,
        ),
    ]);
}

#[test]
fn unknown_fields_and_wrong_wire_types_are_passed_over() {
    // Field 100 in every wire type, a group with a field inside included.
    let unknown = b"\xA0\x06\x01\xA1\x06\0\0\0\0\0\0\0\0\xA2\x06\x01x\xA3\x06\x08\x01\xA4\x06\xA5\x06\0\0\0\0";
    let wire = [&b"\x0A\x01a"[..], unknown, b"\x10\x07"].concat();
    assert_eq!(print("Tree", &wire), r#"{"name":"a","weight":7}"#);
    // `weight` as bytes, `name` as a varint.
    assert_eq!(print("Tree", b"\x12\x01x\x08\x01"), "{}");
}

#[test]
fn malformed_messages_are_refused() {
    for wire in [
        &b"\x0A"[..],
        b"\x0A\x05a",
        b"\x0A\xFF\xFF\xFF\xFF\x0F",
        b"\x00",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F",
        b"\x0C",
        b"\xA3\x06\xAC\x06",
        b"\xA3\x06",
        b"\x0F",
        b"\x0A\x01\xFF",
        b"\x22\x02\x0A\x05",
        b"\xA5\x06\0",
        // A message in two parts, neither of which is one.
        b"\x22\x01\x10\x22\x01\x10",
    ] {
        assert!(matches!(refused("Tree", wire), WireError::Malformed(_)), "{wire:02x?}");
    }
    // 10000-01-01, negative nanoseconds, signs that differ, NaN in a Value, foo__bar in a mask.
    for wire in [
        &b"\x0A\x07\x08\x80\x83\xD1\xFF\xAF\x07"[..],
        b"\x0A\x0B\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        b"\x12\x0D\x08\x01\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        b"\x2A\x09\x11\0\0\0\0\0\0\xF8\x7F",
        b"\x1A\x0A\x0A\x08foo__bar",
    ] {
        assert!(matches!(refused("WellKnown", wire), WireError::Unprintable(_)), "{wire:02x?}");
    }
}

#[test]
fn nesting_is_bounded_and_disorder_costs_little() {
    let nest = |depth: usize, disorder: bool| {
        let mut wire = Vec::new();
        for _ in 0..depth {
            let mut outer = Vec::new();
            if disorder {
                outer.extend(b"\x10\x07");
            }
            outer.push(0x22);
            let mut len = wire.len();
            while len >= 0x80 {
                outer.push(len as u8 | 0x80);
                len >>= 7;
            }
            outer.push(len as u8);
            outer.extend(&wire);
            if disorder {
                outer.extend(b"\x10\x08");
            }
            wire = outer;
        }
        wire
    };
    print("Tree", &nest(99, false));
    assert!(matches!(refused("Tree", &nest(100, false)), WireError::Limit(_)));
    assert!(matches!(refused("Tree", &nest(10_000, false)), WireError::Limit(_)));
    // Every message out of order: were each level done twice, this would not end.
    let json = print("Tree", &nest(90, true));
    assert!(json.starts_with(r#"{"weight":8,"only":{"weight":8,"#));
}

#[test]
fn options_change_names_enums_and_defaults() {
    let wire = read_with(
        "Scalars",
        r#"{"grade":"GRADE_FAIL","title":"x","anInt64":"1"}"#,
        &JsonOptions::default(),
    );
    let wire = wire.unwrap();
    let names =
        JsonOptions { preserve_proto_names: true, enums_as_ints: true, ..JsonOptions::default() };
    let json = print_with("Scalars", &wire, &names).unwrap();
    assert_eq!(json, r#"{"an_int64":"1","grade":2,"other_name":"x"}"#);

    let defaults = JsonOptions { emit_defaults: true, ..JsonOptions::default() };
    assert_eq!(
        print_with("Tree", b"\x10\x07\x22\x00", &defaults).unwrap(),
        r#"{"name":"","weight":7,"children":[],"only":{"name":"","weight":0,"children":[],"tags":[]},"tags":[]}"#
    );
    assert_eq!(
        print_with("Maps", b"", &defaults).unwrap(),
        r#"{"labels":{},"trees":{},"grades":{},"numbers":{},"blobs":{},"times":{}}"#
    );
    // Oneof members and optional fields are absent, not zero.
    assert_eq!(print_with("Choice", b"", &defaults).unwrap(), r#"{"before":"","after":""}"#);
    let scalars = print_with("Scalars", b"\x0A\x00\x18\x00", &defaults).unwrap();
    assert!(
        scalars.starts_with(r#"{"aDouble":0,"aFloat":0,"anInt32":0,"anInt64":"0""#),
        "{scalars}"
    );
    assert!(scalars.contains(r#""grade":"GRADE_UNSPECIFIED","title":"""#), "{scalars}");
}

#[test]
fn an_any_of_an_unknown_type_survives_on_request() {
    let (url, value) = ("type.googleapis.com/no.such.Detail", b"\x0A\x01x");
    let print = |unknown_any_as_base64| {
        let options = JsonOptions { unknown_any_as_base64, ..JsonOptions::default() };
        with("All", |schema, _| {
            let mut out = Vec::new();
            any_to_json(schema, url, value, &options, &mut out).map(|()| out)
        })
    };
    assert_eq!(print(false), Err(WireError::UnknownType("no.such.Detail".to_owned())));
    let json = String::from_utf8(print(true).unwrap()).unwrap();
    assert_eq!(json, format!(r#"{{"@type":"{url}","value":"CgF4"}}"#));
}

#[test]
fn one_field_can_be_the_whole_text() {
    let print = |message: &str, number, wire: &[u8]| {
        with(message, |schema, index| {
            let mut out = Vec::new();
            wire_field_to_json(schema, index, number, wire, &JsonOptions::default(), &mut out)
                .map(|()| String::from_utf8(out).unwrap())
        })
        .unwrap()
    };
    let tree = b"\x0A\x01a\x10\x07\x2A\x01x\x2A\x01y";
    assert_eq!(print("Tree", 1, tree), r#""a""#);
    assert_eq!(print("Tree", 2, tree), "7");
    assert_eq!(print("Tree", 5, tree), r#"["x","y"]"#);
    assert_eq!(print("Tree", 4, tree), "{}");
    assert_eq!(print("Tree", 3, tree), "[]");
    assert_eq!(print("Tree", 1, b""), r#""""#);
    assert_eq!(print("Tree", 5, b"\x2A\x01a\x0A\x01x\x2A\x01b"), r#"["a","b"]"#);
    assert_eq!(
        print("Tree", 4, b"\x22\x02\x10\x01\x22\x03\x0A\x01x"),
        r#"{"name":"x","weight":1}"#
    );
    assert_eq!(print("Choice", 2, b"\x12\x01a\x18\x01"), r#""""#);
    assert_eq!(print("Maps", 1, b""), "{}");
    assert_eq!(print("Maps", 1, b"\x0A\x06\x0A\x01k\x12\x01v"), r#"{"k":"v"}"#);
    assert_eq!(print("Lists", 2, b"\x12\x00"), "[]");
    assert_eq!(print("WellKnown", 1, b""), "null");
    assert_eq!(print("WellKnown", 4, b""), "{}");
}

#[test]
fn a_selection_leaves_the_rest_out() {
    let json = r#"{"scalars":{"aString":"x","aBool":true},"lists":{"trees":[{"name":"a","weight":1},
        {"name":"b"}],"ints":[1]},"maps":{"trees":{"1":{"name":"c","weight":2}}},"choice":{"text":"t"}}"#;
    let wire = read_with("All", json, &JsonOptions::default()).unwrap();
    let print = |paths: &str| {
        with("All", |schema, index| {
            let selection = Selection::parse(schema, index, paths)?;
            let mut out = Vec::new();
            let options = JsonOptions::default();
            wire_to_json(schema, index, &wire, &options, Some(&selection), &mut out).unwrap();
            Ok::<_, transcode::FieldError>(String::from_utf8(out).unwrap())
        })
    };
    assert_eq!(print("choice").unwrap(), r#"{"choice":{"text":"t"}}"#);
    assert_eq!(
        print("lists.trees.name,scalars.aBool,maps.trees.weight").unwrap(),
        r#"{"scalars":{"aBool":true},"lists":{"trees":[{"name":"a"},{"name":"b"}]},"maps":{"trees":{"1":{"weight":2}}}}"#
    );
    assert_eq!(print("choice,choice.number").unwrap(), r#"{"choice":{"text":"t"}}"#);
    assert_eq!(print("choice.number,choice").unwrap(), r#"{"choice":{"text":"t"}}"#);
    assert_eq!(print("*").unwrap().len(), print("scalars,lists,maps,choice").unwrap().len());
    for bad in
        ["", "nope", "choice.", "choice..text", "choice.text.x", "well_known.time.seconds", "a,"]
    {
        assert_eq!(print(bad).unwrap_err().kind(), ErrorKind::UnknownField, "{bad}");
    }
}

#[test]
fn limits_hold() {
    let print = |limits| {
        let options = JsonOptions { limits, emit_defaults: true, ..JsonOptions::default() };
        print_with("Tree", &b"\x1A\x00".repeat(50), &options)
    };
    assert!(print(Limits::default()).is_ok());
    for limits in [
        Limits { output_bytes: 1000, ..Limits::default() },
        Limits { input_bytes: 99, ..Limits::default() },
        Limits { elements: 49, ..Limits::default() },
        Limits { depth: 1, ..Limits::default() },
    ] {
        assert!(matches!(print(limits), Err(WireError::Limit(_))), "{limits:?}");
    }
}
