//! A made-up move: more or fewer goods than were declared, change orders, parts that do not arrive, claims and dues.

use super::{Deal, books_are_at_zero};
use crate::{
    journey::{act, cents, get, noon, post, until_work_begins},
    mesh::Mesh,
};
use http::Method;
use kit::testing::eventually;
use quickserve::demo::{self, Person, Provider, text_at};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use std::io::Write as _;

/// Cards that take a move's price, and what they do with raises and captures.
const CARDS: [&str; 5] = [
    "tok_ok",
    "tok_second_hold",
    "tok_raise_declined",
    "tok_raise_confirm",
    "tok_capture_declined",
];
/// The boxes that are declared.
const DECLARED: i32 = 560;

/// A move from its booking to the money and the claims.
pub async fn live(
    mesh: &Mesh,
    operator: &Person,
    firm: &Provider,
    number: usize,
    random: &mut StdRng,
) {
    let card = CARDS[random.random_range(0..CARDS.len())];
    let basis = if random.random_bool(0.6) { "estimate" } else { "binding" };
    let _ = writeln!(std::io::stderr(), "move {number}: {card}, {basis}");
    let email = format!("customer{number}@test.example");
    let customer = demo::register_account(&mesh.client, "customer", "Alice", &email);
    let customer = customer.await.unwrap();
    demo::add_card(&customer, card).await.unwrap();
    let mut request = demo::move_request(&firm.provider_id, noon(mesh));
    request["details"]["basis"] = basis.into();
    let booked = demo::book(&customer, request).await.unwrap();
    let order = text_at(&booked, "id").unwrap();
    let agreed = booked.get("cap").map_or_else(|| cents(&booked["total"]), cents);
    let firm = Provider { person: mesh.again(&firm.person).await, ..firm.clone() };
    let (customer, worker) = until_work_begins(mesh, &customer, &firm, &order).await;
    let mut deal = Deal { order, customer, worker, agreed };

    let boxes = carry(&mut deal, random).await;
    let reserves = make_reserves(random, boxes);
    let has_claims = !reserves.is_empty();
    sign(&deal, "WAYBILL_STAGE_DELIVERY", &reserves).await;
    let delivered = act(&deal.worker, &deal.order, "deliver", json!({})).await;
    let total = cents(&delivered["total"]);
    deal.check().await;
    let operator = mesh.again(operator).await;
    close(&deal, &operator, total).await;
    if has_claims {
        end_claims(&deal, &operator, random).await;
    }
    deal.check().await;
    books_are_at_zero(&operator).await;
}

/// The customer's yes. What lies beyond the cap of an estimate is for the ledger to say; of a binding price nothing does.
async fn close(deal: &Deal, operator: &Person, total: i64) {
    act(&deal.customer, &deal.order, "acceptDelivery", json!({})).await;
    let paid = async || {
        let captured = cents(&deal.see().await["payment"]["captured"]);
        captured + deal.owed().await[0]
    };
    eventually("the price is paid or owed", paid, |paid| *paid == total).await;
    books_are_at_zero(operator).await;
}

async fn note(deal: &Deal, item: Value) {
    let body = json!({ "items": [item] });
    let path = deal.path("inventory");
    deal.worker.client.send(Method::PATCH, &path, Some(body), &[]).await.unwrap().ok().unwrap();
}

/// What the movers do next.
async fn go(deal: &Deal, act: &str) {
    post(&deal.worker, &deal.path(act), json!({})).await;
}

async fn sign(deal: &Deal, stage: &str, reserves: &[Value]) {
    let signature = json!({
        "stage": stage, "signature_sha256": "0".repeat(64), "reserves": reserves,
        "none": reserves.is_empty(),
    });
    post(&deal.customer, &deal.path("waybill:sign"), signature).await;
}

/// From the survey to the home where the goods are unloaded. Returns how many boxes were loaded.
async fn carry(deal: &mut Deal, random: &mut StdRng) -> i32 {
    let boxes = DECLARED + random.random_range(-100..=200);
    note(deal, json!({ "line": 1, "quantity": boxes })).await;
    if boxes > DECLARED && random.random_bool(0.5) {
        let change = deal.propose(json!({ "inventory": true })).await.unwrap();
        deal.check().await;
        if random.random_bool(0.7) {
            deal.approve(&change).await;
        } else {
            let path = deal.path(&format!("changeOrders/{}:reject", change.0));
            post(&deal.customer, &path, json!({})).await;
        }
        deal.check().await;
    }
    go(deal, "inventory:confirm").await;
    go(deal, "move:load").await;
    note(deal, json!({ "line": 1, "loaded": boxes })).await;
    sign(deal, "WAYBILL_STAGE_LOADING", &[]).await;
    let refused = deal.propose(json!({ "inventory": true })).await.unwrap_err();
    assert!(refused.contains("PRICE_FIXED"), "{refused}");
    go(deal, "move:depart").await;
    go(deal, "move:unload").await;
    boxes
}

/// Some of the boxes are missing, some are damaged, or neither.
fn make_reserves(random: &mut StdRng, boxes: i32) -> Vec<Value> {
    let mut reserves = Vec::new();
    for kind in ["missing", "damaged"] {
        if random.random_bool(0.4) {
            let amount: i64 = random.random_range(500..120_000);
            let amount = json!({ "currency": "EUR", "minor_units": amount });
            let quantity = random.random_range(1..boxes / 4);
            let reserve =
                json!({ "line": 1, "kind": kind, "amount": amount, "quantity": quantity });
            reserves.push(reserve);
        }
    }
    reserves
}

/// Each claim ends: the movers accept it, the customer takes it back, or an operator settles it. No more goes back than was
/// taken.
async fn end_claims(deal: &Deal, operator: &Person, random: &mut StdRng) {
    let claims = get(&deal.customer, &deal.path("claims")).await;
    for claim in claims["claims"].as_array().unwrap() {
        let path = format!("/v1/claims/{}", text_at(claim, "id").unwrap());
        match random.random_range(0..3) {
            0 => post(&deal.worker, &format!("{path}:accept"), json!({})).await,
            1 => post(&deal.customer, &format!("{path}:withdraw"), json!({})).await,
            _ => {
                let refund = json!({ "currency": "EUR", "minor_units": 500 });
                post(operator, &format!("{path}:settle"), json!({ "refund": refund })).await
            }
        };
        deal.check().await;
    }
    // Nothing is held back any more.
    let held = async || {
        let payouts = get(&deal.worker, "/v1/payouts").await;
        let listed = payouts["payouts"].as_array().unwrap().clone();
        let own = listed.into_iter().filter(|it| it["order_id"] == deal.order.as_str());
        own.filter(|it| it["state"] == "PAYOUT_STATE_FROZEN").count()
    };
    eventually("no claim holds anything", held, |held| *held == 0).await;
}
