//! Descriptors to tables.

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
};
use transcode::{
    Bindings, Cardinality, ErrorKind, JsonOptions, Kind, PathError, Schema, SchemaError,
    SchemaOptions, WellKnown,
};

use super::{payloads, with};

#[test]
fn fields_are_found_by_either_name_and_by_number() {
    with("Scalars", |schema, index| {
        let message = schema.message(index);
        assert_eq!(message.full_name(), "codec.v1.Scalars");
        for field in message.fields() {
            for name in [field.name(), field.json_name()] {
                assert_eq!(message.field_by_name(name).unwrap().number(), field.number());
            }
            assert_eq!(message.field_by_number(field.number()).unwrap().name(), field.name());
        }
        let title = message.field_by_name("title").unwrap();
        assert_eq!(
            (title.number(), title.name(), title.has_presence()),
            (4000, "other_name", false)
        );
        assert!(message.field_by_name("maybeInt").unwrap().has_presence());
        assert!(message.field_by_name("Title").is_none());
        assert!(message.field_by_number(20).is_none() && message.field_by_number(5000).is_none());
        assert_eq!(message.oneofs().len(), 0);
    });
    with("Choice", |schema, index| {
        let message = schema.message(index);
        assert_eq!(message.oneofs().collect::<Vec<_>>(), ["kind", "other"]);
        assert_eq!(message.field_by_name("blob").unwrap().oneof(), Some(1));
    });
    with("Maps", |schema, index| {
        let trees = schema.message(index).field_by_name("trees").unwrap();
        assert_eq!(trees.cardinality(), Cardinality::Map);
        let entry = schema.message(trees.kind().message().unwrap());
        assert!(entry.is_map_entry());
        assert_eq!(entry.field_by_number(1).unwrap().kind(), Kind::Int32);
    });
    with("WellKnown", |schema, index| {
        let kind = |name| schema.message(index).field_by_name(name).unwrap().kind().message();
        let known = |name| schema.message(kind(name).unwrap()).well_known();
        assert_eq!(known("any"), WellKnown::Any);
        assert_eq!(known("int32_wrapper"), WellKnown::Wrapper);
        assert_eq!(known("empty"), WellKnown::None);
    });
}

#[test]
fn paths_are_resolved_to_numbers() {
    with("All", |schema, index| {
        let resolve = |path: &str| schema.resolve(index, path.split('.')).map(|(path, _)| path);
        assert_eq!(resolve("choice.tree.only.name"), Ok(vec![4, 4, 4, 1]));
        assert_eq!(resolve("well_known.time"), Ok(vec![5, 1]));
        let json_name =
            PathError::Unknown { field: "wellKnown".into(), message: "codec.v1.All".into() };
        assert_eq!(resolve("wellKnown.time"), Err(json_name));
        let unknown = PathError::Unknown { field: "x".into(), message: "codec.v1.Tree".into() };
        assert_eq!(resolve("choice.tree.x"), Err(unknown));
        let scalar = PathError::NotAMessage { field: "a_string".into() };
        assert_eq!(resolve("scalars.a_string.x"), Err(scalar));
        assert_eq!(resolve("more.x"), Err(PathError::NotAMessage { field: "more".into() }));
        assert_eq!(schema.resolve(index, []).map(drop), Err(PathError::Empty));
    });
}

fn set(files: Vec<FileDescriptorProto>) -> Vec<u8> {
    FileDescriptorSet { file: files }.encode_to_vec()
}

#[test]
fn faulty_descriptors_are_refused_with_the_name() {
    assert!(matches!(Schema::from_descriptor_set(b"\x0A"), Err(SchemaError::Malformed(_))));
    let field = |number, kind, type_name: &str| FieldDescriptorProto {
        name: Some("f".into()),
        number: Some(number),
        r#type: Some(kind),
        type_name: Some(type_name.into()),
        ..Default::default()
    };
    let file = |fields: Vec<FieldDescriptorProto>, methods: Vec<MethodDescriptorProto>| {
        FileDescriptorProto {
            name: Some("a.proto".into()),
            package: Some("p".into()),
            message_type: vec![DescriptorProto {
                name: Some("M".into()),
                field: fields,
                ..Default::default()
            }],
            service: vec![ServiceDescriptorProto {
                name: Some("S".into()),
                method: methods,
                ..Default::default()
            }],
            ..Default::default()
        }
    };
    let refused = |files| Schema::from_descriptor_set(&set(files)).unwrap_err().to_string();
    assert_eq!(
        refused(vec![file(vec![field(1, 11, ".p.N")], vec![])]),
        "p.M.f uses p.N, which the descriptor set does not contain"
    );
    assert_eq!(
        refused(vec![file(vec![field(0, 5, "")], vec![])]),
        "p.M.f has a number out of range"
    );
    assert_eq!(refused(vec![file(vec![field(1, 99, "")], vec![])]), "p.M.f has no known type");
    let twice = vec![field(1, 5, ""), field(1, 5, "")];
    assert_eq!(refused(vec![file(twice, vec![])]), "p.M uses a field number twice");
    let method = MethodDescriptorProto {
        name: Some("Call".into()),
        input_type: Some(".p.M".into()),
        output_type: Some(".p.Gone".into()),
        ..Default::default()
    };
    assert_eq!(
        refused(vec![file(vec![], vec![method])]),
        "p.S.Call uses p.Gone, which the descriptor set does not contain"
    );
}

fn message(name: &str, fields: &[(&str, i32)]) -> DescriptorProto {
    const STRING: i32 = 9;
    let field = |&(name, number): &(&str, i32)| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        r#type: Some(STRING),
        ..Default::default()
    };
    let field = fields.iter().map(field).collect();
    DescriptorProto { name: Some(name.into()), field, ..Default::default() }
}

fn file(name: &str, package: &str, messages: Vec<DescriptorProto>) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.into()),
        package: Some(package.into()),
        message_type: messages,
        ..Default::default()
    }
}

#[test]
fn a_type_is_known_by_its_name_and_not_by_its_file() {
    let compile = |files| Schema::from_descriptor_set(&set(files));
    let fields = |schema: &Schema, name: &str| {
        schema.message(schema.find_message(name).unwrap()).fields().len()
    };
    let (old, new) = (message("M", &[("a", 1)]), message("M", &[("a", 1), ("b", 2)]));
    // Copies under two names, and a later version: the first counts.
    for second in [old.clone(), new] {
        let schema = compile(vec![
            file("status.proto", "p", vec![old.clone()]),
            file("google/rpc/status.proto", "p", vec![second, message("N", &[])]),
        ]);
        let schema = schema.unwrap();
        assert_eq!((fields(&schema, "p.M"), schema.messages().len()), (1, 2));
    }
    // Two files of one name are not one file: what only the second has is there too.
    let schema = compile(vec![
        file("common.proto", "p", vec![old.clone()]),
        file("common.proto", "q", vec![old.clone()]),
    ]);
    assert!(schema.unwrap().find_message("q.M").is_some());
    let refused = compile(vec![
        file("a.proto", "p", vec![old]),
        file("b.proto", "p", vec![message("M", &[("z", 1)])]),
    ]);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "p.M is declared twice, in a.proto and in b.proto, and they differ: field 1 of M"
    );
}

#[test]
fn a_service_is_known_by_its_name_too() {
    let service = |file_name: &str, input: &str| {
        let method = MethodDescriptorProto {
            name: Some("Call".into()),
            input_type: Some(input.into()),
            output_type: Some(".p.M".into()),
            ..Default::default()
        };
        let service = ServiceDescriptorProto {
            name: Some("S".into()),
            method: vec![method],
            ..Default::default()
        };
        let messages = vec![message("M", &[]), message("N", &[])];
        FileDescriptorProto { service: vec![service], ..file(file_name, "p", messages) }
    };
    let compile =
        |second| Schema::from_descriptor_set(&set(vec![service("a.proto", ".p.M"), second]));
    assert_eq!(compile(service("b.proto", ".p.M")).unwrap().services().len(), 1);
    assert_eq!(
        compile(service("b.proto", ".p.N")).unwrap_err().to_string(),
        "p.S is declared twice, in a.proto and in b.proto, and they differ: rpc Call"
    );
}

#[test]
fn a_fallback_fills_gaps_and_replaces_nothing() {
    let own = set(vec![file("b.proto", "p", vec![message("M", &[("mine", 7)])])]);
    let fallback = set(vec![file(
        "a.proto",
        "p",
        vec![message("M", &[("theirs", 7)]), message("Gap", &[("a", 1)])],
    )]);
    let options = SchemaOptions { fallback: &fallback, ..SchemaOptions::default() };
    let schema = Schema::compile(&own, options).unwrap();
    let first_field = |name: &str| {
        let message = schema.message(schema.find_message(name).unwrap());
        message.fields()[0].name().to_owned()
    };
    assert_eq!((first_field("p.M"), first_field("p.Gap")), ("mine".to_owned(), "a".to_owned()));
}

#[test]
fn options_may_be_of_types_that_are_missing() {
    const MESSAGE: i32 = 11;
    let extension = |name: &str, extendee: &str| FieldDescriptorProto {
        name: Some(name.into()),
        extendee: Some(extendee.into()),
        number: Some(50_000),
        r#type: Some(MESSAGE),
        type_name: Some(".gogoproto.Missing".into()),
        ..Default::default()
    };
    let with = |extension| {
        let messages = vec![message("FieldOptions", &[]), message("Other", &[])];
        let file = file("d.proto", "google.protobuf", messages);
        Schema::from_descriptor_set(&set(vec![FileDescriptorProto {
            extension: vec![extension],
            ..file
        }]))
    };
    assert!(with(extension("x", ".google.protobuf.FieldOptions")).is_ok());
    assert!(with(extension("x", ".google.protobuf.Nowhere")).is_ok());
    assert!(with(extension("x", ".google.protobuf.Other")).is_err());
}

#[test]
fn a_message_may_have_very_many_oneofs() {
    let field = |number: i32| FieldDescriptorProto {
        name: Some(format!("f{number}")),
        number: Some(number),
        r#type: Some(5),
        oneof_index: Some((number - 1) / 2),
        ..Default::default()
    };
    let oneof = |number| OneofDescriptorProto { name: Some(format!("o{number}")), options: None };
    let file = FileDescriptorProto {
        name: Some("a.proto".into()),
        syntax: Some("proto3".into()),
        message_type: vec![DescriptorProto {
            name: Some("M".into()),
            field: (1..=600).map(field).collect(),
            oneof_decl: (0..300).map(oneof).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let schema = Schema::from_descriptor_set(&set(vec![file])).unwrap();
    let (message, options) = (schema.find_message("M").unwrap(), JsonOptions::default());
    let round = |json: &str| {
        let mut wire = bytes::BytesMut::new();
        let bindings = Bindings::new();
        let text = Some(json.as_bytes());
        transcode::json_to_wire(&schema, message, text, &bindings, &options, &mut wire)?;
        let mut out = Vec::new();
        transcode::wire_to_json(&schema, message, &wire, &options, None, &mut out).unwrap();
        Ok::<_, transcode::FieldError>(String::from_utf8(out).unwrap())
    };
    let one_each = r#"{"f1":1,"f3":2,"f257":3,"f400":4,"f599":5}"#;
    assert_eq!(round(one_each).unwrap(), one_each);
    assert_eq!(round(r#"{"f600":1,"f599":2}"#).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn declarations_know_their_place() {
    with("Tree", |schema, index| {
        let location = schema.message(index).location();
        assert_eq!(&*location.file, "codec.proto");
        assert!(location.line.is_some_and(|line| line > 1));
    });
    with("Page", |schema, index| {
        let comment = &schema.message(index).location().comment;
        assert_eq!(comment.trim(), "A catalogue page, the shape of an ordinary response.");
    });
    assert!(!payloads::descriptors().is_empty());
}
