//! Accounts as clients meet them: one of several roles books like any customer and works like any provider, but never for
//! itself; an address that is registered twice.

use crate::mesh::Mesh;
use chrono::Duration;
use kit::{program::config::Config, testing::Backend};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// Makes a provider a customer too, with a card, and signs them in again: the token has both roles.
async fn as_customer_too(mesh: &Mesh, provider: &Provider) -> Provider {
    let client = &provider.person.client;
    // The role alone opens nothing: the token does.
    let role = client.post("/v1/me/roles", json!({ "role": "client" })).await.unwrap();
    assert_eq!(role.ok().unwrap()["roles"], json!(["customer", "provider"]));
    let early = client.get("/v1/paymentMethods").await.unwrap();
    assert_eq!(early.status, 403, "{}", early.body);
    let person = mesh.again(&provider.person).await;
    demo::add_card(&person, "tok_ok").await.unwrap();
    Provider { person, provider_id: provider.provider_id.clone() }
}

async fn act(person: &Person, order: &str, action: &str, body: Value) -> (u16, Value) {
    let answer = person.client.post(&format!("/v1/orders/{order}{action}"), body).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_books_another_as_a_customer(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let bob = mesh.cleaner(&operator, "bob").await;
    let eve = mesh.cleaner(&operator, "eve").await;
    let bob = as_customer_too(&mesh, &bob).await;
    let start = mesh.clock.now() + Duration::hours(3);
    let order = demo::book_cleaning(&bob.person, &eve, start).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    assert_eq!(order["state"], "ORDER_STATE_REQUESTED");

    // Of this order he is the customer: his other role does not make him accept or do it.
    for (action, body) in [
        (":accept", json!({})),
        (":decline", json!({})),
        (":depart", json!({})),
        (":start", json!({ "start_code": "000000" })),
        (":deliver", json!({})),
    ] {
        let (status, body) = act(&bob.person, &id, action, body).await;
        assert_eq!((status, &body["reason"]), (400, &json!("ORDER_STATE")), "{action} {body}");
    }
    for action in [":accept", ":depart", ":arrive"] {
        let position = json!({ "position": { "lat": demo::CENTRE.0, "lng": demo::CENTRE.1 } });
        let body = if action == ":arrive" { position } else { json!({}) };
        let (status, body) = act(&eve.person, &id, action, body).await;
        assert_eq!(status, 200, "{action} {body}");
    }
    // More wrong codes than a provider has tries: a customer's do not lock the right one.
    for _ in 0..6 {
        let wrong = json!({ "start_code": "000000" });
        let (status, body) = act(&bob.person, &id, ":start", wrong).await;
        assert_eq!((status, &body["reason"]), (400, &json!("ORDER_STATE")), "{body}");
    }
    let code = bob.person.client.get(&format!("/v1/orders/{id}")).await.unwrap().body;
    let code = json!({ "start_code": code["start_code"] });
    let (status, body) = act(&eve.person, &id, ":start", code).await;
    assert_eq!(status, 200, "{body}");
    // And she is no customer of it.
    let eve = as_customer_too(&mesh, &eve).await;
    for action in [":acceptDelivery", ":previewCancel"] {
        let (status, body) = act(&eve.person, &id, action, json!({})).await;
        assert_eq!((status, &body["reason"]), (400, &json!("ORDER_STATE")), "{action} {body}");
    }
    let sides = async |person: &Person, side: &str| {
        let path = format!("/v1/orders?side={side}");
        let list = person.client.get(&path).await.unwrap().ok().unwrap();
        list["orders"].as_array().unwrap().len()
    };
    assert_eq!(
        (sides(&bob.person, "customer").await, sides(&bob.person, "provider").await),
        (1, 0)
    );
    assert_eq!(
        (sides(&eve.person, "customer").await, sides(&eve.person, "provider").await),
        (0, 1)
    );
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_books_themselves(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let bob = mesh.cleaner(&operator, "bob").await;
    let bob = as_customer_too(&mesh, &bob).await;
    let start = mesh.clock.now() + Duration::hours(27);
    let request = demo::quote_request(&bob.provider_id, start);
    let quote = bob.person.client.post("/v1/quotes", request).await.unwrap();
    let refused = if quote.status == 201 {
        let order = json!({ "quote_id": quote.body["id"] });
        bob.person.client.post("/v1/orders", order).await.unwrap()
    } else {
        quote
    };
    assert_eq!(refused.status, 400, "{}", refused.body);

    // When QuickServe searches, the only cleaner of the city is not asked for their own order.
    let mut request = demo::quote_request("", start);
    request["provider_id"] = json!("");
    let quote = bob.person.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let order = json!({ "quote_id": quote["id"] });
    let order = bob.person.client.post("/v1/orders", order).await.unwrap().ok().unwrap();
    let offers = bob.person.client.get("/v1/offers").await.unwrap();
    assert_eq!(offers.ok().unwrap()["offers"], json!([]), "{order}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_second_registration_is_told_where_the_installation_says_so(backend: Backend) {
    let account = json!({
        "name": "Alice", "email": "alice@test.example", "role": "client",
        "password": "correct horse battery",
    });
    let concealing = Mesh::start(backend).await;
    let telling = Config::from_map([("user.refuse_registered_email", "true")]);
    let telling = Mesh::with_config(backend, telling).await;
    for (mesh, second) in [(concealing, 201), (telling, 400)] {
        for path in ["/v1/users", "/users"] {
            let first = path == "/v1/users";
            let answer = mesh.client.post(path, account.clone()).await.unwrap();
            let expected = if first { 201 } else { second };
            assert_eq!(answer.status.as_u16(), expected, "{path} {}", answer.body);
            if expected == 400 {
                assert_eq!(answer.body["detail"], "Email already registered");
                assert_eq!(answer.reason(), "EMAIL_REGISTERED");
            }
        }
    }
}
