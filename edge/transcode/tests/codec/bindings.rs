//! Values from path and query beside those of the body.

use bytes::BytesMut;
use transcode::{
    Bindings, ErrorKind, FieldError, JsonOptions, json_field_to_wire, json_to_wire, wire_to_json,
};

use super::with;

/// Where the body goes.
enum Body<'a> {
    None,
    Whole(&'a str),
    Field(&'a str, Option<&'a str>),
}

/// The canonical text of `codec.v1.All` made of a body and of `path=text` bindings.
fn bound(texts: &[(&str, &str)], body: Body<'_>) -> Result<String, FieldError> {
    with("All", |schema, index| {
        let mut bindings = Bindings::new();
        for (path, text) in texts {
            let (name, key) = match path.split_once('[') {
                Some((name, key)) => (name, Some(key.trim_end_matches(']'))),
                None => (*path, None),
            };
            let (path, _) = schema.resolve(index, name.split('.')).unwrap();
            match key {
                Some(key) => bindings.add_map_entry(schema, index, &path, key, text)?,
                None => bindings.add_text(schema, index, &path, text)?,
            }
            assert!(bindings.contains(&path) && bindings.contains(&path[..1]));
        }
        let (mut wire, options) = (BytesMut::new(), JsonOptions::default());
        match body {
            Body::None => json_to_wire(schema, index, None, &bindings, &options, &mut wire),
            Body::Whole(json) => {
                let json = Some(json.as_bytes());
                json_to_wire(schema, index, json, &bindings, &options, &mut wire)
            }
            Body::Field(name, json) => {
                let number = schema.message(index).field_by_name(name).unwrap().number();
                let json = json.map(str::as_bytes);
                json_field_to_wire(schema, index, number, json, &bindings, &options, &mut wire)
            }
        }?;
        let mut out = Vec::new();
        wire_to_json(schema, index, &wire, &options, None, &mut out).unwrap();
        Ok(String::from_utf8(out).unwrap())
    })
}

#[test]
fn text_is_converted_to_the_field() {
    for (path, text, json) in [
        ("scalars.a_string", "a b", r#"{"scalars":{"aString":"a b"}}"#),
        ("scalars.a_string", "", r#"{"scalars":{}}"#),
        ("scalars.maybe_string", "", r#"{"scalars":{"maybeString":""}}"#),
        ("scalars.an_int32", "1.0", r#"{"scalars":{"anInt32":1}}"#),
        ("scalars.a_sint64", "-7", r#"{"scalars":{"aSint64":"-7"}}"#),
        ("scalars.a_double", "NaN", r#"{"scalars":{"aDouble":"NaN"}}"#),
        ("scalars.a_bool", "true", r#"{"scalars":{"aBool":true}}"#),
        ("scalars.grade", "GRADE_OK", r#"{"scalars":{"grade":"GRADE_PASS"}}"#),
        ("scalars.grade", "-1", r#"{"scalars":{"grade":"GRADE_VOID"}}"#),
        ("scalars.some_bytes", "-_-_", r#"{"scalars":{"someBytes":"+/+/"}}"#),
        ("choice.number", "0", r#"{"choice":{"number":0}}"#),
        (
            "well_known.time",
            "2024-02-29T00:00:00Z",
            r#"{"wellKnown":{"time":"2024-02-29T00:00:00Z"}}"#,
        ),
        ("well_known.span", "-0.5s", r#"{"wellKnown":{"span":"-0.500s"}}"#),
        ("well_known.mask", "a,b.cD", r#"{"wellKnown":{"mask":"a,b.cD"}}"#),
        ("well_known.string_wrapper", "", r#"{"wellKnown":{"stringWrapper":""}}"#),
        ("well_known.bool_wrapper", "false", r#"{"wellKnown":{"boolWrapper":false}}"#),
        ("well_known.int64_wrapper", "5", r#"{"wellKnown":{"int64Wrapper":"5"}}"#),
        ("well_known.float_wrapper", "2.5", r#"{"wellKnown":{"floatWrapper":2.5}}"#),
        ("maps.labels[a.b]", "x", r#"{"maps":{"labels":{"a.b":"x"}}}"#),
        ("maps.numbers[7]", "0", r#"{"maps":{"numbers":{"7":0}}}"#),
        (
            "maps.times[-7]",
            "1970-01-01T00:00:00Z",
            r#"{"maps":{"times":{"-7":"1970-01-01T00:00:00Z"}}}"#,
        ),
    ] {
        assert_eq!(bound(&[(path, text)], Body::None).unwrap(), json, "{path}={text}");
    }
}

#[test]
fn wrong_text_names_the_field() {
    for (path, text) in [
        ("scalars.an_int32", ""),
        ("scalars.an_int32", "+7"),
        ("scalars.an_int32", "007"),
        ("scalars.an_int32", "0x10"),
        ("scalars.an_int32", "2147483648"),
        ("scalars.a_uint64", "-1"),
        ("scalars.a_bool", "True"),
        ("scalars.a_bool", ""),
        ("scalars.a_double", "1e400"),
        ("scalars.grade", "grade_ok"),
        ("scalars.some_bytes", "@@@"),
        ("scalars.some_bytes", "+/=="),
        ("scalars", "x"),
        ("maps.labels", "x"),
        ("well_known.value", "1"),
        ("well_known.any", "{}"),
        ("well_known.time", "2024-01-01t00:00:00z"),
        ("well_known.time.seconds", "5"),
        ("well_known.string_wrapper.value", "x"),
        ("more.scalars", "x"),
    ] {
        let resolved = with("All", |schema, index| schema.resolve(index, path.split('.')).is_ok());
        if resolved {
            assert_eq!(
                bound(&[(path, text)], Body::None).unwrap_err().path(),
                path,
                "{path}={text}"
            );
        }
    }
    let error = bound(&[("maps.trees[5]", "x")], Body::None).unwrap_err();
    assert_eq!(error.path(), "maps.trees");
    let error = bound(&[("lists.ints[5]", "x")], Body::None).unwrap_err();
    assert_eq!(error.path(), "lists.ints");
}

#[test]
fn messages_on_the_way_are_opened_once() {
    let texts = [
        ("choice.tree.name", "n"),
        ("scalars.a_string", "s"),
        ("choice.before", "b"),
        ("choice.tree.only.weight", "5"),
        ("lists.ints", "3"),
        ("lists.ints", "1"),
        ("lists.strings", "x"),
        ("lists.strings", ""),
    ];
    assert_eq!(
        bound(&texts, Body::None).unwrap(),
        r#"{"scalars":{"aString":"s"},"lists":{"ints":[3,1],"strings":["x",""]},"choice":{"before":"b","tree":{"name":"n","only":{"weight":5}}}}"#
    );
    let long = "x".repeat(200);
    let json = bound(&[("choice.tree.name", long.as_str())], Body::None).unwrap();
    assert_eq!(json, format!(r#"{{"choice":{{"tree":{{"name":"{long}"}}}}}}"#));
}

#[test]
fn bindings_fill_in_what_the_body_leaves_out() {
    let texts = [("choice.tree.name", "n"), ("scalars.a_string", "s")];
    for body in [
        r#"{"choice":{"tree":{"weight":2},"after":"a"},"scalars":{"aBool":true}}"#,
        r#"{"scalars":{"aBool":true,"aString":"s"},"choice":{"after":"a","tree":{"weight":2,"name":"n"}}}"#,
        r#"{"scalars":{"aBool":true,"aString":null},"choice":{"after":"a","tree":{"weight":2,"name":null}}}"#,
    ] {
        assert_eq!(
            bound(&texts, Body::Whole(body)).unwrap(),
            r#"{"scalars":{"aBool":true,"aString":"s"},"choice":{"tree":{"name":"n","weight":2},"after":"a"}}"#,
            "{body}"
        );
    }
    let json = bound(&texts, Body::Whole(r#"{"choice":null}"#)).unwrap();
    assert_eq!(json, r#"{"scalars":{"aString":"s"},"choice":{"tree":{"name":"n"}}}"#);
}

#[test]
fn two_values_for_a_field_are_a_conflict() {
    for (texts, body, path) in [
        (&[("scalars.a_string", "s")][..], r#"{"scalars":{"aString":"other"}}"#, "scalars.aString"),
        (&[("scalars.a_string", "s")], r#"{"scalars":{"aString":""}}"#, "scalars.aString"),
        (&[("scalars.an_int32", "0")], r#"{"scalars":{"anInt32":1}}"#, "scalars.anInt32"),
        (&[("choice.tree.name", "n")], r#"{"choice":{"tree":{"name":"m"}}}"#, "choice.tree.name"),
        (&[("choice.text", "a")], r#"{"choice":{"number":1}}"#, "choice.text"),
        (&[("choice.tree.name", "a")], r#"{"choice":{"number":1}}"#, "choice.tree"),
        (&[("lists.ints", "1")], r#"{"lists":{"ints":[1]}}"#, "lists.ints"),
        (&[("maps.labels[a]", "1")], r#"{"maps":{"labels":{"a":"1"}}}"#, "maps.labels"),
        (&[("scalars.a_string", "a"), ("scalars.a_string", "b")], "{}", "scalars.a_string"),
        (&[("choice.text", "a"), ("choice.number", "1")], "{}", "choice.number"),
    ] {
        let error = bound(texts, Body::Whole(body)).unwrap_err();
        assert_eq!((error.path(), error.kind()), (path, ErrorKind::Conflict), "{error}: {body}");
    }
    let twice = [("maps.labels[a]", "1"), ("maps.labels[a]", "2")];
    assert_eq!(bound(&twice, Body::None).unwrap_err().kind(), ErrorKind::Duplicate);
    // The same value twice says nothing new.
    let same = [("scalars.an_int32", "1"), ("scalars.an_int32", "1.0")];
    assert_eq!(bound(&same, Body::None).unwrap(), r#"{"scalars":{"anInt32":1}}"#);
}

#[test]
fn the_body_can_be_one_field() {
    for (name, body, json) in [
        ("scalars", Some(r#"{"aBool":true}"#), r#"{"scalars":{"aBool":true}}"#),
        ("scalars", None, r#"{"scalars":{}}"#),
        ("more", Some(r#"[{},{"scalars":{}}]"#), r#"{"more":[{},{"scalars":{}}]}"#),
        ("more", Some("[]"), "{}"),
        ("more", None, "{}"),
    ] {
        assert_eq!(bound(&[], Body::Field(name, body)).unwrap(), json, "{name} {body:?}");
    }
    let texts = [("scalars.a_string", "s"), ("choice.text", "t")];
    let json = bound(&texts, Body::Field("scalars", Some(r#"{"aBool":true}"#))).unwrap();
    assert_eq!(json, r#"{"scalars":{"aBool":true,"aString":"s"},"choice":{"text":"t"}}"#);
    let json = bound(&texts, Body::Field("scalars", None)).unwrap();
    assert_eq!(json, r#"{"scalars":{"aString":"s"},"choice":{"text":"t"}}"#);
    for (name, body, path) in [
        ("scalars", "null", "scalars"),
        ("scalars", "[]", "scalars"),
        ("scalars", r#"{"aString":"other"}"#, "scalars.aString"),
        ("scalars", "{} {}", ""),
        ("more", "{}", "more"),
    ] {
        let error = bound(&texts, Body::Field(name, Some(body))).unwrap_err();
        assert_eq!(error.path(), path, "{error}: {body}");
    }
}

#[test]
fn encoded_content_is_bound_as_it_is() {
    with("All", |schema, index| {
        let mut bindings = Bindings::new();
        let add = |bindings: &mut Bindings, path: &[u32], content: &[u8]| {
            bindings.add_encoded(schema, index, path, content)
        };
        add(&mut bindings, &[1], b"\x68\x01").unwrap();
        add(&mut bindings, &[6], b"").unwrap();
        add(&mut bindings, &[6], b"\x0A\x00").unwrap();
        assert_eq!(add(&mut bindings, &[1], b"").unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(add(&mut bindings, &[99], b"").unwrap_err().kind(), ErrorKind::UnknownField);
        assert_eq!(add(&mut bindings, &[1, 3], b"").unwrap_err().path(), "scalars.an_int32");
        // The whole and a part of it contradict each other.
        let mut both = bindings.clone();
        both.add_text(schema, index, &[1, 14], "x").unwrap();
        let (mut out, options) = (BytesMut::new(), JsonOptions::default());
        let error = json_to_wire(schema, index, None, &both, &options, &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        json_to_wire(schema, index, None, &bindings, &options, &mut out).unwrap();
        assert_eq!(&out[..], b"\x0A\x02\x68\x01\x32\x00\x32\x02\x0A\x00");
        bindings.clear();
        assert!(bindings.is_empty());
    });
}
