//! The generated checks against a table of messages in JSON and the rules they break.

use crate::{
    google::api::HttpBody,
    sample::v1::{
        Characters, CountRequest, Numbers, Others, Person, RegisterRequest, Texts,
        others::Either,
        person::{Payment, Place},
    },
    validate::{MAX_VIOLATIONS, Validate, Violation, refusal_status, violations_of},
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::{Any, Duration, FieldMask, Timestamp};
use tonic_types::StatusExt;

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sample/descriptors.bin"));

#[derive(serde::Deserialize)]
struct Case {
    message: String,
    value: serde_json::Value,
    broken: Vec<String>,
}

#[test]
fn messages_break_the_rules_of_the_table() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let cases: Vec<Case> = serde_json::from_str(include_str!("cases.json")).unwrap();
    for case in cases {
        let descriptor = pool.get_message_by_name(&format!("sample.v1.{}", case.message)).unwrap();
        let bytes = DynamicMessage::deserialize(descriptor, &case.value).unwrap().encode_to_vec();
        let broken = match case.message.as_str() {
            "Texts" => broken::<Texts>(&bytes),
            "Numbers" => broken::<Numbers>(&bytes),
            "Others" => broken::<Others>(&bytes),
            "RegisterRequest" => broken::<RegisterRequest>(&bytes),
            "Characters" => broken::<Characters>(&bytes),
            "CountRequest" => broken::<CountRequest>(&bytes),
            other => panic!("no such message: {other}"),
        };
        let told: Vec<String> =
            broken.iter().map(|it| format!("{}: {}", it.field, it.rule)).collect();
        assert_eq!(told, case.broken, "{} {}", case.message, case.value);
    }
}

fn broken<M: Message + Default + Validate>(bytes: &[u8]) -> Vec<Violation> {
    violations_of(&M::decode(bytes).unwrap())
}

fn valid_others() -> Others {
    Others {
        states: vec![1],
        some: vec![0],
        scores: [("a".to_owned(), 1)].into(),
        ..Others::default()
    }
}

#[test]
fn texts_that_json_does_not_reach_are_checked_too() {
    let any = || Any { type_url: "a/b\0".into(), value: vec![0] };
    let broken = violations_of(&Characters {
        any: Some(any()),
        body: Some(HttpBody {
            content_type: "text/plain\n".into(),
            data: vec![0],
            extensions: vec![any()],
        }),
        mask: Some(FieldMask { paths: vec!["a".into(), "b\0".into(), "c\0".into()] }),
        ..Characters::default()
    });
    let fields: Vec<_> = broken.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        ["mask", "any.type_url", "body.content_type", "body.extensions[0].type_url"]
    );
}

#[test]
fn times_are_within_what_protobuf_allows() {
    for (seconds, nanos, valid) in [
        (0, 0, true),
        (253_402_300_799, 999_999_999, true),
        (253_402_300_800, 0, false),
        (-62_135_596_800, 0, true),
        (-62_135_596_801, 0, false),
        (i64::MAX, 0, false),
        (0, -1, false),
        (0, 1_000_000_000, false),
    ] {
        let whenever = Some(Timestamp { seconds, nanos });
        let broken = violations_of(&Others { whenever, ..valid_others() });
        assert_eq!(broken.is_empty(), valid, "{seconds} {nanos}: {broken:?}");
    }
    for (seconds, nanos, valid) in [
        (315_576_000_000, 0, true),
        (-315_576_000_001, 0, false),
        (0, -999_999_999, true),
        (1, -1, false),
        (-1, 1, false),
        (0, 1_000_000_000, false),
    ] {
        let laps = vec![Duration::default(), Duration { seconds, nanos }];
        let broken = violations_of(&Others { laps, ..valid_others() });
        let fields: Vec<_> = broken.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, if valid { vec![] } else { vec!["laps[1]"] }, "{seconds} {nanos}");
    }
}

#[test]
fn descriptions_say_what_is_needed_and_never_what_was_sent() {
    let request = RegisterRequest {
        person: Some(Person { email: "hunter2".into(), ..Person::default() }),
        password: "hunter2".into(),
    };
    let mut broken = violations_of(&request);
    broken.extend(violations_of(&Others {
        states: vec![3],
        decided: Some(0),
        accepted: Some(false),
        pause: Some(Duration { seconds: 7200, nanos: 0 }),
        recent: Some(Timestamp::default()),
        either: Some(Either::Number(-77)),
        secrets: [(1234, "abc".to_owned())].into(),
        words: vec!["x".into()],
        ..valid_others()
    }));
    let told: Vec<String> =
        broken.iter().map(|it| format!("{} {}", it.field, it.description)).collect();
    assert_eq!(
        told,
        [
            "person.email must match `^[^@]+@[^@]+$`",
            "person.role is required",
            "person.payment needs one of `card`, `counter`",
            "password must have at least 8 characters",
            "accepted must be true",
            "decided must be one of `STATE_OPEN`, `STATE_CLOSED`",
            "words[0] must have at least 2 characters",
            "states[0] must be a value of the enum",
            "secrets[*] must have at least 4 characters",
            "recent must be at least 2020-01-01T00:00:00Z",
            "pause must be greater than 0s and at most 3600s",
            "number must be greater than 0",
        ]
    );
}

#[test]
fn a_request_is_told_of_so_many_violations_and_no_more() {
    let place = |postcode: &str| Place { postcode: postcode.into() };
    let person = Person {
        addresses: vec![place("wrong"); 10_000],
        offices: [("x".repeat(1_000), place("wrong"))].into(),
        payment: Some(Payment::Counter(place("75001"))),
        ..Person::default()
    };
    let broken = violations_of(&person);
    assert_eq!(broken.len(), MAX_VIOLATIONS);

    let status = refusal_status(&broken);
    let details = status.get_details_bad_request().unwrap();
    assert!(details.field_violations.len() <= MAX_VIOLATIONS);
    assert!(status.details().len() < 6_000, "{} bytes", status.details().len());
    assert!(status.message().ends_with("(and 49 more)"), "{}", status.message());
}

#[test]
fn a_long_key_is_cut() {
    let scores = [("é".repeat(100), 1)].into();
    let broken = violations_of(&Others { scores, ..valid_others() });
    assert_eq!(broken[0].field, format!("scores[\"{}…\"]", "é".repeat(32)));
}
