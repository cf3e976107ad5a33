//! Moves, as people live them over HTTP.

use crate::{
    journey::{act, cents, get, is_told, noon, post, see, until_work_begins},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use http::Method;
use kit::{
    Db,
    testing::{Backend, eventually},
};
use quickserve::demo::{self, CENTRE, Person, Provider, text_at};
use sea_orm::{
    ConnectionTrait, ExprTrait,
    sea_query::{Expr, Query},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use yare::parameterized;

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.08;

/// A home to which the way from the centre is so many metres, north of it.
fn home(metres: f64) -> Value {
    json!({ "lat": CENTRE.0 + metres / 1.3 / METRES_A_DEGREE, "lng": CENTRE.1 })
}

/// A request for the price of a move like this, which takes so many minutes.
fn request_for(details: Value, start: DateTime<Utc>, minutes: i64) -> Value {
    let mut request = demo::move_request("", start);
    request["details"] = details;
    request["window"]["end"] = (start + Duration::minutes(minutes)).to_rfc3339().into();
    request
}

/// A move of 15 cubic metres, for which three come with a truck for three hours.
fn three_hours(provider: &Provider, start: DateTime<Utc>) -> Value {
    let details = json!({ "items": [{ "code": "box", "quantity": 300 }], "to": home(12_000.0) });
    let mut request = request_for(details, start, 180);
    request["provider_id"] = provider.provider_id.clone().into();
    request
}

async fn inventory(person: &Person, order: &str) -> Value {
    get(person, &format!("/v1/orders/{order}/inventory")).await
}

/// The movers note something of the first line.
async fn note(movers: &Person, order: &str, item: Value) -> Value {
    let path = format!("/v1/orders/{order}/inventory");
    let body = json!({ "items": [item] });
    movers.client.send(Method::PATCH, &path, Some(body), &[]).await.unwrap().ok().unwrap()
}

/// The customer signs a stage, with reserves or none.
async fn sign(customer: &Person, order: &str, stage: &str, reserves: Value) -> Value {
    let none = reserves.as_array().unwrap().is_empty();
    let signature = json!({
        "stage": stage, "signature_sha256": "0".repeat(64), "reserves": reserves, "none": none,
    });
    post(customer, &format!("/v1/orders/{order}/waybill:sign"), signature).await
}

/// What the movers do next.
async fn go(movers: &Person, order: &str, act: &str) -> Value {
    post(movers, &format!("/v1/orders/{order}/{act}"), json!({})).await
}

/// From the survey to the home where the goods are unloaded: so many boxes are there, and loaded.
async fn carry(customer: &Person, movers: &Person, order: &str, boxes: i32) {
    note(movers, order, json!({ "line": 1, "quantity": boxes })).await;
    assert_eq!(go(movers, order, "inventory:confirm").await["state"], "MOVE_STATE_SURVEYED");
    go(movers, order, "move:load").await;
    note(movers, order, json!({ "line": 1, "loaded": boxes })).await;
    let signed = sign(customer, order, "WAYBILL_STAGE_LOADING", json!([])).await;
    assert_eq!(signed["state"], "MOVE_STATE_LOADED");
    go(movers, order, "move:depart").await;
    assert_eq!(go(movers, order, "move:unload").await["state"], "MOVE_STATE_UNLOADING");
}

/// A move that is under way, on this basis, and those who have to do with it.
async fn begin(mesh: &Mesh, operator: &Person, basis: &str) -> (Person, Person, String) {
    let (customer, firm) = (mesh.customer("alice").await, mesh.movers(operator, "firm").await);
    let mut request = demo::move_request(&firm.provider_id, noon(mesh));
    request["details"]["basis"] = basis.into();
    let order = demo::book(&customer, request).await.unwrap();
    assert_eq!(cents(&order["total"]), 85_840, "{order}");
    let id = text_at(&order, "id").unwrap();
    let (customer, movers) = until_work_begins(mesh, &customer, &firm, &id).await;
    (customer, movers, id)
}

fn damaged(quantity: i32, minor_units: i64) -> Value {
    let amount = json!({ "currency": "EUR", "minor_units": minor_units });
    json!([{ "line": 1, "kind": "damaged", "amount": amount, "quantity": quantity }])
}

/// The customer signs for a delivery with reserves, of which order has heard.
async fn sign_with_reserves(customer: &Person, order: &str, reserves: Value) -> Value {
    let waybill = sign(customer, order, "WAYBILL_STAGE_DELIVERY", reserves).await;
    let path = format!("/v1/orders/{order}/timeline");
    let timeline = async || get(customer, &path).await.to_string();
    eventually("order hears of the claim", timeline, |it| it.contains("claimOpened")).await;
    waybill
}

/// The amounts of the providers' payouts by kind.
async fn payouts(movers: &Person) -> BTreeMap<String, i64> {
    let listed = get(movers, "/v1/payouts").await;
    let payouts = listed["payouts"].as_array().unwrap().iter();
    payouts.map(|it| (text_at(it, "kind").unwrap(), cents(&it["amount"]))).collect()
}

async fn is_balanced(operator: &Person) {
    let balance = get(operator, "/v1/ledger/trialBalance").await;
    assert_eq!(balance["balanced"], true, "{balance}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_from_booking_to_review_with_a_claim_that_holds_its_part(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, movers, id) = begin(&mesh, &operator, "binding").await;
    let crew = get(&customer, &format!("/v1/orders/{id}?view=full")).await;
    assert_eq!(crew["crew"].as_array().unwrap().len(), 3, "{crew}");
    assert_eq!(inventory(&customer, &id).await["state"], "MOVE_STATE_ON_SITE");
    carry(&customer, &movers, &id, 560).await;
    let fixed = json!({ "reason": "more boxes", "details": { "inventory": true } });
    let path = format!("/v1/orders/{id}/changeOrders");
    let fixed = movers.client.post(&path, fixed).await.unwrap();
    assert_eq!(fixed.status, 400, "{}", fixed.body);
    assert!(fixed.body.to_string().contains("PRICE_FIXED"), "{}", fixed.body);
    let early = movers.client.post(&format!("/v1/orders/{id}:deliver"), json!({})).await.unwrap();
    assert_eq!(early.status, 400, "the gate is closed: {}", early.body);
    sign_with_reserves(&customer, &id, damaged(1, 5_000)).await;
    let delivered = act(&movers, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 85_840);
    act(&customer, &id, "acceptDelivery", json!({})).await;
    act(&customer, &id, "review", json!({ "stars": 4, "text": "One box was crushed." })).await;
    act(&movers, &id, "review", json!({ "stars": 5, "text": "Well prepared." })).await;

    // The claim holds exactly its amount of what the movers earn, and the rest is theirs.
    let paid = eventually("the payouts", async || payouts(&movers).await, |it| it.len() == 2);
    let expected = [("HELD", 5_000), ("SERVICE", 68_672 - 5_000)];
    let expected = expected.map(|(kind, amount)| (kind.to_owned(), amount));
    assert_eq!(paid.await, BTreeMap::from(expected));
    let claims = get(&customer, &format!("/v1/orders/{id}/claims")).await;
    let claim = text_at(&claims["claims"][0], "id").unwrap();
    let accepted = post(&movers, &format!("/v1/claims/{claim}:accept"), json!({})).await;
    assert_eq!(
        (accepted["state"].as_str(), cents(&accepted["refund"])),
        (Some("CLAIM_STATE_ACCEPTED"), 5_000)
    );
    let refunded = async || cents(&see(&customer, &id).await["payment"]["refunded"]);
    eventually("it goes back to the customer", refunded, |refunded| *refunded == 5_000).await;
    for (person, template) in [
        (&customer, "moving.loaded.customer"),
        (&movers, "moving.claim_opened.provider"),
        (&customer, "moving.claim_resolved.customer"),
        (&movers, "moving.claim_resolved.provider"),
    ] {
        eventually(template, async || is_told(person, template).await, |told| *told).await;
    }
    is_balanced(&mesh.again(&operator).await).await;
}

/// The prices that were worked by hand.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_worked_prices_come_out(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let customer = mesh.customer("alice").await;
    let euros = |minor_units: i64| json!({ "currency": "EUR", "minor_units": minor_units });
    let boxes = |quantity: i32| json!([{ "code": "box", "quantity": quantity }]);
    let first = json!({
        "items": boxes(560), "from": { "floor": 4 }, "to": home(12_000.0),
        "declared_value": euros(1_000_000), "basis": "estimate",
    });
    let mut second = home(5_000.0);
    second["access"] = json!({ "floor": 2, "lift": true });
    let second = json!({ "items": boxes(180), "from": { "floor": 6, "lift": true }, "to": second });
    let mut third = home(230_000.0);
    third["access"] = json!({ "floor": 3, "carry_m": 45 });
    let third = json!({
        "items": boxes(910), "to": third, "packing": "standard", "declared_value": euros(2_500_000),
    });
    for (details, minutes, total, cap) in [
        (first, 300, 85_840, Some(94_424)),
        (second, 150, 24_900, None),
        (third, 540, 232_525, None),
    ] {
        let request = request_for(details, noon(&mesh), minutes);
        let quote = post(&customer, "/v1/quotes", request).await;
        assert_eq!(cents(&quote["total"]), total, "{quote}");
        assert_eq!(quote.get("cap").map(cents), cap, "{quote}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_pays_110_percent_at_the_door_gets_the_goods_and_owes_the_rest(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, movers, id) = begin(&mesh, &operator, "estimate").await;
    assert_eq!(cents(&see(&customer, &id).await["cap"]), 94_424);
    carry(&customer, &movers, &id, 740).await;
    sign(&customer, &id, "WAYBILL_STAGE_DELIVERY", json!([])).await;
    let delivered = act(&movers, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 85_840 + 8_584, "{delivered}");
    act(&customer, &id, "acceptDelivery", json!({})).await;
    let dues = async || get(&customer, "/v1/me/dues").await["dues"].clone();
    let dues = eventually("the rest is due", dues, |dues| dues[0]["amount"].is_object()).await;
    assert_eq!(cents(&dues[0]["amount"]), 16_076, "{dues}");
    let captured = async || cents(&see(&customer, &id).await["payment"]["captured"]);
    eventually("the cap is captured", captured, |captured| *captured == 94_424).await;
    is_balanced(&mesh.again(&operator).await).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn goods_of_which_part_is_delivered_are_paid_pro_rata(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, movers, id) = begin(&mesh, &operator, "estimate").await;
    carry(&customer, &movers, &id, 560).await;
    let mut missing = damaged(56, 40_000);
    missing[0]["kind"] = "missing".into();
    let waybill = sign_with_reserves(&customer, &id, missing).await;
    assert_eq!(waybill["reserves"][0]["quantity"], 56);
    let delivered = act(&movers, &id, "deliver", json!({})).await;
    assert_eq!(cents(&delivered["total"]), 77_256, "25.2 of 28 m³: {delivered}");
    act(&customer, &id, "acceptDelivery", json!({})).await;
    let captured = async || cents(&see(&customer, &id).await["payment"]["captured"]);
    eventually("it is captured", captured, |captured| *captured == 77_256).await;
    // 80 % of it are earned; what is claimed waits.
    let paid = eventually("the payouts", async || payouts(&movers).await, |it| it.len() == 2).await;
    assert_eq!((paid["HELD"], paid["HELD"] + paid["SERVICE"]), (40_000, 61_805), "{paid:?}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn more_goods_than_declared_are_agreed_by_a_change_order_or_given_up(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, movers, id) = begin(&mesh, &operator, "binding").await;
    note(&movers, &id, json!({ "line": 1, "quantity": 740 })).await;
    let path = format!("/v1/orders/{id}/changeOrders");
    let more = json!({ "reason": "more boxes", "details": { "inventory": true } });
    let change = post(&movers, &path, more).await;
    let change = format!("{path}/{}:approve", text_at(&change, "id").unwrap());
    post(&customer, &change, json!({})).await;
    assert_eq!(cents(&see(&customer, &id).await["total"]), 110_500);
    // Before the loading an operator ends the work for movers who do not go on: without fault, for the time of it.
    let operator = mesh.again(&operator).await;
    let ended = act(&operator, &id, "abort", json!({ "reason": "too much for the truck" })).await;
    assert_eq!(ended["state"], "ORDER_STATE_ABORTED");
    assert_eq!(inventory(&customer, &id).await["state"], "MOVE_STATE_OFF");
    assert_eq!(cents(&see(&customer, &id).await["payment"]["captured"]), 0);
}

/// The rows of all reservations that take time, by order.
async fn reserved(mesh: &Mesh) -> BTreeMap<String, usize> {
    let config = mesh.process.host().of("provider").database_config();
    let db = Db::connect(&config, mesh.clock.clone()).await.unwrap();
    let query = Query::select()
        .column("order_id")
        .from("reservations")
        .and_where(Expr::col("state").ne("RELEASED"))
        .to_owned();
    let rows = db.connection().query_all(&query).await.unwrap();
    db.close().await.unwrap();
    let mut counts = BTreeMap::new();
    for row in rows {
        let order: uuid::Uuid = row.try_get("", "order_id").unwrap();
        *counts.entry(order.to_string()).or_default() += 1;
    }
    counts
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn one_mover_busy_and_nothing_is_held(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, firm) = (mesh.customer("alice").await, mesh.movers(&operator, "firm").await);
    // Two of four are taken: a crew of three is one short.
    let mut small = three_hours(&firm, noon(&mesh));
    small["details"]["items"] = json!([{ "code": "box", "quantity": 200 }]);
    let first = demo::book(&customer, small).await.unwrap();
    let before = reserved(&mesh).await;
    assert_eq!(before, BTreeMap::from([(text_at(&first, "id").unwrap(), 3)]));
    let late = three_hours(&firm, noon(&mesh) + Duration::minutes(239));
    let quote = post(&customer, "/v1/quotes", late).await;
    let order = json!({ "quote_id": quote["id"] });
    let refused = customer.client.post("/v1/orders", order).await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.reason()),
        (409, "SLOT_TAKEN"),
        "{}",
        refused.body
    );
    assert_eq!(reserved(&mesh).await, before, "nothing is held");
    let afterwards = three_hours(&firm, noon(&mesh) + Duration::minutes(240));
    let second = demo::book(&customer, afterwards).await.unwrap();
    assert_eq!(reserved(&mesh).await[&text_at(&second, "id").unwrap()], 4);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_twenty_parallel_moves_of_three_each_has_its_crew_or_nothing(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let firm = mesh.movers(&operator, "firm").await;
    let mut quotes = Vec::new();
    for number in 0..4 {
        let customer = mesh.customer(&format!("customer{number}")).await;
        for index in 0..5 {
            // Those that begin later overlap the others by one minute of the time kept free around them.
            let start = noon(&mesh) + Duration::minutes(239 * (index % 2));
            let quote = post(&customer, "/v1/quotes", three_hours(&firm, start)).await;
            quotes.push((customer.clone(), text_at(&quote, "id").unwrap()));
        }
    }
    let bookings = quotes
        .iter()
        .map(|(customer, quote)| customer.client.post("/v1/orders", json!({ "quote_id": quote })));
    let answers = futures::future::join_all(bookings).await;
    let (mut booked, mut expected) = (0, BTreeMap::new());
    for answer in answers.into_iter().map(Result::unwrap) {
        if answer.status == 201 {
            booked += 1;
            // Three people and a truck.
            expected.insert(text_at(&answer.body, "id").unwrap(), 4);
        } else {
            assert_eq!(
                (answer.status.as_u16(), answer.reason()),
                (409, "SLOT_TAKEN"),
                "{}",
                answer.body
            );
        }
    }
    assert_eq!(booked, 1, "four movers make one crew of three");
    assert_eq!(reserved(&mesh).await, expected, "n · size rows or none");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_wrong_field_of_the_details_is_named(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let customer = mesh.customer("alice").await;
    for (field, value, named) in [
        ("/items", json!([]), "details.items"),
        ("/items/0/code", json!("throne"), "details.items[0].code"),
        ("/items/0/quantity", json!(0), "details.items[0].quantity"),
        ("/items", json!(vec![json!({ "code": "box", "quantity": 1_300 }); 2]), "details.items"),
        ("/basis", json!("guess"), "details.basis"),
        ("/from/floor", json!(99), "details.from.floor"),
        ("/to", json!({ "lat": 48.9 }), "details.to.lng"),
        ("/to", home(900_000.0), "details.to.lat"),
        ("/declared_value/currency", json!("GBP"), "details.declared_value.currency"),
    ] {
        let mut request = demo::move_request("", noon(&mesh));
        *request["details"].pointer_mut(field).unwrap() = value;
        let answer = customer.client.post("/v1/quotes", request).await.unwrap();
        assert_eq!(answer.status, 400, "{named}: {}", answer.body);
        assert_eq!(answer.body["violations"][0]["field"], named, "{}", answer.body);
    }
}
