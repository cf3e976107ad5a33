//! `Debug` of messages with secrets.

use crate::sample::v1::{
    Person, RegisterRequest, RegisterResponse,
    person::{Payment, Place, Role},
};

fn person() -> Person {
    Person {
        id: "7".into(),
        email: "canary@example.com".into(),
        role: Role::Client.into(),
        addresses: vec![Place { postcode: "75001".into() }],
        payment: Some(Payment::Card("canary".into())),
        guarantor: Some(Box::new(Person { email: "canary".into(), ..Person::default() })),
        ..Person::default()
    }
}

#[test]
fn secrets_are_not_shown_however_deep_they_are() {
    let request = RegisterRequest { person: Some(person()), password: "canary".into() };
    let response = RegisterResponse { person: Some(person()) };
    for shown in [format!("{request:?}"), format!("{request:#?}"), format!("{response:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("[REDACTED]"), "{shown}");
    }
}

#[test]
fn the_rest_is_shown() {
    let shown = format!("{:?}", Person { guarantor: None, ..person() });
    assert_eq!(
        shown,
        "Person { id: \"7\", email: [REDACTED], role: ROLE_CLIENT, \
         addresses: [Place { postcode: \"75001\" }], offices: {}, guarantor: None, \
         payment: Some(Card([REDACTED])) }"
    );
    let counter = Payment::Counter(Place { postcode: "1".into() });
    assert_eq!(format!("{counter:?}"), "Counter(Place { postcode: \"1\" })");
    assert_eq!(format!("{:?}", Role::Provider), "ROLE_PROVIDER");
    let unknown = format!("{:?}", Person { role: 77, ..Person::default() });
    assert!(unknown.contains("role: UNKNOWN"), "{unknown}");
}
