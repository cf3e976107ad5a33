//! The program dies at every step of a series: each visit is booked once all the same, and left out once.

use super::{people::People, program::Home};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use kit::{
    Clock,
    testing::{Backend, eventually},
};
use quickserve::demo::{self, text_at};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use yare::parameterized;

/// The steps that book visits.
pub const BOOKING: [&str; 4] = ["series.plan", "series.quote", "series.book", "series.note"];
/// The step that cancels the order of a visit that is left out.
pub const CANCEL: &str = "series.cancel";

impl People {
    async fn booked(&self, series: &str) -> Vec<Value> {
        let path = format!("/v1/series/{series}/occurrences");
        let listed = self.customer.client.get(&path).await.unwrap().ok().unwrap();
        let all = listed["occurrences"].as_array().unwrap().clone();
        all.into_iter().filter(|it| it["state"] == "OCCURRENCE_STATE_BOOKED").collect()
    }

    /// The orders of a series that go on.
    async fn visits(&self, series: &str) -> Vec<Value> {
        let is_visit = |order: &Value| {
            order["series_id"] == series && order["state"] != "ORDER_STATE_CANCELLED"
        };
        self.orders().await.into_iter().filter(is_visit).collect()
    }
}

fn day(days: i64) -> NaiveDate {
    let now: DateTime<Utc> = Clock::system().now();
    (now + Duration::days(days)).date_naive()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_visit_is_booked_once_wherever_the_program_dies(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    program.stop().await;
    for (number, point) in BOOKING.into_iter().enumerate() {
        let program = home.start_with(&[("QS_CRASH_AT", point)]).await;
        let armed = people.at(&program);
        let mut request = demo::series_request(&people.provider.provider_id, &day(3).to_string());
        request["start_local"] = format!("{:02}:00", 2 + 5 * number).into();
        request["rrule"] = "FREQ=WEEKLY".into();
        request["details"]["frequency"] = "once".into();
        let made = armed.customer.client.post("/v1/series", request).await.unwrap();
        let series = text_at(&made.ok().unwrap(), "id").unwrap();
        let (status, log) = program.ended().await;
        assert!(!status.success() && !log.contains("panicked"), "{point}: {status} {log}");

        home.leases_end().await;
        let program = home.start().await;
        let people = people.at(&program);
        let booked = async || people.booked(&series).await;
        let booked = eventually("all are booked", booked, |it| it.len() == 4).await;
        let orders: BTreeSet<_> =
            booked.iter().map(|it| text_at(it, "order_id").unwrap()).collect();
        let visits = people.visits(&series).await;
        let visits: BTreeSet<_> = visits.iter().map(|it| text_at(it, "id").unwrap()).collect();
        assert_eq!(visits, orders, "{point}");
        let held = "SELECT order_id FROM reservations WHERE state IN ('HOLD', 'CONFIRMED')";
        assert_eq!(home.rows("provider", held).await.len(), 4 * (number + 1), "{point}");
        program.stop().await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_that_is_left_out_is_cancelled_once_wherever_the_program_dies(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    let first = day(3).to_string();
    let mut request = demo::series_request(&people.provider.provider_id, &first);
    request["rrule"] = "FREQ=WEEKLY;COUNT=3".into();
    let made = people.customer.client.post("/v1/series", request).await.unwrap().ok().unwrap();
    let series = text_at(&made, "id").unwrap();
    let booked = async || people.booked(&series).await;
    eventually("all are booked", booked, |it| it.len() == 3).await;
    program.stop().await;

    let program = home.start_with(&[("QS_CRASH_AT", CANCEL)]).await;
    let armed = people.at(&program);
    let path = format!("/v1/series/{series}/occurrences/{first}:skip");
    let _ = armed.customer.client.post(&path, json!({})).await;
    let (status, _) = program.ended().await;
    assert!(!status.success(), "{status}");
    home.leases_end().await;
    let program = home.start().await;
    let people = people.at(&program);
    let visits = async || people.visits(&series).await;
    eventually("one is cancelled", visits, |it| it.len() == 2).await;
    let held = "SELECT order_id FROM reservations WHERE state IN ('HOLD', 'CONFIRMED')";
    let held = async || home.rows("provider", held).await.len();
    eventually("its time is free", held, |count| *count == 2).await;
    assert_eq!(people.booked(&series).await.len(), 2);
}
