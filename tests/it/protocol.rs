//! Names and passwords however they are typed, many who write at once, versions, bounds: what clients of the real edge
//! meet.

use crate::{
    journey::{act, attempt, complete, get, noon, post},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::Backend;
use quickserve::{
    client::Answer,
    demo::{self, Person, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_types_accents_in_either_form_is_the_same_person(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let account = |name: &str, email: &str, password: &str| json!({ "name": name, "email": email, "role": "customer", "password": password });
    let (composed, decomposed) = ("ren\u{e9}", "rene\u{301}");
    let email = |name: &str| format!("{name}@test.example");
    let password = |name: &str| format!("caf\u{e9} noir for {name}");
    let registration = account("Ren\u{e9}", &email(decomposed), &password(composed));
    let registered = mesh.client.post("/v1/users", registration).await.unwrap();
    assert_eq!(registered.ok().unwrap()["email"], email(composed).as_str());
    for (address, secret) in [(composed, decomposed), (decomposed, composed)] {
        mesh.client.sign_in(&email(address), &password(secret)).await.unwrap();
    }
    for name in ["\u{200b}", "Ana\u{202e}"] {
        let registration = account(name, "ana@test.example", demo::PASSWORD);
        let refused = mesh.client.post("/v1/users", registration).await.unwrap();
        assert_eq!(refused.status, 400, "{name:?}: {}", refused.body);
        assert_eq!(refused.body["violations"][0]["field"], "name", "{}", refused.body);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn both_sides_write_at_once_and_lose_nothing_and_hold_no_one_up(backend: Backend) {
    const MESSAGES: usize = 36;
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = mesh.clock.now() + Duration::minutes(170);
    let order = demo::book_cleaning(&alice, &bob, start).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    let path = format!("/v1/orders/{id}/messages");
    let write = async |number: usize| {
        let who = if number.is_multiple_of(3) { &bob.person } else { &alice };
        let answer = who.client.post(&path, json!({ "text": format!("message {number}") })).await;
        let answer = answer.unwrap();
        assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    };
    let messages = futures::future::join_all((0..MESSAGES).map(write));
    let (_, departed) = tokio::join!(messages, act(&bob.person, &id, "depart", json!({})));
    assert_eq!(departed["state"], "ORDER_STATE_EN_ROUTE");
    let listed = get(&alice, &format!("{path}?page_size=100")).await;
    assert_eq!(listed["messages"].as_array().unwrap().len(), MESSAGES);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn disputes_end(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let order = demo::book_cleaning(&alice, &bob, noon(&mesh)).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let start = noon(&mesh) + Duration::days(3);
    let order = demo::book_cleaning(&alice, &bob, start).await.unwrap();
    let cancelled = text_at(&order, "id").unwrap();
    act(&bob.person, &cancelled, "accept", json!({})).await;
    let preview = act(&alice, &cancelled, "previewCancel", json!({})).await;
    let token = json!({ "cancel_token": preview["cancel_token"] });
    act(&alice, &cancelled, "cancel", token).await;
    let (alice, bob) = complete(&mesh, &alice, &bob, &id).await;
    let operator = mesh.again(&operator).await;
    let dispute = json!({ "reason": "QUALITY" });
    for _ in 0..3 {
        act(&alice, &id, "dispute", dispute.clone()).await;
        let (status, _) = attempt(&bob, &id, "dispute", dispute.clone()).await;
        assert_eq!(status, 400, "one is open");
        let decision = json!({ "resolution": "DISPUTE_STATE_RESOLVED_PROVIDER" });
        act(&operator, &id, "resolveDispute", decision).await;
    }
    let more = attempt(&alice, &id, "dispute", dispute.clone()).await;
    assert_eq!(more, (400, "DISPUTE_LIMIT".to_owned()));
    mesh.clock.advance(Duration::days(7));
    let late = attempt(&mesh.again(&bob).await, &cancelled, "dispute", dispute).await;
    assert_eq!(late, (400, "DISPUTE_WINDOW_OVER".to_owned()));
}

/// Asks for a price and books it, with this card.
async fn book(customer: &Person, request: &Value, card: &str) -> Answer {
    let quote = post(customer, "/v1/quotes", request.clone()).await;
    let order = json!({ "quote_id": quote["id"], "payment_method_id": card });
    customer.client.post("/v1/orders", order).await.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn time_that_is_given_up_can_be_booked_again_at_once(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let right = demo::add_card(&alice, "tok_ok").await.unwrap();
    let wrong = demo::add_card(&alice, "tok_declined").await.unwrap();
    let request = demo::quote_request(&bob.provider_id, noon(&mesh));
    let declined = book(&alice, &request, &wrong).await.ok().unwrap();
    assert_eq!(declined["payment"]["state"], "PAYMENT_STATE_DECLINED", "{declined}");
    for _ in 0..3 {
        let order = book(&alice, &request, &right).await.ok().unwrap();
        assert_eq!(order["state"], "ORDER_STATE_REQUESTED", "{order}");
        let id = text_at(&order, "id").unwrap();
        let preview = act(&alice, &id, "previewCancel", json!({})).await;
        let token = json!({ "cancel_token": preview["cancel_token"] });
        act(&alice, &id, "cancel", token).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_of_what_is_not_there_any_more_is_refused_by_its_tag(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let alice = mesh.customer("alice").await;
    let me = alice.client.get("/v1/me").await.unwrap();
    let tag = me.headers["etag"].to_str().unwrap().to_owned();
    let rename = async |name: &str, tag: &str| {
        let headers = [("if-match", tag)];
        alice.client.send(Method::PATCH, "/v1/me", Some(json!({ "name": name })), &headers).await
    };
    assert_eq!(rename("Alice A.", &tag).await.unwrap().status, 200);
    let now =
        alice.client.get("/v1/me").await.unwrap().headers["etag"].to_str().unwrap().to_owned();
    for stale in [tag, format!("W/{now}")] {
        let refused = rename("Alice B.", &stale).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.reason()), (412, "VERSION_MISMATCH"));
    }
    let empty = rename("", &now).await.unwrap();
    assert_eq!(empty.status, 400, "{}", empty.body);
    assert_eq!(empty.body["violations"][0]["field"], "name", "{}", empty.body);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_last_operator_stays(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let suspend = format!("/v1/users/{}:suspend", operator.user_id);
    let answer = operator.client.post(&suspend, json!({ "reason": "FRAUD" })).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);
    let erase = operator.client.send(Method::DELETE, "/v1/me", None, &[]).await.unwrap();
    assert_eq!(erase.status, 400, "{}", erase.body);
    assert_eq!(get(&operator, "/v1/me").await["status"], "USER_STATUS_ACTIVE");
}
