//! What customers owe: collected when it falls due, and before anything else is booked.

use crate::{
    journey::{act, clean, noon, see, until_work_begins},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// A cleaning that is done, and whose card refuses to pay: what its customer owes for it.
async fn owed(mesh: &Mesh) -> (Person, demo::Provider, Value) {
    let operator = mesh.operator().await;
    let provider = mesh.cleaner(&operator, "bob").await;
    let customer = demo::register_account(&mesh.client, "customer", "alice", "alice@test.example");
    let customer = customer.await.unwrap();
    demo::add_card(&customer, "tok_capture_declined").await.unwrap();
    let order = demo::book_cleaning(&customer, &provider, noon(mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (customer, cleaner) = until_work_begins(mesh, &customer, &provider, &id).await;
    clean(&cleaner, &id).await;
    act(&cleaner, &id, "deliver", json!({})).await;
    act(&customer, &id, "acceptDelivery", json!({})).await;
    let owes = async || see(&customer, &id).await;
    eventually("it is owed", owes, |it| it["payment"]["state"] == "PAYMENT_STATE_DUE").await;
    let provider = demo::Provider { person: cleaner, ..provider };
    let dues = dues(&customer).await;
    (customer, provider, dues[0].clone())
}

async fn dues(person: &Person) -> Vec<Value> {
    let listed = person.client.get("/v1/me/dues").await.unwrap().ok().unwrap();
    listed["dues"].as_array().unwrap().clone()
}

async fn inbox(person: &Person) -> String {
    person.client.get("/v1/inbox?page_size=100").await.unwrap().ok().unwrap().to_string()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_debt_is_paid_before_anything_else_is_booked(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let (customer, provider, due) = owed(&mesh).await;
    let book = async |days: i64| {
        let start = noon(&mesh) + Duration::days(days);
        let request = demo::quote_request(&provider.provider_id, start);
        let quote = customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
        let order = json!({ "quote_id": text_at(&quote, "id").unwrap() });
        customer.client.post("/v1/orders", order).await.unwrap()
    };
    // Close to its start a booking is authorised, far ahead only its card is put on file.
    for days in [2, 20] {
        let refused = book(days).await;
        assert_eq!(
            (refused.status.as_u16(), refused.reason()),
            (400, "DUES_OPEN"),
            "{}",
            refused.body
        );
    }
    let card = demo::add_card(&customer, "tok_ok").await.unwrap();
    let pay = format!("/v1/dues/{}:pay", text_at(&due, "id").unwrap());
    let paid = customer.client.post(&pay, json!({ "payment_method_id": card })).await.unwrap();
    assert_eq!(paid.ok().unwrap()["state"], "DUE_STATE_PAID");
    book(2).await.ok().unwrap();
    book(20).await.ok().unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn customers_are_reminded_of_what_they_owe(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let (customer, _, due) = owed(&mesh).await;
    mesh.clock.advance(Duration::days(14));
    let customer = mesh.again(&customer).await;
    let seen = async || inbox(&customer).await;
    let reminders = |seen: &String| seen.matches("payment.due_overdue.customer").count();
    eventually("a reminder", seen, |seen| reminders(seen) == 1).await;
    assert_eq!(dues(&customer).await[0]["state"], "DUE_STATE_OPEN");

    // The next week there is another card on file, which pays it.
    let card = demo::add_card(&customer, "tok_ok").await.unwrap();
    let path = format!("/v1/paymentMethods/{card}:setDefault");
    customer.client.post(&path, json!({})).await.unwrap().ok().unwrap();
    mesh.clock.advance(Duration::days(7));
    let customer = mesh.again(&customer).await;
    let state = async || dues(&customer).await[0]["state"].to_string();
    eventually("it is paid", state, |state| state == "\"DUE_STATE_PAID\"").await;
    assert_eq!(reminders(&inbox(&customer).await), 1, "{due}");
}
