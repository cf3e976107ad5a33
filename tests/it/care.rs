//! Care of children, as families and carers live it over HTTP.

use crate::{
    erasure::{Mark, tables::Tables},
    journey::{act, attempt, begin_work, cents, get, is_told, noon, post, see},
    mesh::Mesh,
};
use chrono::Duration;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, AUNT_CODE, Person, Provider, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// Somebody reads the care of an order.
pub async fn care(person: &Person, order: &str) -> Value {
    get(person, &format!("/v1/orders/{order}/care")).await
}

/// An operator reads the care of an order, with or without a reason: the status, and the reason when it is refused.
async fn operator_reads(operator: &Person, order: &str, reason: Option<&str>) -> (u16, String) {
    let path = format!("/v1/orders/{order}/care");
    let headers: Vec<_> = reason.iter().map(|reason| ("operator-reason", *reason)).collect();
    let answer = operator.client.send(http::Method::GET, &path, None, &headers).await.unwrap();
    let field = answer.body["violations"][0]["field"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), field)
}

/// The carer says yes, of an order that was booked for [`noon`] just now, and the care begins.
pub async fn begin_care(
    mesh: &Mesh,
    parent: &Person,
    carer: &Provider,
    order: &str,
) -> (Person, Person) {
    act(&carer.person, order, "accept", json!({})).await;
    begin_work(mesh, parent, carer, order).await
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_evening_of_care_with_a_late_pick_up(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    // From two in the afternoon on, so that tomorrow's care begins at seven in the evening in Paris.
    mesh.clock.advance(Duration::hours(5));
    let operator = mesh.operator().await;
    let (parent, carer) = (mesh.customer("alice").await, mesh.carer(&operator, "bob").await);
    let family = demo::make_family(&parent, noon(&mesh)).await.unwrap();
    let lou = family.lou.as_str();
    let request = demo::care_request(&carer.provider_id, &[lou], noon(&mesh), 270);
    let quote = post(&parent, "/v1/quotes", request).await;
    assert_eq!(cents(&quote["total"]), 7_800, "{quote}");
    let order = post(&parent, "/v1/orders", json!({ "quote_id": quote["id"] })).await;
    let id = text_at(&order, "id").unwrap();
    let (parent, bob) = begin_care(&mesh, &parent, &carer, &id).await;
    let read = care(&bob, &id).await;
    assert_eq!(read["children"][0]["profile"]["name"], "Lou", "{read}");
    let hand = |n: i32| {
        json!({
            "child_id": lou, "adult_id": family.aunt_of_lou, "code": AUNT_CODE, "handover": n,
        })
    };
    assert_eq!(attempt(&bob, &id, "deliver", json!({})).await.1, "COMPLETION_GATE_CLOSED");
    act(&bob, &id, "checkIn", hand(1)).await;
    let operator = mesh.again(&operator).await;
    let abort = attempt(&operator, &id, "abort", json!({ "reason": "ILL" })).await;
    assert_eq!(abort.0, 400, "not with a child there: {abort:?}");

    // At ten past midnight Lou is still there.
    mesh.clock.advance(Duration::minutes(30 + 270 + 40));
    let (parent, bob) = (mesh.again(&parent).await, mesh.again(&bob).await);
    let told = async || is_told(&parent, "child.late_pickup.guardian").await;
    eventually("the mother is told", told, |told| *told).await;
    act(&bob, &id, "checkOut", hand(2)).await;
    assert_eq!(care(&parent, &id).await["state"], "CARE_STATE_CARING");
    let delivered = act(&bob, &id, "deliver", json!({})).await;
    assert_eq!(delivered["state"], "ORDER_STATE_DELIVERED");
    assert_eq!(care(&parent, &id).await["state"], "CARE_STATE_ENDED");
    act(&parent, &id, "acceptDelivery", json!({})).await;
    let own = async || see(&parent, &id).await;
    let captured = eventually("the money is captured", own, |order| {
        order["payment"]["state"] == "PAYMENT_STATE_CAPTURED"
    });
    assert_eq!(cents(&captured.await["payment"]["captured"]), 7_800 + 800 + 600);
    for template in ["child.checked_in.guardian", "child.checked_out.guardian"] {
        let told = async || is_told(&parent, template).await;
        eventually("every hand-over is told", told, |told| *told).await;
    }
    let operator = mesh.again(&operator).await;
    assert_eq!(operator_reads(&operator, &id, None).await, (400, "Operator-Reason".to_owned()));
    assert_eq!(operator_reads(&operator, &id, Some("a call of the m%C3%A8re")).await.0, 200);
    let accesses = get(&parent, &format!("/v1/children/{lou}/accesses")).await;
    assert_eq!(accesses["accesses"][0]["reason"], "a call of the mère", "{accesses}");
    let after = bob.client.get(&format!("/v1/orders/{id}/care")).await.unwrap();
    assert_eq!((after.status.as_u16(), after.reason()), (400, "CARE_CLOSED"));
}

/// What is told of a family, a mark in each text.
const MARKS: [(&str, &str); 8] = [
    ("name", "canary-Lou"),
    ("allergies", "canary-peanuts"),
    ("notes", "canary-sleeps"),
    ("contact", "canary-Grandma"),
    ("adult", "canary-Anne"),
    ("relation", "canary-aunt"),
    ("incident", "canary-scratch"),
    ("reason", "canary-call"),
];

/// A customer enters a child and an aunt, with a mark in every text.
async fn enter_marked_family(parent: &Person) -> (String, String) {
    let (child, adult) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let profile = json!({
        "name": "canary-Lou", "born_on": "2022-05-17", "allergies": "canary-peanuts",
        "notes": "canary-sleeps",
        "contacts": [{ "name": "canary-Grandma", "phone": "+33655443322" }],
    });
    post(parent, "/v1/children", json!({ "id": child, "profile": profile })).await;
    let profile = json!({ "name": "canary-Anne", "relation": "canary-aunt" });
    let aunt = json!({ "id": adult, "profile": profile, "code": AUNT_CODE });
    post(parent, &format!("/v1/children/{child}/authorizedAdults"), aunt).await;
    (child, adult)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_word_about_a_child_is_in_no_table_list_or_fact_of_any_service(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (parent, carer) = (mesh.customer("alice").await, mesh.carer(&operator, "bob").await);
    let facts = kit::testing::EventRecorder::new(&[""]);
    mesh.process.host().of("recorder").subscribe(facts.clone()).unwrap();
    let (child, aunt) = enter_marked_family(&parent).await;
    let request = demo::care_request(&carer.provider_id, &[&child], noon(&mesh), 180);
    let order = demo::book(&parent, request).await.unwrap();
    let id = text_at(&order, "id").unwrap();
    let (parent, bob) = begin_care(&mesh, &parent, &carer, &id).await;
    let hand = json!({ "child_id": child, "adult_id": aunt, "handover": 1 });
    act(&bob, &id, "checkIn", hand).await;
    let incident = json!({
        "id": uuid::Uuid::new_v4(), "child_id": child, "kind": "injury", "text": "canary-scratch",
    });
    post(&bob, &format!("/v1/orders/{id}/incidents"), incident).await;
    let told = async || is_told(&parent, "child.incident.guardian").await;
    eventually("the facts are out", told, |told| *told).await;
    let operator = mesh.again(&operator).await;
    assert_eq!(operator_reads(&operator, &id, Some("canary-call")).await.0, 200);
    let read = care(&bob, &id).await.to_string();
    assert!(read.contains("canary-Lou") && read.contains("canary-peanuts"), "{read}");

    for (reader, paths) in [
        (&parent, ["/v1/children", "/v1/orders", "/v1/inbox?page_size=100", "/v1/quotes"]),
        (&bob, ["/v1/orders", "/v1/offers", "/v1/inbox?page_size=100", "/v1/children"]),
    ] {
        for path in paths {
            let listed = reader.client.get(path).await.unwrap().body.to_string();
            assert!(!listed.contains("canary-"), "{path}: {listed}");
        }
    }
    let full = get(&bob, &format!("/v1/orders/{id}?view=full")).await.to_string();
    assert!(!full.contains("canary-"), "{full}");
    let facts = facts.events();
    assert!(facts.iter().any(|fact| fact.kind == "child.incident"));
    for fact in facts {
        let data = String::from_utf8_lossy(&fact.data).into_owned();
        assert!(!data.contains("canary-") && !fact.actor.contains("canary-"), "{}", fact.kind);
    }
    let marks = MARKS.map(|(field, text)| Mark::new(field, text));
    let tables = Tables::of(&mesh).await;
    let found = tables.find(&marks).await;
    assert!(found.is_empty(), "{found:?}");
    tables.have_no_trace_in_files(&mesh, marks.iter()).await;
}
