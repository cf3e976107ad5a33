//! From registration to review, as people live it.

use crate::mesh::{Mesh, Shape};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, CENTRE, Person, Provider, text_at};
use serde_json::{Value, json};
use uuid::Uuid;
use yare::parameterized;

/// Somebody does something with an order, and it is allowed.
pub async fn act(person: &Person, order: &str, action: &str, body: Value) -> Value {
    let answer = person.client.post(&format!("/v1/orders/{order}:{action}"), body).await.unwrap();
    assert!(answer.status.is_success(), "{action}: {} {}", answer.status, answer.body);
    answer.body
}

/// Somebody tries something with an order: the status, and the reason when it is refused.
pub async fn attempt(person: &Person, order: &str, action: &str, body: Value) -> (u16, String) {
    let answer = person.client.post(&format!("/v1/orders/{order}:{action}"), body).await.unwrap();
    (answer.status.as_u16(), answer.reason().to_owned())
}

/// Makes a call that succeeds.
pub async fn post(person: &Person, path: &str, body: Value) -> Value {
    let answer = person.client.post(path, body).await.unwrap();
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
    answer.body
}

/// Reads something.
pub async fn get(person: &Person, path: &str) -> Value {
    person.client.get(path).await.unwrap().ok().unwrap()
}

/// An amount in minor units.
pub fn cents(money: &Value) -> i64 {
    money["minor_units"].as_str().unwrap_or("0").parse().unwrap()
}

/// Whether somebody has a message of this template.
pub async fn is_told(person: &Person, template: &str) -> bool {
    let inbox = get(person, "/v1/inbox?page_size=100").await;
    messages(&inbox).contains(&template)
}

/// From the provider's yes to the delivery that the customer accepts, of an order that was booked for [`noon`] just now.
pub async fn complete(
    mesh: &Mesh,
    customer: &Person,
    provider: &Provider,
    order: &str,
) -> (Person, Person) {
    let (customer, cleaner) = deliver(mesh, customer, provider, order).await;
    act(&customer, order, "acceptDelivery", json!({})).await;
    (customer, cleaner)
}

/// As [`complete`], but for the customer's yes.
pub async fn deliver(
    mesh: &Mesh,
    customer: &Person,
    provider: &Provider,
    order: &str,
) -> (Person, Person) {
    let (customer, cleaner) = until_work_begins(mesh, customer, provider, order).await;
    clean(&cleaner, order).await;
    act(&cleaner, order, "deliver", json!({})).await;
    (customer, cleaner)
}

/// An order as somebody sees it.
pub async fn see(person: &Person, order: &str) -> Value {
    person.client.get(&format!("/v1/orders/{order}")).await.unwrap().ok().unwrap()
}

fn state(order: &Value) -> &str {
    order["state"].as_str().unwrap_or_default()
}

/// Tomorrow at noon.
pub fn noon(mesh: &Mesh) -> DateTime<Utc> {
    mesh.clock.now() + Duration::hours(27)
}

/// What was left to do on the checklist is done.
pub async fn clean(provider: &Person, order: &str) {
    let path = format!("/v1/orders/{order}/checklist");
    let checklist = provider.client.get(&path).await.unwrap().ok().unwrap();
    let items: Vec<Value> = checklist["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!({ "code": item["code"], "done": true }))
        .collect();
    let body = json!({ "items": items });
    provider.client.send(http::Method::PATCH, &path, Some(body), &[]).await.unwrap().ok().unwrap();
    for kind in ["photo.before", "photo.after"] {
        let proof = json!({ "kind": kind, "sha256": "0".repeat(64) });
        let path = format!("/v1/orders/{order}/proofs");
        provider.client.post(&path, proof).await.unwrap().ok().unwrap();
    }
}

/// From the provider's yes to the work under way, at the time of the appointment.
pub async fn until_work_begins(
    mesh: &Mesh,
    customer: &Person,
    provider: &Provider,
    order: &str,
) -> (Person, Person) {
    assert_eq!(
        state(&act(&provider.person, order, "accept", json!({})).await),
        "ORDER_STATE_ASSIGNED"
    );
    begin_work(mesh, customer, provider, order).await
}

/// From the assignment to the work under way, of an order that was booked for [`noon`] just now.
pub async fn begin_work(
    mesh: &Mesh,
    customer: &Person,
    provider: &Provider,
    order: &str,
) -> (Person, Person) {
    mesh.clock.advance(noon(mesh) - mesh.clock.now() - Duration::minutes(30));
    let (customer, cleaner) = (mesh.again(customer).await, mesh.again(&provider.person).await);
    act(&cleaner, order, "depart", json!({})).await;
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    act(&cleaner, order, "arrive", door).await;
    assert_eq!(see(&cleaner, order).await["start_code"].as_str().unwrap_or_default(), "");
    let code = text_at(&see(&customer, order).await, "start_code").unwrap();
    let begun = act(&cleaner, order, "start", json!({ "start_code": code })).await;
    assert_eq!(state(&begun), "ORDER_STATE_IN_PROGRESS");
    (customer, cleaner)
}

#[parameterized(
    sqlite = { Shape::Whole(Backend::Sqlite) },
    postgres = { Shape::Whole(Backend::Postgres) },
    apart = { Shape::Apart },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_cleaning_from_registration_to_review(shape: Shape) {
    let mesh = Mesh::start(shape).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
    assert_eq!(state(&order), "ORDER_STATE_REQUESTED");
    let id = text_at(&order, "id").unwrap();
    let (customer, cleaner) = until_work_begins(&mesh, &customer, &provider, &id).await;

    let early = cleaner.client.post(&format!("/v1/orders/{id}:deliver"), json!({})).await.unwrap();
    assert_eq!(early.status, 400, "the gate is closed before the work is done: {}", early.body);
    clean(&cleaner, &id).await;
    assert_eq!(state(&act(&cleaner, &id, "deliver", json!({})).await), "ORDER_STATE_DELIVERED");
    assert_eq!(
        state(&act(&customer, &id, "acceptDelivery", json!({})).await),
        "ORDER_STATE_COMPLETED"
    );
    act(&customer, &id, "review", json!({ "stars": 5, "text": "Impeccable." })).await;
    act(&cleaner, &id, "review", json!({ "stars": 4, "text": "Friendly." })).await;

    closes_with_money_in_place(&mesh, &operator, &customer, &cleaner, &id).await;
}

/// Payout, closing and books after the review window.
async fn closes_with_money_in_place(
    mesh: &Mesh,
    operator: &Person,
    customer: &Person,
    cleaner: &Person,
    order: &str,
) {
    let own = async || see(customer, order).await;
    eventually("the money is captured", own, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
    })
    .await;
    // Access tokens run out on the way.
    let own = async || see(&mesh.again(customer).await, order).await;
    mesh.in_time("the order is closed", own, |order| state(order) == "ORDER_STATE_CLOSED").await;
    let (customer, cleaner) = (mesh.again(customer).await, mesh.again(cleaner).await);
    let payouts = cleaner.client.get("/v1/payouts").await.unwrap().ok().unwrap();
    assert_eq!(payouts["payouts"].as_array().unwrap().len(), 1, "{payouts}");
    let inbox = async || customer.client.get("/v1/inbox").await.unwrap().ok().unwrap();
    eventually("every message of the order", inbox, |inbox| messages(inbox) == MESSAGES).await;
    let operator = mesh.again(operator).await;
    let balance = operator.client.get("/v1/ledger/trialBalance").await.unwrap().ok().unwrap();
    assert_eq!(balance["balanced"], true, "{balance}");
}

/// What a customer is told of on the way from registration to the receipt, by name.
const MESSAGES: [&str; 10] = [
    "order.arrived.customer",
    "order.assigned.customer",
    "order.completed.customer",
    "order.created.customer",
    "order.delivered.customer",
    "order.en_route.customer",
    "order.reviewed.customer",
    "order.started.customer",
    "payment.captured.customer",
    "user.registered.account",
];

/// The templates of the messages in an inbox, by name: those of different services come in any order.
fn messages(inbox: &Value) -> Vec<&str> {
    let messages = inbox["messages"].as_array().unwrap().iter();
    let mut templates: Vec<_> = messages.map(|it| it["template"].as_str().unwrap()).collect();
    templates.sort_unstable();
    templates
}

#[parameterized(
    sqlite = { Shape::Whole(Backend::Sqlite) },
    postgres = { Shape::Whole(Backend::Postgres) },
    apart = { Shape::Apart },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn twenty_who_want_one_slot(shape: Shape) {
    let mesh = Mesh::start(shape).await;
    let operator = mesh.operator().await;
    let provider = mesh.cleaner(&operator, "bob").await;
    let mut quotes = Vec::new();
    for number in 0..4 {
        let customer = mesh.customer(&format!("customer{number}")).await;
        for _ in 0..5 {
            let request = demo::quote_request(&provider.provider_id, noon(&mesh));
            let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
            quotes.push((customer.clone(), text_at(&quote, "id").unwrap()));
        }
    }
    let bookings = quotes
        .iter()
        .map(|(customer, quote)| customer.client.post("/v1/orders", json!({ "quote_id": quote })));
    let answers = futures::future::join_all(bookings).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 19), "{:?}", first_other(&answers));
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.reason() == "SLOT_TAKEN"));
}

fn first_other(answers: &[quickserve::client::Answer]) -> Option<&Value> {
    let other = answers.iter().find(|answer| answer.status != 201 && answer.status != 409);
    other.map(|answer| &answer.body)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn one_key_one_order(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let request = demo::quote_request(&provider.provider_id, noon(&mesh));
    let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let body = json!({ "quote_id": quote["id"] });
    let key = [("idempotency-key", "once-and-only-once")];
    let post =
        |body: Value| customer.client.send(http::Method::POST, "/v1/orders", Some(body), &key);
    let answers = futures::future::join_all((0..20).map(|_| post(body.clone()))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        let running = answer.status == 409 && answer.reason() == "IN_PROGRESS";
        assert!(answer.status == 201 || running, "{} {}", answer.status, answer.body);
    }
    let orders = customer.client.get("/v1/orders").await.unwrap().ok().unwrap();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 1);
    let again = post(body).await.unwrap();
    assert_eq!(again.status, 201);
    assert_eq!(again.body["id"], orders["orders"][0]["id"]);
    let other = post(json!({ "quote_id": quote["id"], "notes": "other" })).await.unwrap();
    assert_eq!((other.status.as_u16(), other.reason()), (409, "IDEMPOTENCY_KEY_REUSED"));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_stranger_sees_nothing(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let (stranger, rival) = (mesh.customer("mallory").await, mesh.cleaner(&operator, "eve").await);
    let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
    let (id, absent) = (text_at(&order, "id").unwrap(), Uuid::new_v4().to_string());
    for path in ["", "/messages", "/proofs", "/timeline", "/changeOrders", "/checklist"] {
        for person in [&stranger, &rival.person] {
            let foreign = seen_by(person, &id, path).await;
            assert_eq!(foreign.0, 404, "{path}: {}", foreign.1);
            assert_eq!(foreign, seen_by(person, &absent, path).await, "{path}");
        }
    }
}

/// What somebody gets to see of an order, the order's and the request's own ids left out.
async fn seen_by(person: &Person, order: &str, path: &str) -> (u16, String) {
    let answer = person.client.get(&format!("/v1/orders/{order}{path}")).await.unwrap();
    let mut body = answer.body;
    body["request_id"] = Value::Null;
    (answer.status.as_u16(), body.to_string().replace(order, "ORDER"))
}
