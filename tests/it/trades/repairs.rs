//! A made-up repair: estimates that are approved, declined or run out, parts that are used or go back, rework, and a recall.

use super::Deal;
use crate::{
    journey::{act, cents, get, noon, post, until_work_begins},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::eventually;
use quickserve::demo::{self, Person, Provider, text_at};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use std::io::Write as _;

/// Cards that take a visit's price, and what they do with raises and captures.
const CARDS: [&str; 7] = [
    "tok_ok",
    "tok_second_hold",
    "tok_raise_confirm",
    "tok_raise_declined",
    "tok_second_capture_declined",
    "tok_capture_declined",
    "tok_timeout_charged",
];
/// The price of a visit with its diagnosis.
const VISIT: i64 = 7_800;

/// A repair from its booking to the money.
pub async fn live(
    mesh: &Mesh,
    operator: &Person,
    provider: &Provider,
    number: usize,
    random: &mut StdRng,
) {
    let card = CARDS[random.random_range(0..CARDS.len())];
    let _ = writeln!(std::io::stderr(), "repair {number}: {card}");
    let email = format!("customer{number}@test.example");
    let customer = demo::register_account(&mesh.client, "customer", "Alice", &email);
    let customer = customer.await.unwrap();
    demo::add_card(&customer, card).await.unwrap();
    let request = demo::repair_request(&provider.provider_id, noon(mesh));
    let booked = demo::book(&customer, request).await.unwrap();
    let mut deal = begin(mesh, &customer, provider, &booked).await;
    assert_eq!(deal.agreed, VISIT);
    repair(mesh, &mut deal, random).await;
    let is_reworked = random.random_bool(0.3);
    let total = deliver(&mut deal, is_reworked).await;
    let operator = mesh.again(operator).await;
    deal.sign_in_again(mesh).await;
    deal.close(&operator, (total, 0)).await;
    if deal.owed().await == [0, 0] && random.random_bool(0.5) {
        recall(mesh, deal, provider, random).await;
    }
}

/// The order under way, whose customer has agreed to its price.
async fn begin(mesh: &Mesh, customer: &Person, provider: &Provider, booked: &Value) -> Deal {
    let provider = Provider { person: mesh.again(&provider.person).await, ..provider.clone() };
    let order = text_at(booked, "id").unwrap();
    let (customer, worker) = until_work_begins(mesh, customer, &provider, &order).await;
    let deal = Deal { order, customer, worker, agreed: cents(&booked["total"]) };
    let found = json!({ "code": "pump.broken", "findings": "The pump is broken." });
    send(&deal, Method::PUT, "diagnosis", found).await;
    deal
}

/// What was sent was taken.
async fn send(deal: &Deal, method: Method, below: &str, body: Value) -> Value {
    let answer = deal.worker.client.send(method, &deal.path(below), Some(body), &[]).await;
    answer.unwrap().ok().unwrap()
}

/// Up to three estimates, each with its end, and the end of the repair.
async fn repair(mesh: &Mesh, deal: &mut Deal, random: &mut StdRng) {
    let mut approved_parts = Vec::new();
    let mut is_approved = false;
    for _ in 0..random.random_range(0..=3) {
        let mut parts = Vec::new();
        for _ in 0..random.random_range(0..3) {
            parts.push(add_part(deal, random.random_range(500..20_000)).await);
        }
        let minutes = random.random_range(5..200);
        let labour = json!({ "labour": [{ "minutes": minutes }], "part_ids": parts });
        let change = deal.propose(labour).await.unwrap();
        deal.check().await;
        match random.random_range(0..4) {
            0 => {
                let path = deal.path(&format!("changeOrders/{}:reject", change.0));
                post(&deal.customer, &path, json!({})).await;
            }
            1 => {
                mesh.clock.advance(Duration::hours(73));
                deal.sign_in_again(mesh).await;
                is_over(deal).await;
            }
            _ => {
                if deal.approve(&change).await {
                    is_approved = true;
                    approved_parts.append(&mut parts);
                }
            }
        }
        // What was not agreed to goes back.
        for part in parts {
            move_part(deal, &part, "RETURNED").await;
        }
        deal.check().await;
    }
    for part in approved_parts {
        let state = if random.random_bool(0.7) { "USED" } else { "RETURNED" };
        move_part(deal, &part, state).await;
    }
    let outcome = if is_approved { "repaired" } else { "unrepaired" };
    finish(deal, outcome).await;
}

async fn is_over(deal: &Deal) {
    let order = async || deal.see().await;
    let goes_on = |order: &Value| order["state"] == "ORDER_STATE_IN_PROGRESS";
    eventually("the estimate has run out", order, goes_on).await;
}

async fn add_part(deal: &Deal, cost: i64) -> String {
    let cost = json!({ "currency": "EUR", "minor_units": cost.to_string() });
    let part = json!({ "name": "Part", "cost": cost, "on_board": true });
    text_at(&post(&deal.worker, &deal.path("parts"), part).await, "id").unwrap()
}

async fn move_part(deal: &Deal, part: &str, state: &str) {
    let body = json!({ "state": format!("PART_STATE_{state}") });
    send(deal, Method::PATCH, &format!("parts/{part}"), body).await;
}

async fn finish(deal: &Deal, outcome: &str) {
    let tests = json!([{ "code": "full_cycle", "passed": true }]);
    send(deal, Method::POST, "repair:finish", json!({ "outcome": outcome, "tests": tests })).await;
}

/// The delivery, and its rework where the customer asks for some. Returns the price.
async fn deliver(deal: &mut Deal, is_reworked: bool) -> i64 {
    let proof = json!({ "kind": "signature.customer", "sha256": "0".repeat(64) });
    post(&deal.worker, &deal.path("proofs"), proof).await;
    let mut delivered = act(&deal.worker, &deal.order, "deliver", json!({})).await;
    deal.check().await;
    if is_reworked {
        let reason = json!({ "reason": "It still drips." });
        act(&deal.customer, &deal.order, "requestChanges", reason).await;
        let repair = get(&deal.worker, &deal.path("repair")).await;
        let is_finished = repair["state"] == "REPAIR_STATE_UNREPAIRED";
        if !is_finished {
            finish(deal, "repaired").await;
        }
        delivered = act(&deal.worker, &deal.order, "deliver", json!({})).await;
        deal.check().await;
    }
    cents(&delivered["total"])
}

/// The work is made good for nothing, or another fault is paid by its estimate.
async fn recall(mesh: &Mesh, done: Deal, provider: &Provider, random: &mut StdRng) {
    let start = noon(mesh);
    let window = json!({
        "start": start.to_rfc3339(), "end": (start + Duration::minutes(90)).to_rfc3339(),
    });
    let body = json!({ "recall_of": done.order, "window": window });
    let booked = post(&done.customer, "/v1/orders", body).await;
    let provider = Provider { person: done.worker, ..provider.clone() };
    let mut deal = begin(mesh, &done.customer, &provider, &booked).await;
    assert_eq!(deal.agreed, 0);
    let is_unrelated = random.random_bool(0.5);
    if is_unrelated {
        let found = json!({ "code": "seal", "findings": "It leaks.", "unrelated": true });
        send(&deal, Method::PUT, "diagnosis", found).await;
    }
    let change = deal.propose(json!({ "labour": [{ "minutes": 70 }] })).await.unwrap();
    assert_eq!(change.1 > 0, is_unrelated);
    let is_approved = deal.approve(&change).await;
    finish(&deal, if is_approved { "repaired" } else { "unrepaired" }).await;
    deliver(&mut deal, false).await;
    act(&deal.customer, &deal.order, "acceptDelivery", json!({})).await;
    deal.check().await;
}
