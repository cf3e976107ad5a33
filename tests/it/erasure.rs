//! Accounts that are erased: nothing that they wrote is left in any table of any service.
//!
//! Every text that people write freely is found in the contracts, so that a new one cannot be forgotten: it is written
//! here with a mark of its own, or stands below with the reason why it may stay.

mod fields;
mod jobs;
pub mod tables;

use crate::{
    journey::{act, begin_work, clean, noon, see},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use jobs::{book_move, book_repair, carry, look_at_repair, make_series};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tables::{Found, Tables};
use yare::parameterized;

/// A mark that somebody has written into a field.
pub struct Mark {
    field: &'static str,
    text: String,
}

impl Mark {
    /// A mark that is written into a field.
    pub fn new(field: &'static str, text: &str) -> Self {
        Self { field, text: text.to_owned() }
    }
}

/// The marks of one person. Their calls have keys, so that the answers are kept as well.
struct Author {
    person: Person,
    side: &'static str,
    marks: Vec<Mark>,
    calls: usize,
}

impl Author {
    /// A new text for a field.
    fn mark(&mut self, field: &'static str) -> String {
        let text = format!("canary-{}-{}.", self.side, self.marks.len());
        self.marks.push(Mark { field, text: text.clone() });
        text
    }

    async fn call(&mut self, method: Method, path: &str, body: Value) -> Value {
        self.calls += 1;
        let key = format!("{}-{}", self.side, self.calls);
        let headers = [("idempotency-key", key.as_str())];
        let sent = self.person.client.send(method.clone(), path, Some(body), &headers).await;
        let answer = sent.unwrap();
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.body);
        answer.body
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await
    }

    async fn act(&mut self, order: &str, action: &str, body: Value) -> Value {
        self.post(&format!("/v1/orders/{order}:{action}"), body).await
    }

    /// An address with a mark in each text but the town.
    fn address(&mut self) -> Value {
        let lines = [self.mark("common.v1.Address.lines"), self.mark("common.v1.Address.lines")];
        // A postcode is short.
        let postcode = self.mark("common.v1.Address.postcode");
        json!({
            "lines": lines, "postcode": postcode, "city": "Paris", "country": "FR",
            "lat": demo::CENTRE.0, "lng": demo::CENTRE.1,
            "access_notes": self.mark("common.v1.Address.access_notes"),
        })
    }

    /// Registers, and writes what every account can write.
    async fn register(mesh: &Mesh, role: &str, side: &'static str) -> Self {
        let email = format!("canary-{side}@test.example");
        let client = mesh.client.clone();
        let nobody = Person { client, user_id: String::new(), email: email.clone() };
        let mut it = Self { person: nobody, side, marks: Vec::new(), calls: 0 };
        it.marks.push(Mark { field: "user.v1.CreateUserRequest.email", text: email.clone() });
        let name = it.mark("user.v1.CreateUserRequest.name");
        let account = json!({
            "name": name, "email": email, "role": role, "password": demo::PASSWORD,
            "phone": "+33611223344", "locale": "fr", "time_zone": demo::ZONE,
        });
        it.post("/v1/users", account).await;
        it.person = demo::sign_in(&mesh.client, &email, demo::PASSWORD).await.unwrap();
        let name = it.mark("user.v1.UserChanges.name");
        it.call(Method::PATCH, "/v1/me", json!({ "name": name })).await;
        let address = it.address();
        let label = it.mark("user.v1.CreateAddressRequest.label");
        let saved =
            it.post("/v1/me/addresses", json!({ "label": label, "address": address })).await;
        let path = format!("/v1/me/addresses/{}", text_at(&saved, "id").unwrap());
        let label = it.mark("user.v1.AddressChanges.label");
        it.call(Method::PATCH, &path, json!({ "label": label })).await;
        it
    }

    async fn again(&mut self, mesh: &Mesh) {
        self.person = mesh.again(&self.person).await;
    }

    async fn erase(&self) {
        let sent = self.person.client.send(Method::DELETE, "/v1/me", None, &[]).await.unwrap();
        sent.ok().unwrap();
    }
}

/// A cleaner who has written into every text of a profile.
async fn provide(mesh: &Mesh, operator: &Person) -> (Author, Provider) {
    let mut bob = Author::register(mesh, "provider", "p").await;
    let profile = json!({
        "kind": "PROVIDER_KIND_COMPANY", "country": "FR", "time_zone": demo::ZONE,
        "name": bob.mark("provider.v1.CreateProviderRequest.name"),
        "bio": bob.mark("provider.v1.CreateProviderRequest.bio"),
        "city": bob.mark("provider.v1.CreateProviderRequest.city"),
    });
    let profile = bob.post("/v1/providers", profile).await;
    let provider_id = text_at(&profile, "id").unwrap();
    let path = format!("/v1/providers/{provider_id}");
    let changes = json!({
        "name": bob.mark("provider.v1.UpdateProviderRequest.name"),
        "bio": bob.mark("provider.v1.UpdateProviderRequest.bio"),
        "city": bob.mark("provider.v1.UpdateProviderRequest.city"),
    });
    bob.call(Method::PATCH, &path, changes).await;
    write_crew(&mut bob, &path).await;
    let time_off = json!({
        "start_local": "2027-12-24T00:00", "end_local": "2027-12-25T00:00",
        "note": bob.mark("provider.v1.CreateTimeOffRequest.note"),
    });
    bob.post(&format!("{path}/timeOff"), time_off).await;
    let offering = json!({
        "vertical": "child_assistance", "skills": ["child.school"],
        "area": { "lat": demo::CENTRE.0, "lng": demo::CENTRE.1, "radius_km": 5 },
        "rate_card": [{
            "code": "hour", "unit": bob.mark("provider.v1.Rate.unit"),
            "price": { "currency": "EUR", "minor_units": 4000 },
        }],
    });
    bob.post(&format!("{path}/offerings"), offering).await;
    let number = bob.mark("provider.v1.SubmitDocumentRequest.number");
    let document = json!({ "kind": "training", "number": number, "issued_on": "2020-01-01" });
    bob.post(&format!("{path}/documents"), document).await;
    let provider = Provider { person: bob.person.clone(), provider_id };
    for trade in [demo::CLEANER, demo::DRIVER, demo::MOVERS, demo::REPAIRER] {
        demo::make_offer(&provider, &trade).await.unwrap();
    }
    let documents = [demo::DRIVER.documents, &["transport_licence"]].concat();
    demo::verify_documents(&provider, operator, &documents).await.unwrap();
    demo::approve_provider(&provider, operator).await.unwrap();
    demo::add_car(&provider).await.unwrap();
    demo::add_truck(&provider, 8_000, 1_000).await.unwrap();
    (bob, provider)
}

/// A member and a vehicle with a mark in each text, and again when they change.
async fn write_crew(bob: &mut Author, profile: &str) {
    let member = json!({
        "name": bob.mark("provider.v1.CreateMemberRequest.name"),
        "role": bob.mark("provider.v1.CreateMemberRequest.role"),
    });
    let member = bob.post(&format!("{profile}/members"), member).await;
    let member = format!("{profile}/members/{}", text_at(&member, "id").unwrap());
    let changed = json!({
        "name": bob.mark("provider.v1.UpdateMemberRequest.name"),
        "role": bob.mark("provider.v1.UpdateMemberRequest.role"),
    });
    bob.call(Method::PUT, &member, changed).await;
    let plate = bob.mark("provider.v1.CreateAssetRequest.plate");
    let asset = json!({ "kind": "van", "plate": plate });
    let asset = bob.post(&format!("{profile}/assets"), asset).await;
    let asset = format!("{profile}/assets/{}", text_at(&asset, "id").unwrap());
    let plate = bob.mark("provider.v1.UpdateAssetRequest.plate");
    bob.call(Method::PUT, &asset, json!({ "kind": "van", "plate": plate })).await;
}

/// A quote with a mark in every text, for the day that is so far after tomorrow.
async fn quote(mesh: &Mesh, alice: &mut Author, provider: &Provider, day: i64) -> Value {
    let start = noon(mesh) + Duration::days(day);
    let mut request = demo::quote_request(&provider.provider_id, start);
    request["address"] = alice.address();
    request["details"]["access"] = alice.mark("cleaning.v1.CleaningDetails.access").into();
    request["details"]["notes"] = alice.mark("cleaning.v1.CleaningDetails.notes").into();
    alice.post("/v1/quotes", request).await
}

async fn book(mesh: &Mesh, alice: &mut Author, provider: &Provider, day: i64) -> String {
    let quote = quote(mesh, alice, provider, day).await;
    let notes = alice.mark("order.v1.CreateOrderRequest.notes");
    let order = json!({ "quote_id": quote["id"], "notes": notes });
    let order = text_at(&alice.post("/v1/orders", order).await, "id").unwrap();
    talk(alice, &order).await;
    order
}

/// A ride with a mark in every text, for the day that is so far after tomorrow.
async fn book_ride(mesh: &Mesh, alice: &mut Author, provider: &Provider, day: i64) -> String {
    let start = noon(mesh) + Duration::days(day);
    let mut request = demo::ride_request(&provider.provider_id, start);
    request["address"] = alice.address();
    let stop = &mut request["details"]["stops"][0];
    stop["lines"] = json!([alice.mark("transport.v1.RideStop.lines")]);
    for (field, name) in [
        ("label", "transport.v1.RideStop.label"),
        ("contact_name", "transport.v1.RideStop.contact_name"),
        ("notes", "transport.v1.RideStop.notes"),
    ] {
        stop[field] = alice.mark(name).into();
    }
    let quote = alice.post("/v1/quotes", request).await;
    let order = json!({ "quote_id": quote["id"] });
    text_at(&alice.post("/v1/orders", order).await, "id").unwrap()
}

async fn talk(author: &mut Author, order: &str) {
    let text = author.mark("order.v1.PostOrderMessageRequest.text");
    author.post(&format!("/v1/orders/{order}/messages"), json!({ "text": text })).await;
}

/// Opens a dispute, which the operator then resolves.
async fn dispute(author: &mut Author, operator: &Person, order: &str) {
    let body = json!({
        "reason": author.mark("order.v1.OpenDisputeRequest.reason"),
        "text": author.mark("order.v1.OpenDisputeRequest.text"),
    });
    author.act(order, "dispute", body).await;
    let resolution = json!({ "resolution": "DISPUTE_STATE_RESOLVED_PROVIDER" });
    act(operator, order, "resolveDispute", resolution).await;
}

async fn review(author: &mut Author, order: &str) {
    let text = author.mark("order.v1.ReviewOrderRequest.text");
    author.act(order, "review", json!({ "stars": 4, "text": text })).await;
}

/// More work, with the reasons and labels of a provider.
async fn change(bob: &mut Author, alice: &mut Author, order: &str) {
    let label = bob.mark("order.v1.ChangeLine.label");
    let proposal = json!({
        "lines": [{ "label": label, "minor_units": 500 }],
        "reason": bob.mark("order.v1.ProposeChangeRequest.reason"),
    });
    let path = format!("/v1/orders/{order}/changeOrders");
    let change = text_at(&bob.post(&path, proposal).await, "id").unwrap();
    alice.post(&format!("{path}/{change}:approve"), json!({})).await;
}

/// The work that was booked for now, from the door to the reviews.
async fn work(alice: &mut Author, bob: &mut Author, operator: &Person, order: &str) {
    talk(bob, order).await;
    change(bob, alice, order).await;
    let path = format!("/v1/orders/{order}/checklist");
    let checklist = bob.person.client.get(&path).await.unwrap().ok().unwrap();
    let note = bob.mark("cleaning.v1.ChecklistChange.note");
    let item = json!({ "code": checklist["items"][0]["code"], "done": true, "note": note });
    bob.call(Method::PATCH, &path, json!({ "items": [item] })).await;
    clean(&bob.person, order).await;
    bob.act(order, "deliver", json!({})).await;
    let reason = alice.mark("order.v1.RequestChangesRequest.reason");
    alice.act(order, "requestChanges", json!({ "reason": reason })).await;
    clean(&bob.person, order).await;
    bob.act(order, "deliver", json!({})).await;
    dispute(alice, operator, order).await;
    dispute(bob, operator, order).await;
    alice.act(order, "acceptDelivery", json!({})).await;
    review(alice, order).await;
    review(bob, order).await;
}

/// Orders that the customer cancels, and that the provider declines or gives back.
async fn part(mesh: &Mesh, alice: &mut Author, bob: &mut Author, provider: &Provider) {
    let cancelled = book(mesh, alice, provider, 1).await;
    bob.act(&cancelled, "accept", json!({})).await;
    let preview = alice.act(&cancelled, "previewCancel", json!({})).await;
    let reason = alice.mark("order.v1.CancelOrderRequest.reason");
    let body = json!({ "cancel_token": preview["cancel_token"], "reason": reason });
    alice.act(&cancelled, "cancel", body).await;
    let declined = book(mesh, alice, provider, 2).await;
    talk(bob, &declined).await;
    let reason = bob.mark("order.v1.DeclineOrderRequest.reason");
    bob.act(&declined, "decline", json!({ "reason": reason })).await;
    let given_back = book(mesh, alice, provider, 3).await;
    bob.act(&given_back, "accept", json!({})).await;
    talk(bob, &given_back).await;
    let reason = bob.mark("order.v1.ReassignOrderRequest.reason");
    bob.act(&given_back, "reassign", json!({ "reason": reason })).await;
}

/// The marks of an author that are found, by field and table.
async fn found(tables: &Tables, author: &Author) -> Vec<Found> {
    tables.find(&author.marks).await
}

/// Where the marks of an author are found, but for answers that were kept for the keys of calls, and for notes on a home.
async fn words(tables: &Tables, author: &Author) -> Vec<(String, String)> {
    let found = found(tables, author).await.into_iter();
    let verticals = ["cleaning.", "transport.", "moving.", "repair."];
    let is_of_home = |it: &Found| verticals.iter().any(|name| it.table.starts_with(name));
    let words = found.filter(|it| !it.table.ends_with(".idempotency_keys") && !is_of_home(it));
    words.map(|it| (it.text, it.table)).collect()
}

/// Checks that each mark was written somewhere, but those that a later one has replaced.
async fn are_kept(tables: &Tables, author: &Author, replaced: &[&str]) {
    let found = found(tables, author).await;
    for mark in author.marks.iter().filter(|mark| !replaced.contains(&mark.field)) {
        let is_kept = found.iter().any(|it| it.text == mark.text);
        assert!(is_kept, "{} is in no table, so that the test shows nothing", mark.field);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_an_erased_account_nothing_that_it_wrote_is_left(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let mut alice = Author::register(&mesh, "customer", "c").await;
    demo::add_card(&alice.person, "tok_ok").await.unwrap();
    let (mut bob, provider) = provide(&mesh, &operator).await;
    let order = book(&mesh, &mut alice, &provider, 0).await;
    part(&mesh, &mut alice, &mut bob, &provider).await;
    let open = book(&mesh, &mut alice, &provider, 4).await;
    let assigned = book(&mesh, &mut alice, &provider, 5).await;
    bob.act(&assigned, "accept", json!({})).await;
    let ride = book_ride(&mesh, &mut alice, &provider, 7).await;
    bob.act(&ride, "accept", json!({})).await;
    let moved = book_move(&mesh, &mut alice, &provider).await;
    bob.act(&moved, "accept", json!({})).await;
    let repair = book_repair(&mesh, &mut alice, &provider).await;
    bob.act(&repair, "accept", json!({})).await;
    make_series(&mut alice, &provider).await;
    quote(&mesh, &mut alice, &provider, 6).await;
    bob.act(&order, "accept", json!({})).await;
    begin_work(&mesh, &alice.person, &provider, &order).await;
    alice.again(&mesh).await;
    bob.again(&mesh).await;
    let operator = mesh.again(&operator).await;
    work(&mut alice, &mut bob, &operator, &order).await;
    carry(&mesh, &mut alice, &mut bob, &moved).await;
    look_at_repair(&mesh, &mut alice, &mut bob, &repair).await;
    let operator = mesh.again(&operator).await;

    let written: BTreeSet<&str> =
        alice.marks.iter().chain(&bob.marks).map(|mark| mark.field).collect();
    assert_eq!(written, fields::free_texts(), "every text that people write is written here");
    let tables = Tables::of(&mesh).await;
    are_kept(&tables, &alice, &[]).await;
    are_kept(&tables, &bob, &[]).await;
    let of_bob = words(&tables, &bob).await;

    alice.erase().await;
    eventually("the customer is gone", async || found(&tables, &alice).await, Vec::is_empty).await;
    for order in [&order, &open, &assigned, &ride, &moved, &repair] {
        let seen = see(&operator, order).await;
        assert_eq!(seen["address"]["city"], "Paris", "{seen}");
        assert_eq!(seen["address"]["lat"], 48.86, "about a kilometre: {seen}");
    }
    assert_eq!(words(&tables, &bob).await, of_bob, "the provider's words stay");

    bob.erase().await;
    eventually("the provider is gone", async || found(&tables, &bob).await, Vec::is_empty).await;
    tables.have_no_trace_in_files(&mesh, alice.marks.iter().chain(&bob.marks)).await;
}
