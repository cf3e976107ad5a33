//! The process dies while an estimate is approved, while a move's settlement is written and taken, and while a claim holds
//! and is settled: each is done once, no more is taken than was agreed to, and the books balance.

use super::{
    crash::armed,
    people::{People, in_hours},
    program::{Home, Program},
};
use crate::journey::cents;
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, CENTRE, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// An estimate of a repair that is raised, and its price that is taken: the payment provider is asked for the price, for
/// what is added to it, and for the money.
const REPAIR: [&str; 7] = [
    "payment.asking:2",
    "payment.answered:2",
    "deliver.gate",
    "deliver.write",
    "payment.asking:3",
    "payment.answered:3",
    "effect.capture",
];
/// The settlement of a move up to its cap with a due beyond it, and a claim that is held back and refunded.
pub(super) const MOVE: [&str; 9] = [
    "deliver.gate",
    "deliver.write",
    "payment.asking:2",
    "payment.answered:2",
    "effect.capture",
    "effect.freeze",
    "payment.asking:3",
    "payment.answered:3",
    "effect.refund",
];

/// Who takes part in an order at a program that dies once and is started again.
struct Story {
    home: Home,
    people: People,
    program: Option<Program>,
    has_died: bool,
    order: String,
    /// What was quoted, and the most that it costs unasked.
    price: i64,
    cap: i64,
}

/// Who does something.
#[derive(Clone, Copy)]
enum Who {
    Customer,
    Worker,
}

impl Story {
    fn client(&self, who: Who) -> &quickserve::client::Client {
        match who {
            Who::Customer => &self.people.customer.client,
            Who::Worker => &self.people.provider.person.client,
        }
    }

    fn path(&self, below: &str) -> String {
        format!("/v1/orders/{}{below}", self.order)
    }

    /// The program has died at its point: it goes on.
    async fn restart(&mut self) {
        let (status, log) = self.program.take().unwrap().ended().await;
        assert!(!status.success() && !log.contains("panicked"), "{status} {log}");
        assert!(!self.has_died, "the program died twice: {log}");
        self.has_died = true;
        let (program, people) = self.home.restart(&self.people).await;
        (self.program, self.people) = (Some(program), people);
    }

    /// Makes a call until it is answered. What was done before the process died may be refused the second time.
    async fn call(&mut self, who: Who, method: Method, below: &str, body: Value) -> Value {
        let path = self.path(below);
        loop {
            let sent = self.client(who).send(method.clone(), &path, Some(body.clone()), &[]).await;
            match sent {
                Ok(answer) if answer.status.is_success() => return answer.body,
                Ok(answer) if self.has_died && answer.reason() == "ORDER_STATE" => {
                    return answer.body;
                }
                // Another process of the program still has it.
                Ok(answer) if [409, 503].contains(&answer.status.as_u16()) => {
                    tokio::task::yield_now().await;
                }
                Ok(answer) => panic!("{path}: {} {}", answer.status, answer.body),
                Err(_) => self.restart().await,
            }
        }
    }

    async fn post(&mut self, who: Who, below: &str, body: Value) -> Value {
        self.call(who, Method::POST, below, body).await
    }

    /// Reads the order as its customer until it is so. The program may die meanwhile.
    async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let path = self.path("");
            let customer = &self.people.customer.client;
            let read = async || customer.get(&path).await.ok().map(|answer| answer.body);
            let is_so = |order: &Option<Value>| order.as_ref().is_none_or(&holds);
            let found = eventually(what, read, is_so).await;
            match found {
                Some(order) => return order,
                None => self.restart().await,
            }
        }
    }

    /// From the provider's yes to the work.
    async fn begin(&mut self) {
        self.post(Who::Worker, ":accept", json!({})).await;
        self.post(Who::Worker, ":depart", json!({})).await;
        let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
        self.post(Who::Worker, ":arrive", door).await;
        let order = self.until("the code is there", |order| order["start_code"].is_string()).await;
        let code = text_at(&order, "start_code").unwrap();
        self.post(Who::Worker, ":start", json!({ "start_code": code })).await;
    }

    /// The process has died at the point, or the story has passed it by.
    async fn end(mut self, point: &str, total: i64) -> (Home, People) {
        let taken = |order: &Value| order["payment"]["state"] == "PAYMENT_STATE_CAPTURED";
        let order = self.until("the money is taken", taken).await;
        let captured = cents(&order["payment"]["captured"]);
        assert_eq!((captured, cents(&order["total"])), (total, total), "{point}");
        assert!(self.has_died, "{point} was not reached");
        let paid =
            self.home.rows("payment", "SELECT amount FROM captures WHERE split_at IS NULL").await;
        assert_eq!(paid.len(), 0, "{point}");
        let operator = &self.people.operator.client;
        let books = operator.get("/v1/ledger/trialBalance").await.unwrap().ok().unwrap();
        assert_eq!(books["balanced"], true, "{point}: {books}");
        self.program.take().unwrap().stop().await;
        (self.home, self.people)
    }
}

/// A home of a customer and who works for them.
async fn settle(backend: Backend, vertical: &str) -> (Home, People) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let cleaned = People::settle(&home, &program).await;
    let (client, operator) = (&program.client, &cleaned.operator);
    let provider: Provider = match vertical {
        "repair" => demo::make_repairer(client, operator, "carl", "carl@test.example").await,
        _ => demo::make_movers(client, operator, "firm", "firm@test.example").await,
    }
    .unwrap();
    let people = People { provider, ..cleaned };
    program.stop().await;
    (home, people)
}

/// Books at a program that dies at `point`.
async fn book(home: Home, people: &People, point: &str, request: Value) -> Story {
    let program = home.start_with(&armed(point)).await;
    let people = people.at(&program);
    let booked = demo::book(&people.customer, request).await.unwrap();
    let order = text_at(&booked, "id").unwrap();
    let price = cents(&booked["total"]);
    let cap = booked.get("cap").map_or(price, cents);
    Story { home, people, program: Some(program), has_died: false, order, price, cap }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_an_estimate_is_gone_on_with(backend: Backend) {
    let (mut home, mut people) = settle(backend, "repair").await;
    for (number, point) in REPAIR.into_iter().enumerate() {
        println!("{point}");
        let start = in_hours(24 + 4 * i64::try_from(number).unwrap());
        let request = demo::repair_request(&people.provider.provider_id, start);
        let mut story = book(home, &people, point, request).await;
        story.begin().await;
        let found = json!({ "code": "pump.broken", "findings": "The pump is broken." });
        story.call(Who::Worker, Method::PUT, "/diagnosis", found).await;
        let labour = json!({ "labour": [{ "minutes": 70 }] });
        let change = json!({ "reason": "It takes this.", "details": labour });
        let change = story.post(Who::Worker, "/changeOrders", change).await;
        let approve = format!("/changeOrders/{}:approve", text_at(&change, "id").unwrap());
        story.post(Who::Customer, &approve, json!({})).await;
        // At night a visit costs more.
        let total = story.price + 2_350;
        story.until("it is approved", |order| cents(&order["total"]) == total).await;
        let end = json!({ "outcome": "repaired", "tests": [{ "code": "cycle", "passed": true }] });
        story.post(Who::Worker, "/repair:finish", end).await;
        let proof = json!({ "kind": "signature.customer", "sha256": "0".repeat(64) });
        story.post(Who::Worker, "/proofs", proof).await;
        story.post(Who::Worker, ":deliver", json!({})).await;
        story.post(Who::Customer, ":acceptDelivery", json!({})).await;
        (home, people) = story.end(point, total).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_a_settlement_is_gone_on_with(backend: Backend) {
    let (mut home, mut people) = settle(backend, "moving").await;
    let customers = make_customers(&home).await;
    for (number, point) in MOVE.into_iter().enumerate() {
        println!("{point}");
        let start = in_hours(24 + 8 * i64::try_from(number).unwrap());
        let mut request = demo::move_request(&people.provider.provider_id, start);
        request["details"]["basis"] = "estimate".into();
        // Each has a customer of its own: what is due keeps one from booking again.
        people.customer = customers[number].clone();
        let mut story = book(home, &people, point, request).await;
        story.begin().await;
        let note = |item: Value| json!({ "items": [item] });
        let many = note(json!({ "line": 1, "quantity": 740 }));
        story.call(Who::Worker, Method::PATCH, "/inventory", many).await;
        for act in ["/inventory:confirm", "/move:load"] {
            story.post(Who::Worker, act, json!({})).await;
        }
        let loaded = note(json!({ "line": 1, "loaded": 740 }));
        story.call(Who::Worker, Method::PATCH, "/inventory", loaded).await;
        let signature = json!({
            "stage": "WAYBILL_STAGE_LOADING", "signature_sha256": "0".repeat(64), "none": true,
        });
        story.post(Who::Customer, "/waybill:sign", signature).await;
        for act in ["/move:depart", "/move:unload"] {
            story.post(Who::Worker, act, json!({})).await;
        }
        let amount = json!({ "currency": "EUR", "minor_units": 5_000 });
        let signature = json!({
            "stage": "WAYBILL_STAGE_DELIVERY", "signature_sha256": "0".repeat(64), "none": false,
            "reserves": [{ "line": 1, "kind": "damaged", "amount": amount, "quantity": 1 }],
        });
        story.post(Who::Customer, "/waybill:sign", signature).await;
        story.post(Who::Worker, ":deliver", json!({})).await;
        story.post(Who::Customer, ":acceptDelivery", json!({})).await;
        let taken = |order: &Value| order["payment"]["state"] == "PAYMENT_STATE_CAPTURED";
        story.until("the money is taken", taken).await;
        settle_claim(&mut story).await;
        let refunded = |order: &Value| cents(&order["payment"]["refunded"]) == 5_000;
        story.until("the claim is refunded", refunded).await;
        let due = |order: &Value| order["payment"]["beyond_cap_due_id"].is_string();
        story.until("the rest is due", due).await;
        let dues = "SELECT id FROM dues WHERE amount = 16076";
        assert_eq!(story.home.rows("payment", dues).await.len(), number + 1, "{point}");
        assert_eq!((story.price, story.cap), (85_840, 94_424));
        (home, people) = story.end(point, 94_424).await;
    }
}

/// A customer for each point.
async fn make_customers(home: &Home) -> Vec<Person> {
    let program = home.start().await;
    let mut customers = Vec::new();
    for number in 0..MOVE.len() {
        let email = format!("customer{number}@test.example");
        customers.push(demo::make_customer(&program.client, "Alice", &email).await.unwrap());
    }
    program.stop().await;
    customers
}

/// The movers accept the claim, as often as it takes.
async fn settle_claim(story: &mut Story) {
    loop {
        let path = story.path("/claims");
        let Ok(claims) = story.people.customer.client.get(&path).await else {
            story.restart().await;
            continue;
        };
        let claim = text_at(&claims.body["claims"][0], "id").unwrap();
        let accept = format!("/v1/claims/{claim}:accept");
        match story.client(Who::Worker).post(&accept, json!({})).await {
            Ok(answer) if answer.status.is_success() => return,
            Ok(answer) => panic!("{} {}", answer.status, answer.body),
            Err(_) => story.restart().await,
        }
    }
}
