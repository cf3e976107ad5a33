//! Bad input: every kind of it is refused by name, and nothing of it is an error of ours.

use super::{
    people::People,
    program::{Home, Program},
    wire,
};
use crate::journey::act;
use bytes::Bytes;
use kit::testing::Backend;
use quickserve::{client::Answer, demo::text_at};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use yare::parameterized;

async fn started() -> (Home, Program, People) {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    (home, program, people)
}

/// A 400 that names the field, in its list and in its text.
fn names(answer: &Answer, field: &str) {
    let body = &answer.body;
    assert_eq!(answer.status, 400, "{field}: {body}");
    assert_eq!(body["code"], "INVALID_ARGUMENT", "{body}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let fields: Vec<&str> = body["violations"]
        .as_array()
        .unwrap_or_else(|| panic!("{field}: {body}"))
        .iter()
        .filter_map(|violation| violation["field"].as_str())
        .collect();
    assert!(fields.contains(&field), "{field} is not among {fields:?}: {body}");
    assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
}

fn account(with: Value) -> Value {
    let mut account = json!({
        "name": "Eve", "email": "eve@test.example", "role": "customer", "password": "long-enough-1",
    });
    for (field, value) in with.as_object().unwrap() {
        account[field] = value.clone();
    }
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_named() {
    let (_home, _program, people) = started().await;
    let (client, provider) = (&people.customer.client, &people.provider.provider_id);
    let quote = |pointer: &str, value: Value| {
        let mut request = quickserve::demo::quote_request(provider, super::people::in_hours(48));
        *request.pointer_mut(pointer).unwrap() = value;
        request
    };
    let mut extra = quote("/vertical", json!("cleaning"));
    extra["address"]["colour"] = json!("blue");
    let mut short = quote("/vertical", json!("cleaning"));
    short["window"].as_object_mut().unwrap().remove("end");
    let cases = [
        // Unknown fields, at the top and deeper.
        ("/v1/users", account(json!({ "nickname": "E" })), "nickname"),
        ("/v1/quotes", extra, "address.colour"),
        (
            "/v1/quotes",
            quote("/details", json!({ "rooms": 2, "colour": "blue" })),
            "details.colour",
        ),
        // Wrong types.
        ("/v1/users", account(json!({ "name": 5 })), "name"),
        ("/v1/users", account(json!({ "name": ["Eve"] })), "name"),
        ("/v1/quotes", quote("/address/lat", json!("north")), "address.lat"),
        ("/v1/quotes", quote("/address/lines", json!("1 rue")), "address.lines"),
        ("/v1/quotes", quote("/window/start", json!("tomorrow")), "window.start"),
        ("/v1/quotes", quote("/details/rooms", json!("two")), "details.rooms"),
        // Wrong enums and values.
        ("/v1/users", account(json!({ "role": "king" })), "role"),
        ("/v1/quotes", quote("/details/type", json!("palace")), "details.type"),
        ("/v1/quotes", quote("/address/lat", json!(91)), "address.lat"),
        ("/v1/quotes", quote("/address/country", json!("France")), "address.country"),
        ("/v1/users", account(json!({ "password": "short" })), "password"),
        ("/v1/users", account(json!({ "phone": "0612" })), "phone"),
        // Missing fields.
        ("/v1/orders", json!({}), "quote_id"),
        ("/v1/users", account(json!({ "name": "" })), "name"),
        ("/v1/quotes", short, "window.end"),
        ("/v1/quotes", quote("/window", Value::Null), "window"),
        ("/v1/auth/login", json!({ "email": "eve@test.example" }), "password"),
    ];
    for (path, body, field) in cases {
        names(&client.post(path, body).await.unwrap(), field);
    }
    let kind = people.provider.person.client.post(
        "/v1/providers",
        json!({ "kind": "PROVIDER_KIND_ROBOT", "name": "x", "city": "Paris", "country": "FR" }),
    );
    names(&kind.await.unwrap(), "kind");
    for (path, field) in [
        ("/v1/orders?states=ORDER_STATE_LOST", "states"),
        ("/v1/orders?page_size=many", "page_size"),
        ("/v1/orders?page_size=-1", "page_size"),
        ("/v1/orders?colour=blue", "colour"),
        ("/v1/orders/not-an-id", "order_id"),
    ] {
        names(&client.get(path).await.unwrap(), field);
    }
    // What is too deep for the receivers of protobuf is refused before it reaches one.
    for levels in 2..60 {
        let deep = (0..levels).fold(json!(1), |deep, _| json!({ "rooms": deep }));
        let answer = client.post("/v1/quotes", quote("/details", deep)).await.unwrap();
        assert_eq!(answer.status, 400, "{levels}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_at_all_is_refused() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start().await;
    let url = format!("{}/v1/users", program.url());
    let json = [("content-type", "application/json")];
    for (body, status, code) in [
        (r#"{"name": "Eve""#, 400, "INVALID_ARGUMENT"),
        (r#"{"name": "Eve"}}"#, 400, "INVALID_ARGUMENT"),
        (r#"{"name": "Eve", "name": "Eve"}"#, 400, "INVALID_ARGUMENT"),
        ("name=Eve", 400, "INVALID_ARGUMENT"),
        ("[]", 400, "INVALID_ARGUMENT"),
        ("\"\\ud800\"", 400, "INVALID_ARGUMENT"),
    ] {
        let answer = wire::post(false, &url, &json, Bytes::from(body)).await;
        problem(&answer, status, code);
    }
    for body in ["\u{0}", &"[".repeat(100_000), &format!("{{\"name\": {}", "9".repeat(50_000))] {
        problem(
            &wire::post(false, &url, &json, Bytes::from(body.to_owned())).await,
            400,
            "INVALID_ARGUMENT",
        );
    }
    problem(
        &wire::post(false, &url, &json, Bytes::from_static(b"{\"name\": \"\xff\"}")).await,
        400,
        "INVALID_ARGUMENT",
    );
    let large = format!("{{\"name\": \"{}\"}}", "a".repeat(5 << 20));
    problem(&wire::post(false, &url, &json, Bytes::from(large)).await, 413, "RESOURCE_EXHAUSTED");
    // It is as well as before.
    assert_eq!(program.client.get("/readyz").await.unwrap().status, 200);
}

fn problem(answer: &wire::Raw, status: u16, code: &str) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status.as_u16(), &body["code"]), (status, &json!(code)), "{body}");
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_message_over_grpc_is_named() {
    let (_home, program, people) = started().await;
    let sign = format!("Bearer {}", people.customer.client.token().unwrap());
    let headers = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", sign.as_str()),
    ];
    for address in [program.grpc["user"], program.edge] {
        let url = format!("http://{address}/quickserve.user.v1.UserService/GetUser");
        // The field says that it is longer than the message.
        let answer = wire::post(true, &url, &headers, wire::frame(&[0x0a, 0x7f, 0x41])).await;
        let status = status(&answer);
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains("user_id"), "{status:?}");
        // A field that is text, but not in UTF-8.
        let answer = wire::post(true, &url, &headers, wire::frame(&[0x0a, 0x02, 0xc3, 0x28])).await;
        assert_eq!(self::status(&answer).code(), Code::InvalidArgument);
        // A field that breaks a rule.
        let answer = wire::post(true, &url, &headers, wire::frame(&[0x0a, 0x01, 0x41])).await;
        let status = self::status(&answer);
        assert_eq!(status.code(), Code::InvalidArgument);
        let wrong = status.get_details_bad_request().unwrap();
        assert_eq!(wrong.field_violations[0].field, "user_id");
        // A frame that is shorter than it says.
        let cut = Bytes::from_static(&[0, 0, 0, 0, 9, 1, 2]);
        let code = self::status(&wire::post(true, &url, &headers, cut).await).code();
        assert_ne!(code, Code::Ok);
    }
    assert_eq!(program.client.get("/readyz").await.unwrap().status, 200);
}

fn status(answer: &wire::Raw) -> Status {
    Status::from_header_map(&answer.headers)
        .or_else(|| Status::from_header_map(&answer.trailers))
        .unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_call_at_the_wrong_time_says_what_may_be_done(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    let order = people.book(&people.quote(48).await).await.unwrap().ok().unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, provider) = (&people.customer.client, &people.provider.person.client);

    let early = provider.post(&format!("/v1/orders/{id}:depart"), json!({})).await.unwrap();
    assert_eq!((early.status.as_u16(), early.reason()), (400, "ORDER_STATE"), "{}", early.body);
    assert_eq!(actions(&early.body), ["accept", "decline", "postMessage"]);
    let early = customer.post(&format!("/v1/orders/{id}:acceptDelivery"), json!({})).await.unwrap();
    assert_eq!((early.status.as_u16(), early.reason()), (400, "ORDER_STATE"), "{}", early.body);
    // What the error says may be done is what the order says itself.
    let seen = customer.get(&format!("/v1/orders/{id}")).await.unwrap().ok().unwrap();
    let mut allowed: Vec<String> = serde_json::from_value(seen["allowed_actions"].clone()).unwrap();
    allowed.sort();
    assert_eq!(actions(&early.body), allowed);
    assert!(!allowed.is_empty());
    // And it is so.
    act(&people.provider.person, &id, "decline", json!({})).await;
    let late = provider.post(&format!("/v1/orders/{id}:accept"), json!({})).await.unwrap();
    assert_eq!((late.status.as_u16(), late.reason()), (400, "ORDER_STATE"), "{}", late.body);
}

fn actions(problem: &Value) -> Vec<String> {
    let mut actions: Vec<String> = serde_json::from_value(problem["allowed_actions"].clone())
        .unwrap_or_else(|_| panic!("no allowed_actions in {problem}"));
    actions.sort();
    actions
}
