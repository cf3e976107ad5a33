//! Who may do what: every RPC of the contracts against every kind of caller, and every object against those it is not
//! theirs.

use crate::mesh::Mesh;
use chrono::Duration;
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kit::{
    Role, Subject,
    rpc::context::Context,
    testing::{Backend, eventually},
};
use proto::rpc::{Caller, Rpc, Scope};
use quickserve::demo::{self, Person, Provider, text_at};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt;
use uuid::Uuid;
use yare::parameterized;

/// The service that serves an RPC, by its package; the vertical contract is served by cleaning.
fn target(rpc: &Rpc) -> &'static str {
    match rpc.service.split('.').nth(1) {
        Some("fulfilment") => "cleaning",
        // Every service serves it.
        Some("kit") => "user",
        Some(package) => package,
        None => "",
    }
}

/// Calls an RPC with an empty message over the channel of `from`.
async fn call(mesh: &Mesh, from: &'static str, subject: Option<Subject>, rpc: &Rpc) -> Code {
    let frame = Full::new(bytes::Bytes::from_static(&[0; 5])).map_err(|never| match never {});
    let request = http::Request::post(rpc.path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("idempotency-key", "matrix")
        .body(Body::new(frame))
        .unwrap();
    let channel = mesh.host(from).channel(target(rpc));
    let context = Context { subject, ..Context::default() };
    let response = context.scope(channel.oneshot(request)).await.unwrap();
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status.code();
    }
    if rpc.server_streaming {
        return Code::Ok;
    }
    let trailers = response.into_body().collect().await.unwrap().trailers().cloned();
    trailers.and_then(|it| Status::from_header_map(&it)).map_or(Code::Ok, |it| it.code())
}

/// Whether the edge knows nothing of an RPC, over native gRPC.
async fn is_absent_outside(mesh: &Mesh, rpc: &Rpc) -> bool {
    let http = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request =
        http::Request::post(format!("http://{}{}", mesh.process.edge().unwrap(), rpc.path))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(bytes::Bytes::from_static(&[0; 5])))
            .unwrap();
    let response = http.request(request).await.unwrap();
    Status::from_header_map(response.headers()).is_some_and(|it| it.code() == Code::Unimplemented)
}

fn is_refusal(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_rpc_meets_every_kind_of_caller(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let provider = mesh.cleaner(&operator, "bob").await;
    let both = mesh.cleaner(&operator, "eve").await;
    let callers: [(&str, &[Role], Option<&Person>); 5] = [
        ("anonymous", &[], None),
        ("customer", &[Role::Customer], Some(&customer)),
        ("provider", &[Role::Provider], Some(&provider.person)),
        ("customer and provider", &[Role::Customer, Role::Provider], Some(&both.person)),
        ("operator", &[Role::Operator], Some(&operator)),
    ];
    // Who has erased their account is nobody any more: that comes last.
    let mut rpcs: Vec<&Rpc> = proto::all_rpcs().iter().collect();
    rpcs.sort_by_key(|rpc| rpc.method == "EraseMe");
    for rpc in rpcs {
        // The edge asks the mesh for itself; the outside never gets there.
        let outside = if rpc.callers.contains(Caller::Service) { &[][..] } else { &callers[..] };
        for (name, roles, person) in outside {
            let declared = rpc.callers.iter().any(|listed| match listed {
                Caller::Public => true,
                Caller::User => person.is_some(),
                Caller::Customer => roles.contains(&Role::Customer),
                Caller::Provider => roles.contains(&Role::Provider),
                Caller::Operator => roles.contains(&Role::Operator),
                Caller::Service | Caller::Unspecified => false,
            });
            let subject = person.map(|person| subject(person, roles));
            let code = call(&mesh, "edge", subject, rpc).await;
            let login_says_no = rpc.method == "IssueToken" && code == Code::Unauthenticated;
            assert_eq!(
                !is_refusal(code) || login_says_no,
                declared,
                "{name} {}: {code:?}",
                rpc.path
            );
        }
        if rpc.callers.contains(Caller::Service) {
            assert!(is_absent_outside(&mesh, rpc).await, "{} is reachable", rpc.path);
        }
        for service in [
            "user",
            "provider",
            "order",
            "payment",
            "notification",
            "cleaning",
            "transport",
            "moving",
            "repair",
            "child_assistance",
            "edge",
        ] {
            // The edge calls for the outside, and is no service on its own account but where it is listed.
            let listed = rpc.services.contains(&service);
            if service == "edge" && !rpc.callers.contains(Caller::Service) {
                continue;
            }
            let code = call(&mesh, service, None, rpc).await;
            assert_eq!(!is_refusal(code), listed, "{service} {}: {code:?}", rpc.path);
        }
    }
}

fn subject(person: &Person, roles: &[Role]) -> Subject {
    Subject {
        user_id: person.user_id.parse().unwrap(),
        session_id: Uuid::new_v4(),
        roles: roles.iter().copied().collect(),
    }
}

/// The ids of what Alice and Bob own, by the name of the path variable that takes them.
async fn belongings(mesh: &Mesh, alice: &Person, bob: &Provider) -> BTreeMap<&'static str, String> {
    let order =
        demo::book_cleaning(alice, bob, mesh.clock.now() + Duration::hours(27)).await.unwrap();
    let made = |person: &Person, path: String, body: Value| {
        let client = person.client.clone();
        async move { text_at(&client.post(&path, body).await.unwrap().ok().unwrap(), "id").unwrap() }
    };
    let first = |person: &Person, path: &str, list: &'static str| {
        let (client, path) = (person.client.clone(), path.to_owned());
        async move {
            let answer = client.get(&path).await.unwrap().ok().unwrap();
            answer[list][0]["id"].as_str().map(str::to_owned)
        }
    };
    let request = demo::quote_request(&bob.provider_id, mesh.clock.now() + Duration::hours(40));
    let address = json!({ "label": "home", "address": request["address"].clone() });
    let appliance = json!({ "brand": "Bosch", "model": "WAN28" });
    let profile = format!("/v1/providers/{}", bob.provider_id);
    let member = json!({ "name": "Zoé", "role": "cleaner" });
    let asset = json!({ "kind": "van" });
    let time_off = json!({ "start_local": "2027-08-01T00:00", "end_local": "2027-08-15T00:00" });
    let message = async || first(alice, "/v1/inbox", "messages").await;
    let message = eventually("a message comes", message, Option::is_some).await.unwrap();
    let series = demo::series_request(&bob.provider_id, "2027-05-18");
    let documents = format!("{profile}/documents");
    let offerings = format!("{profile}/offerings");
    let family = demo::make_family(alice, mesh.clock.now()).await.unwrap();
    let preview = format!("/v1/orders/{}:previewCancel", text_at(&order, "id").unwrap());
    let preview = alice.client.post(&preview, json!({})).await.unwrap().ok().unwrap();
    BTreeMap::from([
        ("order_id", text_at(&order, "id").unwrap()),
        ("provider_id", bob.provider_id.clone()),
        ("user_id", alice.user_id.clone()),
        ("payment_id", text_at(&order["payment"], "payment_id").unwrap()),
        ("payment_method_id", demo::add_card(alice, "tok_ok").await.unwrap()),
        ("message_id", message),
        ("address_id", made(alice, "/v1/me/addresses".into(), address).await),
        ("appliance_id", made(alice, "/v1/me/appliances".into(), appliance).await),
        ("series_id", made(alice, "/v1/series".into(), series).await),
        ("quote_id", made(alice, "/v1/quotes".into(), request).await),
        ("document_id", first(&bob.person, &documents, "documents").await.unwrap()),
        ("offering_id", first(&bob.person, &offerings, "offerings").await.unwrap()),
        ("member_id", made(&bob.person, format!("{profile}/members"), member).await),
        ("asset_id", made(&bob.person, format!("{profile}/assets"), asset).await),
        ("time_off_id", made(&bob.person, format!("{profile}/timeOff"), time_off).await),
        ("child_id", family.lou),
        ("adult_id", family.aunt_of_lou),
        ("release_id", Uuid::new_v4().to_string()),
        ("date", "2027-06-01".into()), // A Tuesday.
        ("n", "1".into()),
        ("cancel_token", text_at(&preview, "cancel_token").unwrap()),
        // Made only later in the life of an order: that they are absent to everybody is tested all the same.
        ("change_order_id", Uuid::new_v4().to_string()),
        ("offer_id", Uuid::new_v4().to_string()),
        ("part_id", Uuid::new_v4().to_string()),
        ("payout_id", Uuid::new_v4().to_string()),
        ("due_id", Uuid::new_v4().to_string()),
        ("claim_id", Uuid::new_v4().to_string()),
    ])
}

/// Bodies of the RPCs that refuse an empty one before they look for the object.
fn body(method: &str, ids: &BTreeMap<&'static str, String>) -> Value {
    let window = json!({
        "start": "2027-05-20T10:00:00Z", "end": "2027-05-20T12:00:00Z", "time_zone": "Europe/Paris",
    });
    let euros = json!({ "currency": "EUR", "minor_units": "1500" });
    match method {
        "StartWork" => json!({ "start_code": "123456" }),
        "Arrive" => json!({ "position": { "lat": 48.85, "lng": 2.35 } }),
        "RecordContactAttempt" => json!({ "channel": "call" }),
        "RequestChanges" | "AbortOrder" | "ReassignOrder" => json!({ "reason": "because" }),
        "OpenDispute" => json!({ "reason": "quality" }),
        "ReviewOrder" => json!({ "stars": 5 }),
        "CancelOrder" => json!({ "cancel_token": ids["cancel_token"] }),
        "RescheduleOrder" | "BookVisit" => json!({ "window": window }),
        "PostOrderMessage" => json!({ "text": "hello" }),
        "AddProof" => json!({ "kind": "photo.before", "sha256": "0".repeat(64) }),
        "ProposeChange" => json!({
            "reason": "more rooms",
            "lines": [{ "label": "one more room", "minor_units": "1500" }],
        }),
        "UpdateInventory" => json!({ "items": [{ "line": 1, "quantity": 2 }] }),
        "SignWaybill" => json!({
            "stage": "WAYBILL_STAGE_LOADING", "signature_sha256": "0".repeat(64), "none": true,
        }),
        "CreateClaim" => json!({ "line": 1, "kind": "damaged", "amount": euros }),
        "SettleClaim" => json!({ "refund": euros }),
        "UpdateChecklist" => json!({ "items": [{ "code": "kitchen", "done": true }] }),
        "ReportAccessFailed" => json!({ "contact_attempts": [
            { "channel": "call", "at": "2027-05-10T09:00:00Z" },
            { "channel": "doorbell", "at": "2027-05-10T09:05:00Z" },
        ]}),
        "RecordDiagnosis" => json!({ "code": "pump", "findings": "It is broken." }),
        "AddPart" => json!({ "name": "pump", "cost": { "currency": "EUR", "minor_units": "1" } }),
        "UpdatePart" => json!({ "state": "PART_STATE_ORDERED" }),
        "FinishRepair" => json!({ "outcome": "unrepaired" }),
        "ReplaceAvailability" => json!({ "time_zone": "Europe/Paris", "weekly": [] }),
        "SetDateException" => json!({ "hours": [] }),
        "CreateTimeOff" => {
            json!({ "start_local": "2027-08-01T00:00", "end_local": "2027-08-15T00:00" })
        }
        "UpdateOffering" => json!({
            "skills": ["cleaning.standard"],
            "area": { "lat": 48.85, "lng": 2.35, "radius_km": 10 },
        }),
        "CreateOffering" => json!({
            "vertical": "cleaning", "skills": ["cleaning.standard"],
            "area": { "lat": 48.85, "lng": 2.35, "radius_km": 10 },
        }),
        "CreateMember" | "UpdateMember" => json!({ "name": "Zoé", "role": "cleaner" }),
        "CreateAsset" | "UpdateAsset" => json!({ "kind": "van" }),
        "SubmitDocument" => json!({ "kind": "identity", "number": "1", "issued_on": "2020-01-01" }),
        "MoveOccurrence" => json!({ "start_local": "2027-06-02T10:00" }),
        "UpdateSeries" => json!({ "start_local": "10:00" }),
        "UpdateProvider" => json!({ "bio": "new" }),
        "UpdateAddress" => json!({ "label": "work" }),
        _ => care_body(method, ids),
    }
}

/// As [`body`], of what is about children.
fn care_body(method: &str, ids: &BTreeMap<&'static str, String>) -> Value {
    let (child, adult, new) = (&ids["child_id"], &ids["adult_id"], Uuid::new_v4());
    match method {
        "UpdateChild" => json!({ "profile": { "name": "Lou", "born_on": "2025-05-17" } }),
        "InviteGuardian" => json!({ "right": "GUARDIAN_RIGHT_NOTIFY" }),
        "CreateAuthorizedAdult" => json!({ "id": new, "profile": { "name": "Anne" } }),
        "NameChildren" => json!({ "child_ids": [child] }),
        "CheckIn" => json!({ "child_id": child, "adult_id": adult, "handover": 1 }),
        "CheckOut" => {
            json!({ "child_id": child, "adult_id": adult, "code": "123456", "handover": 2 })
        }
        "MarkAbsent" | "RefuseChild" => json!({ "child_id": child }),
        "ReportIncident" => {
            json!({ "id": new, "child_id": child, "kind": "injury", "text": "A scratch." })
        }
        _ => json!({}),
    }
}

/// Queries of the reads that refuse an empty one.
fn query(method: &str) -> &'static str {
    match method {
        "UpdateSeries" => "?scope=future&date=2027-06-01",
        "ListReservations" => "?from=2027-05-10T00:00:00Z&to=2027-05-20T00:00:00Z",
        _ => "",
    }
}

/// A path with each variable replaced; `last` stands for the last one, the object itself.
fn path(template: &str, ids: &BTreeMap<&'static str, String>, last: Option<&str>) -> String {
    let mut path = template.to_owned();
    let mut names: Vec<&str> =
        template.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
    let object = names.pop();
    for name in names {
        path = path.replace(&format!("{{{name}}}"), &ids[name]);
    }
    if let Some(name) = object {
        let id = ids.get(name).unwrap_or_else(|| panic!("{template}: no {name} to try with"));
        path = path.replace(&format!("{{{name}}}"), last.unwrap_or(id));
    }
    path
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_not_yours_is_not_there(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let (alice, bob) = (mesh.customer("alice").await, mesh.cleaner(&operator, "bob").await);
    let (mallory, eve) = (mesh.customer("mallory").await, mesh.cleaner(&operator, "eve").await);
    let ids = belongings(&mesh, &alice, &bob).await;
    let mut tried = 0;
    let scoped = proto::all_rpcs().iter().filter(|rpc| rpc.scope != Scope::Unspecified);
    // Profiles are public: any of them can be among one's own favourites.
    let favours = ["AddFavourite", "RemoveFavourite"];
    let scoped = scoped.filter(|rpc| !favours.contains(&rpc.method));
    for rpc in scoped.filter(|rpc| !rpc.callers.contains(Caller::Service)) {
        for route in rpc.routes.iter().filter(|route| route.template.contains('{')) {
            for (stranger, role) in [(&mallory, Caller::Customer), (&eve.person, Caller::Provider)]
            {
                let may_ask = rpc.callers.contains(role) || rpc.callers.contains(Caller::User);
                if !may_ask {
                    continue;
                }
                let nowhere = Uuid::new_v4().to_string();
                // A day of a provider or of a series and a stop of an order have no id of their own.
                let absent = if route.template.contains("{date}") {
                    let elsewhere = route.template.replace("{provider_id}", &nowhere);
                    path(&elsewhere.replace("{series_id}", &nowhere), &ids, None)
                } else if route.template.contains("/{n}") {
                    path(&route.template.replace("{order_id}", &nowhere), &ids, None)
                } else {
                    path(route.template, &ids, Some(&nowhere))
                };
                let (absent, foreign) = (
                    absent + query(rpc.method),
                    path(route.template, &ids, None) + query(rpc.method),
                );
                let verb: Method = route.verb.parse().unwrap();
                let body = (!route.body.is_empty()).then(|| body(rpc.method, &ids));
                let foreign = answer(stranger, &verb, &foreign, &body).await;
                let nothing = foreign.0 == 404 || (foreign.0 == 200 && foreign.3);
                assert!(nothing, "{} {}: {foreign:?}", rpc.method, route.template);
                let absent = answer(stranger, &verb, &absent, &body).await;
                assert_eq!(foreign, absent, "{} {}", rpc.method, route.template);
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "only {tried} were tried");
}

/// Status, reason and text of an answer, and whether it is an empty list.
async fn answer(
    person: &Person,
    verb: &Method,
    path: &str,
    body: &Option<Value>,
) -> (u16, String, String, bool) {
    let answer = person.client.send(verb.clone(), path, body.clone(), &[]).await.unwrap();
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    // The id that was asked for may stand in the text; it is the asker's own.
    let detail = detail.split(' ').filter(|word| word.parse::<Uuid>().is_err());
    let empty = |value: &Value| matches!(value, Value::Array(items) if items.is_empty());
    let list = answer.body.as_object().is_some_and(|body| body.values().any(empty));
    let detail = detail.collect::<Vec<_>>().join(" ");
    (answer.status.as_u16(), answer.reason().to_owned(), detail, list)
}
