//! The process dies while it reserves more, takes money from two holds, or secures a hold that runs out: each is done once,
//! and nothing stays reserved.

use super::{
    crash::{armed, first, work, work_until_delivery},
    people::People,
    program::{Home, Program},
};
use crate::journey::act;
use chrono::Duration;
use kit::testing::{Backend, eventually};
use quickserve::demo::text_at;
use serde_json::{Value, json};
use yare::parameterized;

/// The side effect that has what runs out secured.
pub(super) const SECURE: &str = "effect.secure";

/// Raising: the second time that the payment provider is asked, after the booking.
const RAISE: [&str; 2] = ["payment.asking:2", "payment.answered:2"];
/// Capturing from two holds, one after the other.
const CAPTURE: [&str; 5] = [
    "payment.asking:3",
    "payment.answered:3",
    "payment.asking:4",
    "payment.answered:4",
    "effect.capture",
];
/// Securing a hold, after the booking.
const SECURING: [&str; 3] = [SECURE, "payment.asking:2", "payment.answered:2"];

/// A customer whose card has second holds, and an order for which the work is done but for the delivery.
struct Work {
    home: Home,
    people: People,
    program: Program,
    order: String,
}

impl Work {
    /// Booked at a program that dies at `point`.
    async fn booked(home: Home, people: &People, point: &str, hours: i64) -> Self {
        let program = home.start_with(&armed(point)).await;
        let people = people.at(&program);
        let quote = people.quote(hours).await;
        let order = people.book(&quote).await.unwrap().ok().unwrap();
        let order = text_at(&order, "id").unwrap();
        Self { home, people, program, order }
    }

    /// The process has died or does so soon: it goes on.
    async fn restart(self) -> Self {
        let Self { home, people, program, order } = self;
        let (status, log) = program.ended().await;
        assert!(!status.success() && !log.contains("panicked"), "{status} {log}");
        let (program, people) = home.restart(&people).await;
        Self { home, people, program, order }
    }

    async fn see(&self) -> Value {
        let path = format!("/v1/orders/{}", self.order);
        self.people.customer.client.get(&path).await.unwrap().ok().unwrap()
    }

    /// What the payment provider has for the order, the oldest hold first: state and what was captured.
    async fn holds(&self) -> Vec<(String, i64)> {
        let order = self.order.replace('-', "");
        let sql = "SELECT s.state, s.captured, i.order_id AS id FROM sandbox_charges s \
                   JOIN attempts a ON a.id = s.reference JOIN intents i ON i.id = a.intent_id \
                   ORDER BY a.created_at, a.position";
        let rows = self.home.rows("payment", sql).await;
        let own = rows.iter().filter(|row| {
            let id: uuid::Uuid = row.try_get("", "id").unwrap();
            id.simple().to_string() == order
        });
        own.map(|row| (row.try_get("", "state").unwrap(), row.try_get("", "captured").unwrap()))
            .collect()
    }

    /// The provider asks for 5.00 more. Returns the path at which the customer approves it.
    async fn propose(&self) -> String {
        let path = format!("/v1/orders/{}/changeOrders", self.order);
        let proposal =
            json!({ "lines": [{ "label": "Oven", "minor_units": 500 }], "reason": "It is needed" });
        let provider = &self.people.provider.person.client;
        let change = provider.post(&path, proposal).await.unwrap().ok().unwrap();
        format!("/changeOrders/{}:approve", text_at(&change, "id").unwrap())
    }

    async fn approve(&self, change: &str) -> bool {
        let path = format!("/v1/orders/{}{change}", self.order);
        let answer = self.people.customer.client.post(&path, json!({})).await;
        answer.is_ok_and(|answer| answer.status.as_u16() == 200)
    }

    async fn accept(&self) {
        // The process may die before it answers.
        let path = format!("/v1/orders/{}:acceptDelivery", self.order);
        let _ = self.people.customer.client.post(&path, json!({})).await;
    }

    /// The price is taken, from these holds so much, the books balance, and the provider is paid out once.
    async fn is_paid(&self, holds: &[(String, i64)]) {
        let taken = |order: &Value| order["payment"]["state"] == "PAYMENT_STATE_CAPTURED";
        eventually("the money is taken", async || self.see().await, taken).await;
        let has = async || self.holds().await;
        eventually("nothing else is reserved", has, |has| has == holds).await;
        let operator = &self.people.operator.client;
        let books = operator.get("/v1/ledger/trialBalance").await.unwrap().ok().unwrap();
        assert_eq!(books["balanced"], true, "{books}");
        let payouts = self.home.rows("payment", "SELECT id FROM payouts").await.len();
        let captures = self.home.rows("payment", "SELECT intent_id FROM captures").await.len();
        assert_eq!(payouts, captures);
    }
}

fn captured(amount: i64) -> (String, i64) {
    ("CAPTURED".to_owned(), amount)
}

async fn home_with_second_holds(backend: Backend) -> (Home, People) {
    let (home, people) = first(backend).await;
    let program = home.start().await;
    let card = json!({ "token": "tok_second_hold", "default": true });
    let customer = people.at(&program).customer.client;
    customer.post("/v1/paymentMethods", card).await.unwrap().ok().unwrap();
    program.stop().await;
    (home, people)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_second_hold_is_made_once(backend: Backend) {
    let (mut home, mut people) = home_with_second_holds(backend).await;
    for (number, point) in RAISE.into_iter().enumerate() {
        let hours = 24 + 4 * i64::try_from(number).unwrap();
        let at_work = Work::booked(home, &people, point, hours).await;
        work_until_delivery(&at_work.people, &at_work.order).await;
        let change = at_work.propose().await;
        assert!(!at_work.approve(&change).await, "{point} was survived");
        let at_work = at_work.restart().await;
        let approved = async || at_work.approve(&change).await;
        eventually("the change is approved", approved, |approved| *approved).await;
        act(&at_work.people.provider.person, &at_work.order, "deliver", json!({})).await;
        at_work.accept().await;
        at_work.is_paid(&[captured(5_600), captured(500)]).await;
        (home, people) = (at_work.home, at_work.people);
        at_work.program.stop().await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_is_taken_from_each_hold_once(backend: Backend) {
    let (mut home, mut people) = home_with_second_holds(backend).await;
    for (number, point) in CAPTURE.into_iter().enumerate() {
        let hours = 24 + 4 * i64::try_from(number).unwrap();
        let at_work = Work::booked(home, &people, point, hours).await;
        work_until_delivery(&at_work.people, &at_work.order).await;
        let change = at_work.propose().await;
        assert!(at_work.approve(&change).await, "{point}");
        act(&at_work.people.provider.person, &at_work.order, "deliver", json!({})).await;
        at_work.accept().await;
        let at_work = at_work.restart().await;
        at_work.is_paid(&[captured(5_600), captured(500)]).await;
        (home, people) = (at_work.home, at_work.people);
        at_work.program.stop().await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hold_that_runs_out_is_secured_once(backend: Backend) {
    let (mut home, mut people) = first(backend).await;
    let mut hours = 24;
    for point in SECURING {
        for is_done in [false, true] {
            let booked = Work::booked(home, &people, point, hours).await;
            hours += 4;
            if is_done {
                work(&booked.people, &booked.order).await;
            }
            // As if six days had passed.
            let expiry = (kit::Clock::system().now() + Duration::hours(1)).to_rfc3339();
            let holds = format!(
                "UPDATE attempts SET expires_at = '{expiry}' WHERE kind = 'AUTHORIZE' RETURNING tries"
            );
            booked.home.rows("payment", &holds).await;
            let timers = "UPDATE timers SET due_at = '2020-01-01T00:00:00+00:00' WHERE kind = 'hold' RETURNING attempts";
            booked.home.rows("payment", timers).await;
            let booked = booked.restart().await;
            let secured = async || booked.holds().await;
            let expected = match is_done {
                true => vec![captured(5_600)],
                false => vec![("VOIDED".to_owned(), 0), ("AUTHORIZED".to_owned(), 0)],
            };
            eventually("the money is secured", secured, |holds| *holds == expected).await;
            if is_done {
                booked.accept().await;
                booked.is_paid(&expected).await;
            }
            booked.home.is_consistent(&booked.people).await;
            (home, people) = (booked.home, booked.people);
            booked.program.stop().await;
        }
    }
}
