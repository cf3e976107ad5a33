//! The process dies at every step of a booking: what was begun is ended or undone, and no customer is charged without
//! service.

use super::{
    acceptance::ACCEPTANCE,
    holds::SECURE,
    people::People,
    program::{Home, Program},
    series, trades,
};
use crate::journey::{act, clean};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::{
    demo::{self, CENTRE, text_at},
    service::Service,
};
use sea_orm::TryGetable;
use serde_json::{Value, json};
use uuid::Uuid;
use yare::parameterized;

/// A booking that stopped is resumed after a second, a provider may set out days ahead, and the price is authorised at
/// once however far ahead the work is.
pub(super) const SOON: [(&str, &str); 3] = [
    ("QS_ORDER__TIMING__BOOKING_LEASE_S", "1"),
    ("QS_ORDER__TIMING__DEPARTURE_S", "864000"),
    ("QS_ORDER__TIMING__AUTHORIZE_WITHIN_S", "8640000"),
];

/// Orders for which somebody is to work.
const ALIVE: &str = "SELECT id FROM orders WHERE NOT booking AND state NOT IN ('PENDING_PAYMENT', 'EXPIRED', \
                     'DECLINED', 'NO_PROVIDER', 'CANCELLED', 'ABORTED')";
/// Orders for which a provider's time is taken.
const HELD: &str = "SELECT order_id AS id FROM reservations WHERE state IN ('HOLD', 'CONFIRMED')";
/// Orders for which the payment provider reserves or has taken money, once for each charge.
const CHARGED: &str = "SELECT intents.order_id AS id FROM sandbox_charges \
                       JOIN attempts ON attempts.id = sandbox_charges.reference \
                       JOIN intents ON intents.id = attempts.intent_id \
                       WHERE sandbox_charges.state IN ('AUTHORIZED', 'CAPTURED')";

/// What the services know of orders.
#[derive(Debug)]
struct Books {
    alive: Vec<Uuid>,
    held: Vec<Uuid>,
    charged: Vec<Uuid>,
    /// Bookings that have not come to an end.
    unfinished: usize,
    /// Effects that orders still owe.
    owed: usize,
}

impl Home {
    async fn column<T: TryGetable + Ord>(&self, service: &str, sql: &str) -> Vec<T> {
        let rows = self.rows(service, sql).await;
        let mut ids: Vec<T> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        ids.sort();
        ids
    }

    /// What a process had taken up when it died is free again, as it is by itself half a minute later.
    pub(super) async fn leases_end(&self) {
        for service in Service::ALL.map(Service::name) {
            for queue in ["timers", "outbox", "parked_events"] {
                let sql = format!("UPDATE {queue} SET lease_until = NULL RETURNING attempts");
                self.rows(service, &sql).await;
            }
        }
    }

    pub(super) async fn restart(&self, people: &People) -> (Program, People) {
        self.leases_end().await;
        let program = self.start_with(&SOON).await;
        let people = people.at(&program);
        (program, people)
    }

    async fn books(&self) -> Books {
        let unfinished = "SELECT id FROM orders WHERE booking AND state = 'PENDING_PAYMENT'";
        Books {
            alive: self.column("order", ALIVE).await,
            held: self.column("provider", HELD).await,
            charged: self.column("payment", CHARGED).await,
            unfinished: self.rows("order", unfinished).await.len(),
            owed: self.rows("order", "SELECT order_id FROM effects").await.len(),
        }
    }

    /// Every order has time and money, and nothing else has.
    pub(super) async fn is_consistent(&self, people: &People) -> Vec<Uuid> {
        let books = eventually(
            "orders, time and money agree",
            async || self.books().await,
            |it| {
                it.unfinished == 0 && it.owed == 0 && it.alive == it.held && it.alive == it.charged
            },
        );
        let alive = books.await.alive;
        // A database that was away may still be coming back.
        let balance = async || {
            let answer = people.operator.client.get("/v1/ledger/trialBalance").await.unwrap();
            (answer.status.as_u16(), answer.body["balanced"].clone())
        };
        let balance = eventually("the books are read", balance, |(status, _)| *status == 200);
        assert_eq!(balance.await.1, true);
        alive
    }
}

pub(super) async fn first(backend: Backend) -> (Home, People) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    program.stop().await;
    (home, people)
}

impl People {
    /// The order of a quote, once it is there.
    pub(super) async fn order_of(&self, quote: &str) -> Value {
        let is_of_the_quote = |order: &Value| order["quote_id"] == quote;
        let orders = eventually(
            "the order is there",
            async || self.orders().await,
            |orders| orders.iter().any(is_of_the_quote),
        );
        orders.await.into_iter().find(is_of_the_quote).unwrap()
    }

    /// Books, until there is a last word about it.
    pub(super) async fn book_again(&self, quote: &str) -> (u16, String) {
        let book = async || {
            let answer = self.book(quote).await.unwrap();
            (answer.status.as_u16(), answer.reason().to_owned())
        };
        eventually("the booking has an answer", book, |(status, reason)| {
            *status == 201 || reason == "QUOTE_USED"
        })
        .await
    }

    /// Books at a program that dies at `point`.
    async fn book_and_die(&self, program: Program, quote: &str, point: &str) {
        let answer = self.book_with_key(quote).await;
        assert!(answer.is_err(), "{point} was survived: {}", answer.unwrap().body);
        let (status, log) = program.ended().await;
        assert!(!status.success() && !log.contains("panicked"), "{point}: {status} {log}");
    }
}

/// A program with these variables dies at `point`.
pub(super) fn armed(point: &str) -> Vec<(&str, &str)> {
    SOON.into_iter().chain([("QS_CRASH_AT", point)]).collect()
}

/// Dies at each point, and is gone on with: at once by the customer who repeats the call with its key, or by itself.
async fn each_step_is_gone_on_with(backend: Backend, points: &[String]) {
    let (home, people) = first(backend).await;
    for (number, point) in points.iter().enumerate() {
        let program = home.start_with(&armed(point)).await;
        let armed = people.at(&program);
        let quote = armed.quote(24 + 4 * i64::try_from(number).unwrap()).await;
        armed.book_and_die(program, &quote, point).await;

        let is_repeated = number % 2 == 0;
        // Whatever the dead process had taken up, a repeated call need not wait for.
        let (_program, people) = match is_repeated {
            true => {
                let program = home.start_with(&SOON).await;
                let people = people.at(&program);
                (program, people)
            }
            false => home.restart(&people).await,
        };
        if is_repeated {
            // The first call after the restart is not refused.
            let answer = people.book_with_key(&quote).await.unwrap();
            assert_eq!(answer.status, 201, "{point}: {}", answer.body);
        }
        let order = people.order_of(&quote).await;
        assert_eq!(order["state"], "ORDER_STATE_REQUESTED", "{point}");
        let again = people.book_with_key(&quote).await.unwrap().ok().unwrap();
        assert_eq!(again["id"], order["id"], "{point}");
        assert_eq!(home.is_consistent(&people).await.len(), number + 1, "{point}");
        assert_eq!(people.book_again(&quote).await, (409, "QUOTE_USED".to_owned()));
    }
}

/// Dies at each point of taking a refused booking back: nothing is left of it, and the price can be booked again.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_back_is_gone_on_with(backend: Backend) {
    let (home, people) = first(backend).await;
    for (number, point) in STEPS_BACK.into_iter().enumerate() {
        let program = home.start_with(&armed(point)).await;
        let armed = people.at(&program);
        let quote = armed.quote(24 + 4 * i64::try_from(number).unwrap()).await;
        let cards = armed.customer.client.get("/v1/paymentMethods").await.unwrap().ok().unwrap();
        for card in cards["payment_methods"].as_array().unwrap() {
            let path = format!("/v1/paymentMethods/{}", card["id"].as_str().unwrap());
            let gone = armed.customer.client.send(http::Method::DELETE, &path, None, &[]).await;
            gone.unwrap().ok().unwrap();
        }
        // The refusal may be told before what it owes is paid.
        let answer = armed.book(&quote).await;
        if let Ok(answer) = answer {
            assert_eq!(answer.reason(), "PAYMENT_METHOD_NOT_FOUND", "{point}: {}", answer.body);
        }
        let (status, _) = program.ended().await;
        assert!(!status.success(), "{point}: {status}");

        let (_program, people) = home.restart(&people).await;
        assert_eq!(home.is_consistent(&people).await.len(), number, "{point}");
        assert_eq!(people.orders().await.len(), number, "{point}");
        demo::add_card(&people.customer, "tok_ok").await.unwrap();
        assert_eq!(people.book_again(&quote).await, (201, String::new()), "{point}");
        assert_eq!(home.is_consistent(&people).await.len(), number + 1, "{point}");
    }
}

/// Dies at each point of taking the money for work that is done: it is taken once, and paid out once.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_is_taken_once(backend: Backend) {
    let (home, people) = first(backend).await;
    for (number, point) in CAPTURE.into_iter().enumerate() {
        let program = home.start_with(&armed(point)).await;
        let armed = people.at(&program);
        let quote = armed.quote(24 + 4 * i64::try_from(number).unwrap()).await;
        let order = armed.book(&quote).await.unwrap().ok().unwrap();
        let id = text_at(&order, "id").unwrap();
        work(&armed, &id).await;
        // The process may die before it answers.
        let path = format!("/v1/orders/{id}:acceptDelivery");
        let _ = armed.customer.client.post(&path, json!({})).await;
        let (status, _) = program.ended().await;
        assert!(!status.success(), "{point}: {status}");

        let (_program, people) = home.restart(&people).await;
        let customer = &people.customer.client;
        let path = format!("/v1/orders/{id}");
        let order = async || customer.get(&path).await.unwrap().ok().unwrap();
        eventually("the money is taken", order, |order| {
            order["state"] == "ORDER_STATE_COMPLETED"
                && order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
        })
        .await;
        assert_eq!(home.is_consistent(&people).await.len(), number + 1, "{point}");
        let taken = "SELECT captured FROM sandbox_charges WHERE captured = amount AND refunded = 0";
        assert_eq!(home.rows("payment", taken).await.len(), number + 1, "{point}");
        let provider = &people.provider.person.client;
        let payouts = provider.get("/v1/payouts").await.unwrap().ok().unwrap();
        assert_eq!(payouts["payouts"].as_array().unwrap().len(), number + 1, "{point}");
    }
}

/// Dies at each point of a delivery: it is written or it is not, and the work is delivered, accepted and paid all the same.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_a_delivery_is_gone_on_with(backend: Backend) {
    let (home, people) = first(backend).await;
    let states = ["ORDER_STATE_IN_PROGRESS", "ORDER_STATE_DELIVERED"];
    for (number, (point, state)) in DELIVERY.into_iter().zip(states).enumerate() {
        let program = home.start_with(&armed(point)).await;
        let armed = people.at(&program);
        let quote = armed.quote(24 + 4 * i64::try_from(number).unwrap()).await;
        let order = armed.book(&quote).await.unwrap().ok().unwrap();
        let id = text_at(&order, "id").unwrap();
        work_until_delivery(&armed, &id).await;
        // The process dies before it answers.
        let path = format!("/v1/orders/{id}:deliver");
        let _ = armed.provider.person.client.post(&path, json!({})).await;
        let (status, _) = program.ended().await;
        assert!(!status.success(), "{point}: {status}");

        let (_program, people) = home.restart(&people).await;
        let customer = &people.customer.client;
        let path = format!("/v1/orders/{id}");
        let order = async || customer.get(&path).await.unwrap().ok().unwrap();
        assert_eq!(order().await["state"], state, "{point}");
        if state == "ORDER_STATE_IN_PROGRESS" {
            act(&people.provider.person, &id, "deliver", json!({})).await;
        }
        act(&people.customer, &id, "acceptDelivery", json!({})).await;
        eventually("the money is taken", order, |order| {
            order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
        })
        .await;
        assert_eq!(home.is_consistent(&people).await.len(), number + 1, "{point}");
        let taken = "SELECT captured FROM sandbox_charges WHERE captured = amount AND refunded = 0";
        assert_eq!(home.rows("payment", taken).await.len(), number + 1, "{point}");
    }
}

/// Dies after money was given back for a move to a date that is far off: it goes back once, and the order has moved.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_is_given_back_for_a_move(backend: Backend) {
    let (home, people) = first(backend).await;
    let program = home.start_with(&[("QS_CRASH_AT", MOVE)]).await;
    let armed = people.at(&program);
    let quote = armed.quote(48).await;
    let order = armed.book(&quote).await.unwrap().ok().unwrap();
    assert_eq!(order["payment"]["state"], "PAYMENT_STATE_AUTHORIZED");
    let id = text_at(&order, "id").unwrap();
    let [start, end] = ["start", "end"].map(|name| moment_of(&order, name) + Duration::days(20));
    let window = json!({ "window": { "start": start.to_rfc3339(), "end": end.to_rfc3339() } });
    // The process may die before it answers.
    let _ = armed.customer.client.post(&format!("/v1/orders/{id}:reschedule"), window).await;
    let (status, _) = program.ended().await;
    assert!(!status.success(), "{status}");

    home.leases_end().await;
    let program = home.start().await;
    let people = people.at(&program);
    let customer = &people.customer.client;
    let path = format!("/v1/orders/{id}");
    let order = async || customer.get(&path).await.unwrap().ok().unwrap();
    eventually("the order has moved and reserves no money", order, |order| {
        moment_of(order, "start") == start
            && order["payment"]["state"] == "PAYMENT_STATE_METHOD_SAVED"
    })
    .await;
    let books = eventually(
        "the money is back",
        async || home.books().await,
        |books| books.owed == 0 && books.charged.is_empty(),
    );
    let books = books.await;
    assert_eq!((books.alive.len(), &books.held), (1, &books.alive));
}

/// The `start` or `end` of an order's window.
fn moment_of(order: &Value, name: &str) -> DateTime<Utc> {
    order["window"][name].as_str().unwrap().parse().unwrap()
}

/// From the provider's yes to the delivery.
pub(super) async fn work(people: &People, order: &str) {
    work_until_delivery(people, order).await;
    act(&people.provider.person, order, "deliver", json!({})).await;
}

/// From the provider's yes to the moment before the delivery.
pub(super) async fn work_until_delivery(people: &People, order: &str) {
    let provider = &people.provider.person;
    act(provider, order, "accept", json!({})).await;
    act(provider, order, "depart", json!({})).await;
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    act(provider, order, "arrive", door).await;
    let path = format!("/v1/orders/{order}");
    let seen = people.customer.client.get(&path).await.unwrap().ok().unwrap();
    act(provider, order, "start", json!({ "start_code": seen["start_code"] })).await;
    clean(provider, order).await;
}

/// The steps of taking a refused booking back.
const STEPS_BACK: [&str; 3] = ["booking.undo", "effect.void", "effect.release"];
/// The steps of taking the money for work that is done.
const CAPTURE: [&str; 3] = ["payment.asking:2", "payment.answered:2", "effect.capture"];
/// The steps of a delivery.
const DELIVERY: [&str; 2] = ["deliver.gate", "deliver.write"];
/// Money that goes back for a move.
const MOVE: &str = "effect.unauthorize";
/// Side effects that no story here comes to. They are repeated like the others.
const NOT_REACHED: [&str; 2] = ["effect.finish", "effect.tell"];

/// The steps of a booking that gets through, as order's process has them.
fn booking_steps() -> Vec<String> {
    let mut steps = order::crash_points();
    steps.retain(|point| point.starts_with("booking.") && !STEPS_BACK.contains(&point.as_str()));
    steps
}

/// A step that is added to a process of order is died at here, or listed as one that is not.
#[test]
fn every_step_is_died_at() {
    let covered = booking_steps();
    for point in order::crash_points() {
        let listed = STEPS_BACK.iter().chain(&CAPTURE).chain(&DELIVERY).chain(&ACCEPTANCE);
        let listed = listed.chain(&series::BOOKING).chain([&series::CANCEL]);
        let listed = listed.chain([&MOVE, &SECURE]).chain(&trades::MOVE).chain(&NOT_REACHED);
        let known = covered.contains(&point) || listed.into_iter().any(|it| *it == point);
        assert!(known, "no story dies at {point}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_a_booking_is_gone_on_with(backend: Backend) {
    each_step_is_gone_on_with(backend, &booking_steps()).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_a_payment_is_gone_on_with(backend: Backend) {
    let points = ["payment.asking", "payment.answered"].map(str::to_owned);
    each_step_is_gone_on_with(backend, &points).await;
}
