//! JSON to the wire.

use bytes::BytesMut;
use prost_reflect::DynamicMessage;
use transcode::{Bindings, ErrorKind, FieldError, JsonOptions, Limits, json_paths, json_to_wire};

use super::{canonical, payloads, read_with, refusal, with};

#[test]
fn scalars_are_read_in_every_form_they_may_have() {
    for (text, printed) in [
        (r#"{"anInt32":"12"}"#, r#"{"anInt32":12}"#),
        (r#"{"anInt32":1e5}"#, r#"{"anInt32":100000}"#),
        (r#"{"anInt32":-0}"#, "{}"),
        (r#"{"anInt64":9007199254740993}"#, r#"{"anInt64":"9007199254740993"}"#),
        (r#"{"aUint64":"18446744073709551615"}"#, r#"{"aUint64":"18446744073709551615"}"#),
        (r#"{"aSint32":-2147483648,"aSint64":"-1"}"#, r#"{"aSint32":-2147483648,"aSint64":"-1"}"#),
        (r#"{"aFixed64":5,"aSfixed32":-5}"#, r#"{"aFixed64":"5","aSfixed32":-5}"#),
        (r#"{"aDouble":"1.5","aFloat":0.1}"#, r#"{"aDouble":1.5,"aFloat":0.1}"#),
        (r#"{"aDouble":"NaN","aFloat":"-Infinity"}"#, r#"{"aDouble":"NaN","aFloat":"-Infinity"}"#),
        (r#"{"aFloat":1e-50}"#, "{}"),
        (r#"{"grade":2}"#, r#"{"grade":"GRADE_FAIL"}"#),
        (r#"{"grade":"GRADE_OK"}"#, r#"{"grade":"GRADE_PASS"}"#),
        (r#"{"grade":77}"#, r#"{"grade":77}"#),
        (r#"{"someBytes":"-_-_"}"#, r#"{"someBytes":"+/+/"}"#),
        (r#"{"someBytes":"Q\u0051=="}"#, r#"{"someBytes":"QQ=="}"#),
        (r#"{"maybeInt":0,"maybeString":""}"#, r#"{"maybeInt":0,"maybeString":""}"#),
        (r#"{"aString":"","aBool":false,"anInt32":0}"#, "{}"),
        (r#"{"aString":null,"grade":null,"maybeInt":null}"#, "{}"),
        (r#"{"\u0061String":"\uD83D\uDE80"}"#, r#"{"aString":"🚀"}"#),
        (r#"{"other_name":"x"}"#, r#"{"title":"x"}"#),
        (" {\n\t\"aBool\" : true\r} ", r#"{"aBool":true}"#),
    ] {
        assert_eq!(canonical("Scalars", text), printed, "{text}");
    }
    // Minus zero is not the default.
    let wire = read_with("Scalars", r#"{"aDouble":-0.0}"#, &JsonOptions::default()).unwrap();
    assert_eq!(wire, [0x09, 0, 0, 0, 0, 0, 0, 0, 0x80]);
}

#[test]
fn wrong_scalars_are_refused_with_their_field() {
    for (text, path, kind) in [
        (r#"{"anInt32":0.5}"#, "anInt32", ErrorKind::Type),
        (r#"{"anInt32":2147483648}"#, "anInt32", ErrorKind::Range),
        (r#"{"aUint32":-1}"#, "aUint32", ErrorKind::Range),
        (r#"{"anInt32":""}"#, "anInt32", ErrorKind::Type),
        (r#"{"anInt32":" 1"}"#, "anInt32", ErrorKind::Type),
        (r#"{"anInt32":"01"}"#, "anInt32", ErrorKind::Type),
        (r#"{"anInt32":true}"#, "anInt32", ErrorKind::Type),
        (r#"{"anInt32":01}"#, "anInt32", ErrorKind::Syntax),
        (r#"{"aDouble":1e400}"#, "aDouble", ErrorKind::Range),
        (r#"{"aDouble":NaN}"#, "aDouble", ErrorKind::Type),
        (r#"{"aBool":1}"#, "aBool", ErrorKind::Type),
        (r#"{"aBool":"true"}"#, "aBool", ErrorKind::Type),
        (r#"{"aString":12}"#, "aString", ErrorKind::Type),
        (r#"{"aString":["a"]}"#, "aString", ErrorKind::Type),
        (r#"{"aString":"\uDE80"}"#, "aString", ErrorKind::Syntax),
        (r#"{"someBytes":"QQ= ="}"#, "someBytes", ErrorKind::Type),
        ("{\"someBytes\":\"QU\nJD\"}", "someBytes", ErrorKind::Syntax),
        ("{\"someBytes\":\"QU\nJD\\u0051\"}", "someBytes", ErrorKind::Syntax),
        ("{\"someBytes\":\"QUJD", "someBytes", ErrorKind::Syntax),
        (r#"{"grade":"grade_pass"}"#, "grade", ErrorKind::Type),
        (r#"{"grade":1.5}"#, "grade", ErrorKind::Type),
        (r#"{"nope":1}"#, "nope", ErrorKind::UnknownField),
        (r#"{"aBool":true,"aBool":true}"#, "aBool", ErrorKind::Duplicate),
        (r#"{"title":"a","other_name":"b"}"#, "title", ErrorKind::Duplicate),
        (r#"{"aBool":null,"aBool":true}"#, "aBool", ErrorKind::Duplicate),
    ] {
        let error = refusal("Scalars", text);
        assert_eq!((error.path(), error.kind()), (path, kind), "{text}: {error}");
    }
}

#[test]
fn only_one_json_object_is_a_message() {
    for text in [
        "",
        " ",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{",
        "{}x",
        "{}{}",
        "{,}",
        r#"{"aBool":true,}"#,
        "{'aBool':true}",
        "{aBool:true}",
        "{\u{c}}",
        r#"{"aBool" true}"#,
        r#"{"aBool":tru}"#,
        r#"{"aBool":truex}"#,
        "// x\n{}",
        "\u{feff}{}",
    ] {
        refusal("Scalars", text);
    }
    let error = with("Scalars", |schema, index| {
        let mut out = bytes::BytesMut::new();
        let bindings = transcode::Bindings::new();
        let json = Some(&b"{\"aString\":\"\xFF\"}"[..]);
        transcode::json_to_wire(schema, index, json, &bindings, &JsonOptions::default(), &mut out)
    });
    assert_eq!(error.unwrap_err().offset(), Some(12));
}

#[test]
fn lists_and_maps_name_the_element_that_is_wrong() {
    assert_eq!(canonical("Lists", r#"{"ints":[],"strings":null}"#), "{}");
    assert_eq!(canonical("Lists", r#"{"loose":[1,0,"2"]}"#), r#"{"loose":[1,0,2]}"#);
    assert_eq!(
        canonical("Maps", r#"{"trees":{"-5":{"name":"x"}}}"#),
        r#"{"trees":{"-5":{"name":"x"}}}"#
    );
    for (message, text, path, kind) in [
        ("Lists", r#"{"ints":[1,[2]]}"#, "ints[1]", ErrorKind::Type),
        ("Lists", r#"{"ints":[1,null]}"#, "ints[1]", ErrorKind::Type),
        ("Lists", r#"{"trees":[{},{"tags":["",7]}]}"#, "trees[1].tags[1]", ErrorKind::Type),
        ("Lists", r#"{"ints":1}"#, "ints", ErrorKind::Type),
        ("Maps", r#"{"labels":{"a":null}}"#, r#"labels["a"]"#, ErrorKind::Type),
        (
            "Maps",
            r#"{"labels":{"a":"1","\u0061":"2"}}"#,
            r#"labels["\\u0061"]"#,
            ErrorKind::Duplicate,
        ),
        ("Maps", r#"{"trees":{"1":{},"1.0":{}}}"#, r#"trees["1.0"]"#, ErrorKind::Duplicate),
        ("Maps", r#"{"trees":{"x":{}}}"#, r#"trees["x"]"#, ErrorKind::Type),
        (
            "Maps",
            r#"{"trees":{"1":{"only":{"weight":"w"}}}}"#,
            r#"trees["1"].only.weight"#,
            ErrorKind::Type,
        ),
        ("Maps", r#"{"grades":{"True":1}}"#, r#"grades["True"]"#, ErrorKind::Type),
        ("Maps", r#"{"labels":["a"]}"#, "labels", ErrorKind::Type),
    ] {
        let error = refusal(message, text);
        assert_eq!((error.path(), error.kind()), (path, kind), "{text}: {error}");
    }
    let keys: Vec<String> = (0..500).map(|n| format!("\"key {n}\":\"\"")).collect();
    let map = |more: &str| format!(r#"{{"labels":{{{}{more}}}}}"#, keys.join(","));
    canonical("Maps", &map(""));
    assert_eq!(refusal("Maps", &map(r#","key 250":"""#)).kind(), ErrorKind::Duplicate);
}

#[test]
fn a_oneof_has_one_member() {
    assert_eq!(canonical("Choice", r#"{"number":0}"#), r#"{"number":0}"#);
    assert_eq!(canonical("Choice", r#"{"nothing":null}"#), r#"{"nothing":null}"#);
    assert_eq!(canonical("Choice", r#"{"text":null,"number":1}"#), r#"{"number":1}"#);
    assert_eq!(canonical("Choice", r#"{"text":"a","flag":false}"#), r#"{"text":"a","flag":false}"#);
    for text in [r#"{"text":"a","number":1}"#, r#"{"tree":{},"nothing":null}"#] {
        assert_eq!(refusal("Choice", text).kind(), ErrorKind::Conflict, "{text}");
    }
}

#[test]
fn well_known_types_have_their_own_forms() {
    let url = "type.googleapis.com";
    for (text, printed) in [
        (r#"{"structure":{"a":[null,true,{"b":1}]}}"#.to_owned(), None),
        (
            r#"{"value":null,"list":[],"nothing":null}"#.to_owned(),
            Some(r#"{"value":null,"list":[]}"#.to_owned()),
        ),
        (r#"{"values":[null,1,"x",{},[]]}"#.to_owned(), None),
        (r#"{"stringWrapper":"","boolWrapper":false,"int64Wrapper":"5"}"#.to_owned(), None),
        (
            r#"{"mask":"fooBar,a.b","span":"-0.500s","empty":{}}"#.to_owned(),
            Some(r#"{"span":"-0.500s","mask":"fooBar,a.b","empty":{}}"#.to_owned()),
        ),
        (
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Duration","value":"1.500s"}}}}"#),
            None,
        ),
        (
            format!(r#"{{"any":{{"name":"x","@type":"{url}/codec.v1.Tree"}}}}"#),
            Some(format!(r#"{{"any":{{"@type":"{url}/codec.v1.Tree","name":"x"}}}}"#)),
        ),
        (format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Empty"}}}}"#), None),
        (r#"{"any":{}}"#.to_owned(), None),
    ] {
        assert_eq!(canonical("WellKnown", &text), printed.unwrap_or(text.clone()), "{text}");
    }
    for (text, path) in [
        (r#"{"time":{"seconds":1}}"#, "time"),
        (r#"{"time":"2023-02-29T00:00:00Z"}"#, "time"),
        (r#"{"times":["2024-01-01T00:00:00Z","x"]}"#, "times[1]"),
        (r#"{"stringWrapper":{"value":"x"}}"#, "stringWrapper"),
        (r#"{"longs":[null]}"#, "longs[0]"),
        (r#"{"mask":"foo_bar"}"#, "mask"),
        (r#"{"structure":{"a":1,"a":2}}"#, r#"structure["a"]"#),
        (r#"{"structure":{"a":[1e999]}}"#, r#"structure["a"][0]"#),
        (r#"{"any":{"name":"x"}}"#, "any"),
        (r#"{"any":{"@type":"codec.v1.Tree"}}"#, "any.@type"),
        (r#"{"any":{"@type":"x/no.such.Type"}}"#, "any.@type"),
        (r#"{"any":{"@type":"x/codec.v1.Tree","weight":"w"}}"#, "any.weight"),
        (r#"{"any":{"@type":"x/codec.v1.Tree","@type":"x/codec.v1.Tree"}}"#, "any.@type"),
        (r#"{"any":{"@type":"x/google.protobuf.Duration","value":1}}"#, "any.value"),
        (r#"{"any":{"@type":"x/google.protobuf.Duration"}}"#, "any"),
    ] {
        let error = refusal("WellKnown", text);
        assert_eq!(error.path(), path, "{text}: {error}");
    }
}

#[test]
fn unknown_members_are_skipped_on_request() {
    let options = JsonOptions { ignore_unknown_fields: true, ..JsonOptions::default() };
    let read = |message, json| read_with(message, json, &options);
    assert_eq!(
        read("Scalars", r#"{"nope":{"a":[1,{"b":null}]},"aBool":true}"#).unwrap(),
        [0x68, 1]
    );
    assert_eq!(read("Lists", r#"{"grades":["NOPE",2]}"#).unwrap(), [0x3A, 1, 2]);
    assert_eq!(read("Maps", r#"{"grades":{"true":"NOPE"}}"#).unwrap(), Vec::<u8>::new());
    // What is skipped has to be JSON all the same, and not too deep.
    for bad in [r#"{"nope":01}"#, r#"{"nope":"\x"}"#, r#"{"nope":[}"#] {
        assert_eq!(read("Scalars", bad).unwrap_err().kind(), ErrorKind::Syntax, "{bad}");
    }
    let deep = format!(r#"{{"nope":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read("Scalars", &deep).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| {
        format!("{}{}", r#"{"only":"#.repeat(depth), "{}".to_owned() + &"}".repeat(depth))
    };
    canonical("Tree", &nested(99));
    assert_eq!(refusal("Tree", &nested(100)).kind(), ErrorKind::Limit);
    let value = |depth: usize| format!(r#"{{"value":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    // Each is a ListValue in a Value.
    canonical("WellKnown", &value(49));
    assert_eq!(refusal("WellKnown", &value(50)).kind(), ErrorKind::Limit);
    let any = |depth: usize| {
        let open = r#"{"@type":"x/google.protobuf.Any","value":"#;
        format!(r#"{{"any":{}{}{}}}"#, open.repeat(depth), "{}", "}".repeat(depth))
    };
    canonical("WellKnown", &any(50));
    assert_eq!(refusal("WellKnown", &any(100)).kind(), ErrorKind::Limit);

    // Types that come last are looked for, but not over and over.
    let late = |depth: usize| {
        let (open, close) = (r#"{"value":"#, r#","@type":"x/google.protobuf.Any"}"#);
        format!(r#"{{"any":{}{}{}}}"#, open.repeat(depth), "{}", close.repeat(depth))
    };
    canonical("WellKnown", &late(10));
    assert_eq!(refusal("WellKnown", &late(90)).kind(), ErrorKind::Limit);

    let limits = Limits { elements: 4, input_bytes: 40, output_bytes: 12, ..Limits::default() };
    let options = JsonOptions { limits, ..JsonOptions::default() };
    let kind = |message, json| read_with(message, json, &options).map_err(|e| e.kind());
    assert!(kind("Lists", r#"{"ints":[1,2,3]}"#).is_ok());
    assert_eq!(kind("Lists", r#"{"ints":[1,2,3,4]}"#), Err(ErrorKind::Limit));
    assert_eq!(kind("Scalars", r#"{"aString":"0123456789abc"}"#), Err(ErrorKind::Limit));
    // Not read to its end, which is malformed, and not written either.
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    let bounded = JsonOptions { limits, ..JsonOptions::default() };
    let members: String = (0..200).map(|n| format!(r#""{n}":1,"#)).collect();
    for many in [format!("[{}x", "1,".repeat(200)), format!("{{{members}x")] {
        let long = format!(r#"{{"value":{many}"#);
        let refused = read_with("WellKnown", &long, &bounded).map_err(|e| e.kind());
        assert_eq!(refused, Err(ErrorKind::Limit), "{long}");
    }
    assert_eq!(kind("Scalars", &" ".repeat(41)), Err(ErrorKind::Limit));
}

#[test]
fn long_messages_get_long_lengths() {
    let tag = format!("\"{}\"", "x".repeat(300));
    let inner = format!(r#"{{"tags":[{tag},{tag}],"only":{{"tags":[{tag}]}}}}"#);
    let text = format!(r#"{{"only":{{"only":{inner},"tags":[{tag}]}},"tags":[]}}"#);
    let back = canonical("Tree", &text);
    let value: serde_json::Value = serde_json::from_str(&back).unwrap();
    assert_eq!(value["only"]["only"]["only"]["tags"][0].as_str().unwrap().len(), 300);
    let escaped = format!(r#"{{"aString":"{}"}}"#, r"\n".repeat(20_000));
    assert_eq!(canonical("Scalars", &escaped), escaped);
}

#[test]
fn the_paths_of_a_text_make_an_update_mask() {
    let paths = |json: &str| {
        with("All", |schema, index| {
            json_paths(schema, index, json.as_bytes(), &JsonOptions::default())
        })
    };
    assert_eq!(
        paths(r#"{"scalars":{"title":"x","anInt32":0,"maybeInt":null},"choice":{"tree":{}},"lists":null,
                  "maps":{"labels":{"a":"b"}},"wellKnown":{"time":"x"},"more":[{"scalars":{}}]}"#)
        .unwrap(),
        [
            "choice.tree", "lists", "maps.labels", "more", "scalars.an_int32", "scalars.maybe_int",
            "scalars.other_name", "well_known.time",
        ]
    );
    assert!(paths("{}").unwrap().is_empty());
    assert_eq!(paths(r#"{"scalars":{"nope":1}}"#).unwrap_err().path(), "scalars.nope");
    assert!(paths("[]").is_err());
}

/// A receiver reads messages a hundred deep, and a level of a `Struct` is three of them.
#[test]
fn what_a_receiver_cannot_read_is_refused() {
    let pool = prost_reflect::DescriptorPool::decode(payloads::descriptors().as_slice()).unwrap();
    let receiver = pool.get_message_by_name("codec.v1.WellKnown").unwrap();
    for (field, open, close, least) in [
        ("value", "{\"a\":", "}", 31),
        ("structure", "{\"a\":", "}", 31),
        ("value", "[", "]", 45),
        ("list", "[", "]", 45),
    ] {
        let json = |levels| {
            let (open, close) = (open.repeat(levels), close.repeat(levels));
            format!("{{\"{field}\":{open}1{close}}}")
        };
        let write = |levels: usize| {
            with("WellKnown", |schema, index| {
                let (mut wire, options) = (BytesMut::new(), JsonOptions::default());
                let (json, bindings) = (json(levels), Bindings::new());
                json_to_wire(schema, index, Some(json.as_bytes()), &bindings, &options, &mut wire)?;
                Ok::<_, FieldError>(wire)
            })
        };
        let first_refused = (1..110).find(|&levels| write(levels).is_err()).unwrap();
        assert!(first_refused > least, "{field} {open}: {first_refused} levels are refused");
        assert_eq!(write(first_refused).unwrap_err().kind(), ErrorKind::Limit);
        let deepest = write(first_refused - 1).unwrap();
        DynamicMessage::decode(receiver.clone(), deepest.freeze()).unwrap();
    }
}
