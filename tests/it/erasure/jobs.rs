//! Jobs of the verticals with a mark in every text.

use super::*;

/// A move with a mark in every text, five hours after the noon of tomorrow.
pub async fn book_move(mesh: &Mesh, alice: &mut Author, provider: &Provider) -> String {
    let start = noon(mesh) + Duration::hours(5);
    let mut request = demo::move_request(&provider.provider_id, start);
    request["window"]["end"] = (start + Duration::hours(2)).to_rfc3339().into();
    request["address"] = alice.address();
    let item = json!({
        "code": "box", "quantity": 20, "label": alice.mark("moving.v1.DeclaredItem.label"),
    });
    request["details"]["items"] = json!([item]);
    let to = &mut request["details"]["to"];
    to["lines"] = json!([alice.mark("moving.v1.MoveDestination.lines")]);
    to["contact_name"] = alice.mark("moving.v1.MoveDestination.contact_name").into();
    to["notes"] = alice.mark("moving.v1.MoveDestination.notes").into();
    let quote = alice.post("/v1/quotes", request).await;
    let order = json!({ "quote_id": quote["id"] });
    text_at(&alice.post("/v1/orders", order).await, "id").unwrap()
}

/// A repair with a mark in every text, once the move of that day is over.
pub async fn book_repair(mesh: &Mesh, alice: &mut Author, provider: &Provider) -> String {
    let start = noon(mesh) + Duration::hours(8);
    let mut request = demo::repair_request(&provider.provider_id, start);
    request["address"] = alice.address();
    let symptoms = alice.mark("repair.v1.RepairDetails.symptoms");
    request["details"] = json!({ "category": "plumbing", "symptoms": symptoms });
    let quote = alice.post("/v1/quotes", request).await;
    let order = json!({ "quote_id": quote["id"] });
    text_at(&alice.post("/v1/orders", order).await, "id").unwrap()
}

/// The move of a customer who is not there, from the door to the accepted delivery: delegates sign.
pub async fn carry(mesh: &Mesh, alice: &mut Author, bob: &mut Author, order: &str) {
    let start = see(&bob.person, order).await["window"]["start"].as_str().unwrap().to_owned();
    let start: chrono::DateTime<chrono::Utc> = start.parse().unwrap();
    mesh.clock.advance(start - mesh.clock.now());
    alice.again(mesh).await;
    bob.again(mesh).await;
    let door = json!({ "position": { "lat": demo::CENTRE.0, "lng": demo::CENTRE.1 } });
    bob.act(order, "depart", json!({})).await;
    bob.act(order, "arrive", door).await;
    let code = text_at(&see(&alice.person, order).await, "start_code").unwrap();
    bob.act(order, "start", json!({ "start_code": code })).await;
    let path = format!("/v1/orders/{order}");
    let label = bob.mark("moving.v1.InventoryChange.label");
    let more = json!({ "line": 2, "code": "chair", "quantity": 1, "label": label });
    bob.call(Method::PATCH, &format!("{path}/inventory"), json!({ "items": [more] })).await;
    bob.post(&format!("{path}/inventory:confirm"), json!({})).await;
    bob.post(&format!("{path}/move:load"), json!({})).await;
    let loaded = json!([{ "line": 1, "loaded": 20 }, { "line": 2, "loaded": 1 }]);
    bob.call(Method::PATCH, &format!("{path}/inventory"), json!({ "items": loaded })).await;
    for (stage, acts) in [("loading", &["depart", "unload"][..]), ("delivery", &[])] {
        let signature = json!({
            "stage": format!("WAYBILL_STAGE_{}", stage.to_uppercase()),
            "signature_sha256": "0".repeat(64), "none": true,
            "delegate_name": bob.mark("moving.v1.SignWaybillRequest.delegate_name"),
        });
        bob.post(&format!("{path}/waybill:sign"), signature).await;
        let proof = json!({ "kind": format!("delegate.{stage}.photo"), "sha256": "0".repeat(64) });
        bob.post(&format!("{path}/proofs"), proof).await;
        for act in acts {
            bob.post(&format!("{path}/move:{act}"), json!({})).await;
        }
    }
    bob.act(order, "deliver", json!({})).await;
    alice.act(order, "acceptDelivery", json!({})).await;
}

/// The repair that was booked is looked at, and left as it is.
pub async fn look_at_repair(mesh: &Mesh, alice: &mut Author, bob: &mut Author, order: &str) {
    mesh.clock.advance(Duration::hours(3));
    alice.again(mesh).await;
    bob.again(mesh).await;
    bob.act(order, "depart", json!({})).await;
    let door = json!({ "position": { "lat": demo::CENTRE.0, "lng": demo::CENTRE.1 } });
    bob.act(order, "arrive", door).await;
    let code = text_at(&see(&alice.person, order).await, "start_code").unwrap();
    bob.act(order, "start", json!({ "start_code": code })).await;
    let findings = bob.mark("repair.v1.RecordDiagnosisRequest.findings");
    let found = json!({ "code": "leak", "findings": findings });
    bob.call(Method::PUT, &format!("/v1/orders/{order}/diagnosis"), found).await;
    let name = bob.mark("repair.v1.AddPartRequest.name");
    let part = json!({ "name": name, "cost": { "currency": "EUR", "minor_units": "900" } });
    bob.post(&format!("/v1/orders/{order}/parts"), part).await;
    let left = json!({ "outcome": "unrepaired" });
    bob.post(&format!("/v1/orders/{order}/repair:finish"), left).await;
    bob.act(order, "deliver", json!({})).await;
    alice.act(order, "acceptDelivery", json!({})).await;
}

/// A series with a mark in every text, once its visits are booked.
pub async fn make_series(alice: &mut Author, provider: &Provider) {
    let mut request = demo::series_request(&provider.provider_id, "2027-05-22");
    request["address"] = alice.address();
    request["details"]["access"] = alice.mark("cleaning.v1.CleaningDetails.access").into();
    request["details"]["notes"] = alice.mark("cleaning.v1.CleaningDetails.notes").into();
    request["notes"] = alice.mark("order.v1.CreateSeriesRequest.notes").into();
    let series = text_at(&alice.post("/v1/series", request).await, "id").unwrap();
    let path = format!("/v1/series/{series}/occurrences");
    let client = alice.person.client.clone();
    let booked = async || {
        let listed = client.get(&path).await.unwrap().ok().unwrap();
        let states = listed["occurrences"].as_array().unwrap().iter();
        states.filter(|it| it["state"] == "OCCURRENCE_STATE_BOOKED").count()
    };
    eventually("the visits are booked", booked, |count| *count == 3).await;
}
