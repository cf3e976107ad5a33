//! Series, as people live them over HTTP: weekly cleanings that are left out, moved and priced by their real gap.

use crate::{
    appointments::moment,
    journey::{act, cents, clean, get, is_told, post, see},
    mesh::Mesh,
};
use chrono::{DateTime, Duration, Utc};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, CENTRE, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// The first Tuesday of the series, eight days after the beginning.
const FIRST: &str = "2027-05-18";

async fn occurrences(person: &Person, series: &str) -> Vec<Value> {
    let path = format!("/v1/series/{series}/occurrences?from_on={FIRST}&to_on=2027-08-31");
    get(person, &path).await["occurrences"].as_array().unwrap().clone()
}

/// Waits until the visit of a date stands like that.
async fn until(person: &Person, series: &str, date: &str, field: &str, value: &str) -> Value {
    let what = format!("{date}: {field} is {value}");
    let read = async || {
        let all = occurrences(person, series).await;
        all.into_iter().find(|it| it["date"] == date).unwrap_or_default()
    };
    eventually(&what, read, |it| it[field] == value).await
}

fn start_of(occurrence: &Value) -> DateTime<Utc> {
    text_at(&occurrence["window"], "start").unwrap().parse().unwrap()
}

/// A weekly series whose provider takes every visit.
async fn standing(customer: &Person, provider: &Provider) -> String {
    let series = demo::series_request(&provider.provider_id, FIRST);
    let series = post(customer, "/v1/series", series).await;
    let id = text_at(&series, "id").unwrap();
    until(customer, &id, FIRST, "state", "OCCURRENCE_STATE_BOOKED").await;
    post(&provider.person, &format!("/v1/series/{id}:accept"), json!({})).await;
    until(customer, &id, FIRST, "order_state", "ORDER_STATE_ASSIGNED").await;
    id
}

/// The clock moves to so long before a visit; both sign in again.
async fn at(
    mesh: &Mesh,
    start: DateTime<Utc>,
    before: Duration,
    people: [&Person; 2],
) -> [Person; 2] {
    mesh.clock.advance(start - mesh.clock.now() - before);
    [mesh.again(people[0]).await, mesh.again(people[1]).await]
}

/// The codes of the lines of an order, with their totals.
async fn lines(person: &Person, order: &str) -> Vec<(String, i64)> {
    let order = see(person, order).await;
    let lines = order["lines"].as_array().unwrap().iter();
    lines.map(|line| (text_at(line, "code").unwrap(), cents(&line["total"]))).collect()
}

async fn discount(person: &Person, order: &str) -> Option<i64> {
    let lines = lines(person, order).await.into_iter();
    lines.filter(|(code, _)| code == "cleaning.frequency").map(|(_, total)| total).next()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_weekly_cleaning_pays_for_its_real_gap(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let series = standing(&customer, &provider).await;
    let second = until(&customer, &series, "2027-05-25", "state", "OCCURRENCE_STATE_BOOKED").await;
    let weekly = discount(&customer, second["order_id"].as_str().unwrap()).await.unwrap();
    assert!(weekly < 0, "a week after the visit before");

    // The first visit is made.
    let first = until(&customer, &series, FIRST, "state", "OCCURRENCE_STATE_BOOKED").await;
    let id = text_at(&first, "order_id").unwrap();
    assert_eq!(discount(&customer, &id).await, None, "there was none before it");
    let people = [&customer, &provider.person];
    let [customer, cleaner] = at(&mesh, start_of(&first), Duration::minutes(30), people).await;
    let payment = async || see(&customer, &id).await["payment"]["state"].clone();
    eventually("it is authorised", payment, |it| it == "PAYMENT_STATE_AUTHORIZED").await;
    act(&cleaner, &id, "depart", json!({})).await;
    let door = json!({ "position": { "lat": CENTRE.0, "lng": CENTRE.1 } });
    act(&cleaner, &id, "arrive", door).await;
    let code = text_at(&see(&customer, &id).await, "start_code").unwrap();
    act(&cleaner, &id, "start", json!({ "start_code": code })).await;
    clean(&cleaner, &id).await;
    act(&cleaner, &id, "deliver", json!({})).await;
    act(&customer, &id, "acceptDelivery", json!({})).await;

    // Left out twice: the next costs what three weeks cost, and the customer is told two days before.
    for date in ["2027-05-25", "2027-06-01"] {
        post(&customer, &format!("/v1/series/{series}/occurrences/{date}:skip"), json!({})).await;
    }
    let next = until(&customer, &series, "2027-06-08", "state", "OCCURRENCE_STATE_BOOKED").await;
    let id = text_at(&next, "order_id").unwrap();
    let [customer, cleaner] =
        at(&mesh, start_of(&next), Duration::hours(48), [&customer, &cleaner]).await;
    let told = async || is_told(&customer, "order.repriced.customer").await;
    eventually("the customer is told of the price", told, |told| *told).await;
    let after_three_weeks = discount(&customer, &id).await.unwrap();
    assert!(weekly < after_three_weeks && after_three_weeks < 0, "{after_three_weeks}");
    let order = see(&customer, &id).await;
    assert_eq!(order["payment"]["state"], "PAYMENT_STATE_METHOD_SAVED", "nothing is paid yet");
    assert_eq!(
        (order["series_id"].as_str(), order["series_date"].as_str()),
        (Some(&*series), Some("2027-06-08"))
    );

    // After seven weeks it is a one-time price.
    for date in ["2027-06-08", "2027-06-15", "2027-06-22", "2027-06-29"] {
        post(&customer, &format!("/v1/series/{series}/occurrences/{date}:skip"), json!({})).await;
    }
    let [customer, cleaner] =
        at(&mesh, start_of(&next), Duration::hours(1), [&customer, &cleaner]).await;
    let last = until(&customer, &series, "2027-07-06", "order_state", "ORDER_STATE_ASSIGNED").await;
    let id = text_at(&last, "order_id").unwrap();
    let [customer, _] =
        at(&mesh, start_of(&last), Duration::hours(48), [&customer, &cleaner]).await;
    let read = async || discount(&customer, &id).await;
    eventually("no discount for a broken series", read, Option::is_none).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_series_is_moved_paused_changed_and_ended(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let series = standing(&customer, &provider).await;
    let path = format!("/v1/series/{series}");
    let body = json!({ "start_local": "2027-05-27T15:30" });
    let moved = post(&customer, &format!("{path}/occurrences/2027-05-25:move"), body).await;
    assert_eq!(moved["window"]["start"], "2027-05-27T13:30:00Z");
    let planned = occurrences(&customer, &series).await;
    assert_eq!(planned.len(), 16, "beyond what is booked too");
    let last = planned.last().unwrap();
    assert_eq!(
        (&last["state"], &last["date"]),
        (&json!("OCCURRENCE_STATE_PLANNED"), &json!("2027-08-31"))
    );
    assert_eq!(last["window"]["start"], "2027-08-31T07:00:00Z");

    let pause = json!({ "from_on": "2027-06-01", "until_on": "2027-06-15" });
    let paused = post(&customer, &format!("{path}:pause"), pause).await;
    assert_eq!(paused["state"], "SERIES_STATE_PAUSED");
    until(&customer, &series, "2027-06-01", "reason", "PAUSED").await;
    post(&customer, &format!("{path}:resume"), json!({})).await;
    let changes = Some(json!({ "start_local": "10:00" }));
    let patch = format!("{path}?scope=future&date=2027-06-15");
    let changed = customer.client.send(http::Method::PATCH, &patch, changes, &[]).await.unwrap();
    let changed = changed.ok().unwrap();
    assert_eq!(changed["revisions"][1]["start_local"], "10:00");
    let later = until(&customer, &series, "2027-06-22", "state", "OCCURRENCE_STATE_PLANNED").await;
    assert_eq!(later["window"]["start"], "2027-06-22T08:00:00Z");
    for (query, changes, field) in [
        ("scope=all&date=2027-06-15", json!({ "minutes": 150 }), "scope"),
        ("scope=future&date=2027-06-16", json!({ "minutes": 150 }), "date"),
        ("scope=future&date=2027-06-15", json!({ "rrule": "FREQ=HOURLY" }), "rrule"),
        (
            "scope=future&date=2027-06-15",
            json!({ "details": { "type": "standard", "rooms": 900, "bathrooms": 1 } }),
            "details.rooms",
        ),
    ] {
        let patch = format!("{path}?{query}");
        let sent = customer.client.send(http::Method::PATCH, &patch, Some(changes), &[]).await;
        let answer = sent.unwrap();
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.body["violations"][0]["field"], field, "{}", answer.body);
    }
    let ended = post(&customer, &format!("{path}:end"), json!({})).await;
    assert_eq!(ended["state"], "SERIES_STATE_ENDED");
    until(&customer, &series, FIRST, "reason", "ENDED").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn whoever_says_that_their_work_recurs_has_series_and_no_other(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, cleaner) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let (id, start) = (cleaner.provider_id.as_str(), mesh.clock.now());
    let children = json!({ "details": { "children": [{ "age_months": 60 }] } });
    let jobs = [
        ("transport", demo::taxi_request()),
        ("moving", demo::move_request(id, start)),
        ("repair", demo::repair_request(id, start)),
        ("child_assistance", children),
    ];
    for (vertical, job) in jobs {
        let mut request = demo::series_request(id, FIRST);
        request["vertical"] = vertical.into();
        request["details"] = job["details"].clone();
        let refused = customer.client.post("/v1/series", request).await.unwrap();
        assert_eq!(refused.reason(), "NOT_RECURRING", "{vertical}: {}", refused.body);
    }
    let series = post(&customer, "/v1/series", demo::series_request(id, FIRST)).await;
    assert_eq!(series["state"], "SERIES_STATE_ACTIVE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_calendar_shows_bookings_behind_a_secret_link(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (customer, provider) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let link = async |person: &Person| {
        let put =
            person.client.send(http::Method::PUT, "/v1/me/calendarLink", Some(json!({})), &[]);
        text_at(&put.await.unwrap().ok().unwrap(), "path").unwrap()
    };
    let nothing = customer.client.get("/v1/me/calendarLink").await.unwrap();
    assert_eq!(nothing.reason(), "CALENDAR_NOT_FOUND");
    let (own, theirs) = (link(&customer).await, link(&provider.person).await);
    let start = mesh.clock.now() + Duration::days(3);
    let order = demo::book_cleaning(&customer, &provider, start).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let read = async |path: &str| {
        let answer = mesh.client.get(path).await.unwrap();
        assert_eq!(answer.headers["content-type"], "text/calendar; charset=utf-8");
        answer.body.as_str().unwrap().replace("\r\n ", "")
    };
    let before = read(&own).await;
    for line in [
        "BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\n",
        &format!("UID:{id}@quickserve\r\n"),
        "DTSTART;TZID=Europe/Paris:20270513T110000\r\n",
        "SUMMARY:Cleaning: bob\r\n",
        "STATUS:TENTATIVE\r\n",
        "LOCATION:1 rue de la Paix\\, 75002 Paris\r\n",
    ] {
        assert!(before.contains(line), "{line} is not in {before}");
    }
    let of_provider = read(&theirs).await;
    assert!(of_provider.contains("LOCATION:75002 Paris\r\n"), "no street: {of_provider}");
    act(&provider.person, &id, "accept", json!({})).await;
    assert!(read(&own).await.contains("STATUS:CONFIRMED"));
    let (from, to) = (start + Duration::days(1), start + Duration::days(1) + Duration::hours(2));
    let window = json!({ "window": { "start": moment(from), "end": moment(to) } });
    act(&customer, &id, "reschedule", window).await;
    assert!(read(&own).await.contains("DTSTART;TZID=Europe/Paris:20270514T110000\r\n"));
    let preview = act(&customer, &id, "previewCancel", json!({})).await;
    act(&customer, &id, "cancel", json!({ "cancel_token": preview["cancel_token"] })).await;
    assert!(read(&own).await.contains("STATUS:CANCELLED"));

    // The secret is shown once, and a new link ends the old one.
    let shown = get(&customer, "/v1/me/calendarLink").await;
    assert_eq!(shown["path"].as_str().unwrap_or_default(), "");
    let new = link(&customer).await;
    for gone in [&own, "/v1/me/calendar.ics?secret=guess"] {
        let answer = mesh.client.get(gone).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.reason()), (404, "CALENDAR_NOT_FOUND"));
    }
    read(&new).await;
    let revoked = customer.client.send(http::Method::DELETE, "/v1/me/calendarLink", None, &[]);
    revoked.await.unwrap().ok().unwrap();
    assert_eq!(mesh.client.get(&new).await.unwrap().status, 404);
    read(&theirs).await;
}
