//! Repairs, as people live them over HTTP.

use crate::{
    journey::{act, attempt, cents, get, is_told, noon, post, see, until_work_begins},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::{
    client::Answer,
    demo::{self, Person, Provider, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

/// A repair that is under way: its order, and who takes part in it, signed in.
struct Visit {
    order: String,
    customer: Person,
    repairer: Person,
}

impl Visit {
    /// A repair in this category, of which the repairer has begun.
    async fn begin(mesh: &Mesh, customer: &Person, provider: &Provider, category: &str) -> Self {
        let order = demo::book(customer, request_for(mesh, provider, category)).await.unwrap();
        assert_eq!(cents(&order["total"]), 7_800, "{order}");
        Self::begin_order(mesh, customer, provider, text_at(&order, "id").unwrap()).await
    }

    async fn begin_order(
        mesh: &Mesh,
        customer: &Person,
        provider: &Provider,
        order: String,
    ) -> Self {
        let (customer, repairer) = until_work_begins(mesh, customer, provider, &order).await;
        Self { order, customer, repairer }
    }

    /// As [`Visit::begin`], with people of its own.
    async fn of_strangers(mesh: &Mesh, category: &str) -> Self {
        let operator = mesh.operator().await;
        let customer = mesh.customer("alice").await;
        Self::begin(mesh, &customer, &mesh.repairer(&operator, "bob").await, category).await
    }

    fn path(&self, below: &str) -> String {
        format!("/v1/orders/{}/{below}", self.order)
    }

    async fn repair(&self) -> Value {
        get(&self.customer, &self.path("repair")).await
    }

    async fn diagnose(&self) -> Value {
        let found = json!({ "code": "pump.broken", "findings": "The pump is broken." });
        let answer = self.send(Method::PUT, "diagnosis", found).await;
        answer.ok().unwrap()
    }

    async fn send(&self, method: Method, below: &str, body: Value) -> Answer {
        self.repairer.client.send(method, &self.path(below), Some(body), &[]).await.unwrap()
    }

    /// The repairer notes a part that costs so many cents, and has it.
    async fn add_part(&self, cost: i64) -> String {
        let cost = json!({ "currency": "EUR", "minor_units": cost.to_string() });
        let part = json!({ "name": "Drain pump", "cost": cost, "on_board": true });
        text_at(&post(&self.repairer, &self.path("parts"), part).await, "id").unwrap()
    }

    async fn move_part(&self, part: &str, state: &str) -> Answer {
        let body = json!({ "state": format!("PART_STATE_{state}") });
        self.send(Method::PATCH, &format!("parts/{part}"), body).await
    }

    /// The repairer proposes an estimate.
    async fn propose(&self, minutes: i32, parts: &[&str]) -> Value {
        let details = json!({ "labour": [{ "minutes": minutes }], "part_ids": parts });
        let change = json!({ "reason": "It takes this.", "details": details });
        post(&self.repairer, &self.path("changeOrders"), change).await
    }

    /// The customer says yes or no to a change: the answer.
    async fn decide(&self, change: &Value, decision: &str) -> Answer {
        let change = text_at(change, "id").unwrap();
        let path = self.path(&format!("changeOrders/{change}:{decision}"));
        self.customer.client.post(&path, json!({})).await.unwrap()
    }

    /// The repairer says that there is no more to do.
    async fn finish(&self, outcome: &str) -> Answer {
        let tests = json!([{ "code": "full_cycle", "passed": true }]);
        self.send(Method::POST, "repair:finish", json!({ "outcome": outcome, "tests": tests }))
            .await
    }

    /// The customer has signed, and the repairer delivers. Returns the price.
    async fn deliver(&self) -> i64 {
        let proof = json!({ "kind": "signature.customer", "sha256": "0".repeat(64) });
        post(&self.repairer, &self.path("proofs"), proof).await;
        cents(&act(&self.repairer, &self.order, "deliver", json!({})).await["total"])
    }

    async fn order(&self) -> Value {
        see(&self.customer, &self.order).await
    }
}

/// A request for a repairer's visit tomorrow at noon.
fn request_for(mesh: &Mesh, provider: &Provider, category: &str) -> Value {
    let mut request = demo::repair_request(&provider.provider_id, noon(mesh));
    if category != "appliance" {
        request["details"] = json!({ "category": category });
    }
    request
}

/// The customer accepts, both say how it was, and the money follows.
async fn close(visit: &Visit, total: i64) {
    act(&visit.customer, &visit.order, "acceptDelivery", json!({})).await;
    act(&visit.customer, &visit.order, "review", json!({ "stars": 5, "text": "Dry again." })).await;
    act(&visit.repairer, &visit.order, "review", json!({ "stars": 5, "text": "Tidy." })).await;
    let captured = eventually(
        "the money is captured",
        async || visit.order().await,
        |order| order["payment"]["state"] == "PAYMENT_STATE_CAPTURED",
    );
    assert_eq!(cents(&captured.await["payment"]["captured"]), total);
}

/// Whether the ledger adds up to nothing.
async fn is_balanced(operator: &Person) -> bool {
    get(operator, "/v1/ledger/trialBalance").await["balanced"] == true
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repair_from_booking_to_review(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) =
        (mesh.customer("alice").await, mesh.repairer(&operator, "bob").await);
    let washer = json!({ "brand": "Bosch", "model": "WAN28", "serial": "FD 9912" });
    let washer = post(&customer, "/v1/me/appliances", washer).await;
    let mut request = request_for(&mesh, &provider, "appliance");
    request["details"] = json!({
        "category": "appliance", "appliance_id": washer["id"], "symptoms": "It does not drain.",
    });
    let booked = demo::book(&customer, request).await.unwrap();
    assert_eq!(cents(&booked["total"]), 7_800);
    let id = text_at(&booked, "id").unwrap();
    let asked = see(&provider.person, &id).await;
    assert_eq!(
        asked["details"]["symptoms"],
        Value::Null,
        "who was asked reads no secrets: {asked}"
    );
    let mut visit = Visit::begin_order(&mesh, &customer, &provider, id).await;
    assert_eq!(visit.repair().await["state"], "REPAIR_STATE_ON_SITE");
    assert_eq!(visit.repair().await["appliance"]["serial"], "FD 9912");

    visit.diagnose().await;
    let told = async || is_told(&visit.customer, "repair.diagnosed.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    let part = json!({
        "name": "Drain pump", "cost": { "currency": "EUR", "minor_units": "8000" },
    });
    let part = text_at(&post(&visit.repairer, &visit.path("parts"), part).await, "id").unwrap();
    let change = visit.propose(70, &[&part]).await;
    assert_eq!(cents(&change["amount"]), 11_550, "{change}");
    assert_eq!(visit.repair().await["state"], "REPAIR_STATE_ESTIMATED");
    assert_eq!(visit.decide(&change, "approve").await.status, 200);
    assert_eq!(cents(&visit.order().await["total"]), 19_350);
    let full = get(&visit.repairer, &format!("/v1/orders/{}?view=full", visit.order)).await;
    assert_eq!(full["vertical_state"], "APPROVED", "{full}");

    // The part comes in two days, and the repairer with it.
    visit.send(Method::POST, "repair:wait", json!({})).await.ok().unwrap();
    visit.move_part(&part, "ORDERED").await.ok().unwrap();
    let start = mesh.clock.now() + Duration::days(2);
    let window = json!({
        "start": start.to_rfc3339(), "end": (start + Duration::hours(1)).to_rfc3339(),
    });
    post(&visit.repairer, &visit.path("visits"), json!({ "window": window })).await;
    mesh.clock.advance(Duration::days(2));
    visit.customer = mesh.again(&visit.customer).await;
    visit.repairer = mesh.again(&visit.repairer).await;
    visit.move_part(&part, "ARRIVED").await.ok().unwrap();
    let told = async || is_told(&visit.customer, "repair.parts_arrived.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    visit.send(Method::POST, "repair:resume", json!({})).await.ok().unwrap();
    visit.move_part(&part, "USED").await.ok().unwrap();
    assert_eq!(attempt(&visit.repairer, &visit.order, "deliver", json!({})).await.0, 400);
    visit.finish("repaired").await.ok().unwrap();
    assert_eq!(
        attempt(&visit.repairer, &visit.order, "deliver", json!({})).await.0,
        400,
        "no signature"
    );
    assert_eq!(visit.deliver().await, 19_350);
    close(&visit, 19_350).await;
    assert!(is_balanced(&mesh.again(&operator).await).await);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_estimate_that_the_fee_covers_adds_nothing(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let visit = Visit::of_strangers(&mesh, "handyman").await;
    visit.diagnose().await;
    let part = visit.add_part(1_999).await;
    let change = visit.propose(25, &[&part]).await;
    assert_eq!(cents(&change["amount"]), 0, "{change}");
    let totals: Vec<i64> =
        change["price_lines"].as_array().unwrap().iter().map(|it| cents(&it["total"])).collect();
    assert_eq!(totals, [2_400, 1_999, 300, -4_699]);
    visit.decide(&change, "approve").await.ok().unwrap();
    visit.move_part(&part, "USED").await.ok().unwrap();
    visit.finish("repaired").await.ok().unwrap();
    assert_eq!(visit.deliver().await, 7_800);
    close(&visit, 7_800).await;
}

#[parameterized(
    sqlite_declined = { Backend::Sqlite, "reject" },
    postgres_declined = { Backend::Postgres, "reject" },
    sqlite_expired = { Backend::Sqlite, "" },
    postgres_expired = { Backend::Postgres, "" },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn without_a_yes_the_visit_is_paid_and_no_more(backend: Backend, decision: &str) {
    let mesh = Mesh::start(backend).await;
    let mut visit = Visit::of_strangers(&mesh, "appliance").await;
    visit.diagnose().await;
    let part = visit.add_part(8_000).await;
    let change = visit.propose(70, &[&part]).await;
    if decision.is_empty() {
        mesh.clock.advance(Duration::hours(71));
        visit.customer = mesh.again(&visit.customer).await;
        assert_eq!(
            visit.repair().await["state"],
            "REPAIR_STATE_ESTIMATED",
            "it holds for three days"
        );
        mesh.clock.advance(Duration::hours(2));
        visit.customer = mesh.again(&visit.customer).await;
        visit.repairer = mesh.again(&visit.repairer).await;
    } else {
        visit.decide(&change, decision).await.ok().unwrap();
    }
    let declined = |repair: &Value| repair["state"] == "REPAIR_STATE_DECLINED";
    eventually("it is declined", async || visit.repair().await, declined).await;
    let used = visit.move_part(&part, "USED").await;
    assert_eq!((used.status.as_u16(), used.reason()), (400, "PART_NOT_APPROVED"));
    let repaired = visit.finish("repaired").await;
    assert_eq!((repaired.status.as_u16(), repaired.reason()), (400, "ORDER_STATE"));
    visit.finish("unrepaired").await.ok().unwrap();
    let delivered = act(&visit.repairer, &visit.order, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 7_800);
    close(&visit, 7_800).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_cannot_be_repaired_costs_the_visit(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let visit = Visit::of_strangers(&mesh, "heating").await;
    visit.diagnose().await;
    visit.finish("unrepaired").await.ok().unwrap();
    let delivered = act(&visit.repairer, &visit.order, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 7_800);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_card_leaves_the_estimate_and_no_work_can_start(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = "alice@test.example";
    let customer =
        demo::register_account(&mesh.client, "customer", "Alice", customer).await.unwrap();
    demo::add_card(&customer, "tok_raise_declined").await.unwrap();
    let provider = mesh.repairer(&operator, "bob").await;
    let visit = Visit::begin(&mesh, &customer, &provider, "appliance").await;
    visit.diagnose().await;
    let part = visit.add_part(8_000).await;
    let change = visit.propose(70, &[&part]).await;
    for _ in 0..2 {
        let declined = visit.decide(&change, "approve").await;
        assert!(!declined.status.is_success(), "{}", declined.body);
        let order = visit.order().await;
        assert_eq!(order["state"], "ORDER_STATE_AWAITING_APPROVAL", "{}", declined.body);
        assert_eq!(cents(&order["total"]), 7_800);
        assert_eq!(visit.repair().await["state"], "REPAIR_STATE_ESTIMATED");
    }
    assert_eq!(visit.move_part(&part, "USED").await.reason(), "PART_NOT_APPROVED");
    for act in ["repair:wait", "repair:resume"] {
        assert_eq!(visit.send(Method::POST, act, json!({})).await.reason(), "ORDER_STATE", "{act}");
    }
    assert_eq!(visit.finish("repaired").await.reason(), "ORDER_STATE");
    assert_eq!(attempt(&visit.repairer, &visit.order, "deliver", json!({})).await.0, 400);
    // The repairer takes the estimate back, and the visit is paid.
    let path = visit.path(&format!("changeOrders/{}:reject", text_at(&change, "id").unwrap()));
    post(&visit.repairer, &path, json!({})).await;
    visit.finish("unrepaired").await.ok().unwrap();
    act(&visit.repairer, &visit.order, "deliver", json!({})).await;
    close(&visit, 7_800).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_returned_part_comes_off_the_price(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let visit = Visit::of_strangers(&mesh, "appliance").await;
    visit.diagnose().await;
    let (used, spare) = (visit.add_part(8_000).await, visit.add_part(1_000).await);
    let change = visit.propose(70, &[&used, &spare]).await;
    assert_eq!(cents(&change["amount"]), 12_700);
    visit.decide(&change, "approve").await.ok().unwrap();
    visit.move_part(&used, "USED").await.ok().unwrap();
    visit.finish("repaired").await.ok().unwrap();
    visit.move_part(&spare, "RETURNED").await.ok().unwrap();
    assert_eq!(visit.deliver().await, 19_350);
    close(&visit, 19_350).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hazard_alarms_everyone_and_work_stops(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let visit = Visit::of_strangers(&mesh, "heating").await;
    let leak = json!({ "code": "gas.leak", "findings": "Gas leaks.", "hazard": true });
    visit.send(Method::PUT, "diagnosis", leak.clone()).await.ok().unwrap();
    let alarmed = |order: &Value| order["disputed"] == true;
    eventually("the order is disputed", async || visit.order().await, alarmed).await;
    let told = async || is_told(&visit.customer, "order.sos.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    let estimate = json!({ "reason": "Weld it.", "details": { "labour": [{ "minutes": 30 }] } });
    let denied = visit.send(Method::POST, "changeOrders", estimate).await;
    assert!(denied.body.to_string().contains("HAZARD"), "{}", denied.body);
    assert_eq!(visit.finish("repaired").await.reason(), "HAZARD");
    let mut over = leak;
    over["hazard"] = json!(false);
    visit.send(Method::PUT, "diagnosis", over).await.ok().unwrap();
    assert_eq!(cents(&visit.propose(30, &[]).await["amount"]), 0, "the fee covers 36 euros");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_wrong_field_of_the_details_is_named(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) =
        (mesh.customer("alice").await, mesh.repairer(&operator, "bob").await);
    for (field, value) in [
        ("category", json!("painting")),
        ("brand", json!("")),
        ("appliance_id", json!("7")),
        ("photos", json!("none")),
        ("urgency", json!("urgent")),
        ("colour", json!("red")),
    ] {
        let mut request = request_for(&mesh, &provider, "appliance");
        request["details"][field] = value;
        let answer = customer.client.post("/v1/quotes", request).await.unwrap();
        assert_eq!(answer.status, 400, "{field}: {}", answer.body);
        let named = answer.body["violations"][0]["field"].as_str().unwrap().to_owned();
        // Without its brand an appliance is not named at all; the model that is left needs one.
        let expected = if field == "brand" { "appliance_id" } else { field };
        assert_eq!(named, format!("details.{expected}"), "{}", answer.body);
    }
    let schema = get(&customer, "/v1/verticals/repair/schema").await;
    assert!(schema["changes"]["properties"]["part_ids"].is_object(), "{schema}");
}
