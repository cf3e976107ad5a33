//! Money that was decided, and that moves.

use crate::{
    journey::{act, cents, complete, deliver, get, is_told, noon, post, see},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// After this time the banks of the sandbox's cards dispute a charge or send a refund back.
const BANK_ACTS_AFTER: Duration = Duration::seconds(61);

/// An operator, a customer with this card, a cleaner, and their order for [`noon`], of 56 euros.
struct Deal {
    mesh: Mesh,
    operator: Person,
    customer: Person,
    provider: Provider,
    order: String,
}

impl Deal {
    async fn new(backend: Backend, card: &str) -> Self {
        let mesh = Mesh::start(backend).await;
        let operator = mesh.operator().await;
        let email = "alice@test.example";
        let customer =
            demo::register_account(&mesh.client, "customer", "alice", email).await.unwrap();
        demo::add_card(&customer, card).await.unwrap();
        let provider = mesh.cleaner(&operator, "bob").await;
        let order = demo::book_cleaning(&customer, &provider, noon(&mesh)).await.unwrap();
        assert_eq!(cents(&order["total"]), 5_600);
        let order = text_at(&order, "id").unwrap();
        Self { mesh, operator, customer, provider, order }
    }

    /// The work is done, and the customer has accepted it.
    async fn completed(backend: Backend, card: &str) -> Self {
        let mut it = Self::new(backend, card).await;
        (it.customer, it.provider.person) =
            complete(&it.mesh, &it.customer, &it.provider, &it.order).await;
        it.operator = it.mesh.again(&it.operator).await;
        it
    }

    /// As [`Deal::completed`], and the money is captured.
    async fn captured(backend: Backend, card: &str) -> Self {
        let it = Self::completed(backend, card).await;
        it.until_payment("PAYMENT_STATE_CAPTURED").await;
        it
    }

    async fn until_payment(&self, state: &str) -> Value {
        let own = async || see(&self.customer, &self.order).await;
        eventually(state, own, |order| order["payment"]["state"] == state).await
    }

    /// Waits until so much was captured, went back, and was taken by the bank.
    async fn until_moved(&self, amounts: [i64; 3]) {
        let moved = async || {
            let order = see(&self.customer, &self.order).await;
            ["captured", "refunded", "charged_back"].map(|name| cents(&order["payment"][name]))
        };
        eventually("the money moves", moved, |moved| *moved == amounts).await;
    }

    async fn dispute(&self, person: &Person, resolution: &str, refund: i64) {
        act(person, &self.order, "dispute", json!({ "reason": "QUALITY" })).await;
        let mut decision = json!({ "resolution": format!("DISPUTE_STATE_RESOLVED_{resolution}") });
        if refund > 0 {
            decision["refund"] = euros(refund);
        }
        act(&self.operator, &self.order, "resolveDispute", decision).await;
    }

    async fn refund(&self, body: Value) -> (u16, String) {
        let order = see(&self.operator, &self.order).await;
        let payment = text_at(&order["payment"], "payment_id").unwrap();
        let path = format!("/v1/payments/{payment}/refunds");
        let key = [("idempotency-key", "one-refund")];
        let sent = self.operator.client.send(Method::POST, &path, Some(body), &key).await;
        let answer = sent.unwrap();
        (answer.status.as_u16(), answer.reason().to_owned())
    }

    /// The only payout, as the provider sees it.
    async fn payout(&self) -> Value {
        let cleaner = self.mesh.again(&self.provider.person).await;
        let payouts = get(&cleaner, "/v1/payouts").await["payouts"].as_array().cloned().unwrap();
        assert!(payouts.len() < 2, "{payouts:?}");
        payouts.into_iter().next().unwrap_or_default()
    }

    async fn books_balance(&self) {
        let operator = self.mesh.again(&self.operator).await;
        let balance = get(&operator, "/v1/ledger/trialBalance").await;
        assert_eq!(balance["balanced"], true, "{balance}");
    }
}

fn euros(minor_units: i64) -> Value {
    json!({ "currency": "EUR", "minor_units": minor_units.to_string() })
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_two_disputes_decide_adds_up(backend: Backend) {
    let mut deal = Deal::new(backend, "tok_ok").await;
    (deal.customer, deal.provider.person) =
        deliver(&deal.mesh, &deal.customer, &deal.provider, &deal.order).await;
    deal.operator = deal.mesh.again(&deal.operator).await;
    deal.dispute(&deal.customer, "SPLIT", 2_000).await;
    deal.dispute(&deal.provider.person, "PROVIDER", 0).await;
    act(&deal.customer, &deal.order, "acceptDelivery", json!({})).await;
    deal.until_moved([3_600, 0, 0]).await;
    deal.books_balance().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_second_dispute_gives_back_the_rest(backend: Backend) {
    let deal = Deal::captured(backend, "tok_ok").await;
    deal.dispute(&deal.customer, "SPLIT", 2_000).await;
    deal.until_moved([5_600, 2_000, 0]).await;
    let goodwill = json!({ "amount": euros(1_000), "reason": "goodwill" });
    assert_eq!(deal.refund(goodwill).await.0, 201);
    deal.until_moved([5_600, 3_000, 0]).await;
    deal.dispute(&deal.customer, "CUSTOMER", 0).await;
    deal.until_moved([5_600, 5_600, 0]).await;
    let own = async || see(&deal.mesh.again(&deal.customer).await, &deal.order).await;
    let is_closed = |order: &Value| order["state"] == "ORDER_STATE_CLOSED";
    deal.mesh.in_time("the order is closed", own, is_closed).await;
    assert_eq!(cents(&deal.payout().await["paid"]), 0);
    deal.books_balance().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_card_refuses_after_the_work_is_owed_and_paid_with_another(backend: Backend) {
    let deal = Deal::completed(backend, "tok_capture_declined").await;
    deal.until_payment("PAYMENT_STATE_DUE").await;
    let dues = get(&deal.customer, "/v1/me/dues").await;
    let due = &dues["dues"][0];
    assert_eq!((cents(&due["amount"]), &due["state"]), (5_600, &json!("DUE_STATE_OPEN")));
    for (person, side) in [(&deal.customer, "customer"), (&deal.provider.person, "provider")] {
        let template = format!("payment.due_created.{side}");
        let told = async || is_told(person, &template).await;
        eventually("both sides hear the truth", told, |told| *told).await;
    }
    assert!(!is_told(&deal.provider.person, "payout.scheduled.provider").await);
    assert_eq!(deal.payout().await, Value::Null, "nothing that was not paid is paid out");

    let card = demo::add_card(&deal.customer, "tok_ok").await.unwrap();
    let pay = format!("/v1/dues/{}:pay", text_at(due, "id").unwrap());
    let paid = post(&deal.customer, &pay, json!({ "payment_method_id": card })).await;
    assert_eq!(paid["state"], "DUE_STATE_PAID", "{paid}");
    deal.until_payment("PAYMENT_STATE_CAPTURED").await;
    let payout = async || cents(&deal.payout().await["amount"]);
    eventually("the provider earns", payout, |amount| *amount == 4_480).await;
    deal.books_balance().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_card_that_was_deleted_before_its_day_is_replaced(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let start = noon(&mesh) + Duration::days(14);
    let order = demo::book_cleaning(&alice, &bob, start).await.unwrap();
    assert_eq!(order["payment"]["state"], "PAYMENT_STATE_METHOD_SAVED", "{order}");
    let id = text_at(&order, "id").unwrap();
    act(&bob.person, &id, "accept", json!({})).await;
    let cards = get(&alice, "/v1/paymentMethods").await;
    let path = cards["payment_methods"][0]["id"].as_str().unwrap_or_else(|| panic!("{cards}"));
    let path = format!("/v1/paymentMethods/{path}");
    alice.client.send(Method::DELETE, &path, None, &[]).await.unwrap().ok().unwrap();
    let own = async || see(&mesh.again(&alice).await, &id).await;
    let is_tried = |order: &Value| order["payment"]["state"] != "PAYMENT_STATE_METHOD_SAVED";
    let tried = mesh.in_time("the day before comes", own, is_tried).await;
    let alice = mesh.again(&alice).await;
    if tried["payment"]["state"] == "PAYMENT_STATE_DECLINED" {
        let told = async || is_told(&alice, "order.payment_failed.customer").await;
        eventually("the customer is told", told, |told| *told).await;
        let card = demo::add_card(&alice, "tok_ok").await.unwrap();
        act(&alice, &id, "confirmPayment", json!({ "payment_method_id": card })).await;
    }
    let is_paid = |order: &Value| order["payment"]["state"] == "PAYMENT_STATE_AUTHORIZED";
    let paid = eventually("it is paid", own, is_paid).await;
    assert_eq!(paid["state"], "ORDER_STATE_ASSIGNED", "{paid}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_payout_waits_for_each_reason_that_holds_it(backend: Backend) {
    let deal = Deal::captured(backend, "tok_ok").await;
    let payout = eventually("a payout", async || deal.payout().await, |it| !it.is_null()).await;
    let path = format!("/v1/payouts/{}", text_at(&payout, "id").unwrap());
    post(&deal.operator, &format!("{path}:freeze"), json!({})).await;
    let holds = async || {
        let holds = deal.payout().await["holds"].as_array().cloned().unwrap_or_default();
        let mut reasons: Vec<_> =
            holds.iter().map(|hold| text_at(hold, "reason").unwrap()).collect();
        reasons.sort_unstable();
        reasons
    };
    act(&deal.customer, &deal.order, "dispute", json!({ "reason": "QUALITY" })).await;
    eventually("both hold it", holds, |held| *held == ["OPERATOR", "ORDER_DISPUTE"]).await;
    let decision = json!({ "resolution": "DISPUTE_STATE_RESOLVED_PROVIDER" });
    act(&deal.operator, &deal.order, "resolveDispute", decision).await;
    eventually("the operator's stays", holds, |held| *held == ["OPERATOR"]).await;
    deal.mesh.clock.advance(Duration::days(3));
    let operator = deal.mesh.again(&deal.operator).await;
    assert_eq!(deal.payout().await["state"], "PAYOUT_STATE_FROZEN");
    post(&operator, &format!("{path}:release"), json!({})).await;
    let is_paid = |payout: &Value| payout["state"] == "PAYOUT_STATE_PAID";
    let paid = deal.mesh.in_time("it is paid", async || deal.payout().await, is_paid).await;
    assert_eq!(cents(&paid["paid"]), 4_480, "{paid}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_bank_takes_back_is_not_refunded_as_well(backend: Backend) {
    let deal = Deal::captured(backend, "tok_disputed").await;
    deal.mesh.clock.advance(BANK_ACTS_AFTER);
    deal.until_moved([5_600, 0, 5_600]).await;
    let (status, reason) = deal.refund(json!({ "reason": "sorry" })).await;
    assert_eq!((status, reason.as_str()), (400, "CHARGED_BACK"));
    assert_eq!(deal.payout().await["state"], "PAYOUT_STATE_FROZEN");
    deal.books_balance().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_that_comes_back_did_not_go_back(backend: Backend) {
    let deal = Deal::captured(backend, "tok_refund_comes_back").await;
    deal.dispute(&deal.customer, "CUSTOMER", 0).await;
    deal.until_moved([5_600, 5_600, 0]).await;
    deal.mesh.clock.advance(BANK_ACTS_AFTER);
    deal.until_moved([5_600, 0, 0]).await;
    let alice = deal.mesh.again(&deal.customer).await;
    let told = async || is_told(&alice, "payment.refund_failed.customer").await;
    eventually("the customer is told", told, |told| *told).await;
    deal.books_balance().await;
}
