//! How cleanings go: checklist, gate, rework, closed doors, and who may see and do what.

use crate::fixture::{Order, Shop};
use chrono::Duration;
use kit::{
    Role,
    testing::{
        ActingAs, Backend, EventRecorder, at, eventually, refusal, refused_field, somebody, window,
    },
    values::time::timestamp,
};
use proto::quickserve::{
    cleaning::v1 as pb,
    fulfilment::v1::{CompletionGateRequest, OrderState},
};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

const TO_WORK: [OrderState; 6] = [
    OrderState::PendingPayment,
    OrderState::Requested,
    OrderState::Assigned,
    OrderState::EnRoute,
    OrderState::Arrived,
    OrderState::InProgress,
];

async fn checklist(shop: &Shop, order: &Order) -> pb::Checklist {
    let request = pb::GetChecklistRequest { order_id: order.id.clone() };
    let answer = shop.people().get_checklist(request).by(order.customer).await.unwrap();
    answer.into_inner().checklist.unwrap()
}

async fn cleaning(shop: &Shop, order: &Order) -> pb::Cleaning {
    let request = pb::GetCleaningRequest { order_id: order.id.clone() };
    let answer = shop.people().get_cleaning(request).by(order.customer).await.unwrap();
    answer.into_inner().cleaning.unwrap()
}

fn ticks(order: &Order, codes: &[&str]) -> pb::UpdateChecklistRequest {
    let tick =
        |code: &&str| pb::ChecklistChange { code: (*code).to_owned(), done: true, note: None };
    pb::UpdateChecklistRequest {
        order_id: order.id.clone(),
        items: codes.iter().map(tick).collect(),
        version: 0,
    }
}

/// Ticks everything off.
pub async fn tick_all(shop: &Shop, order: &Order) {
    let items = checklist(shop, order).await.items;
    let codes: Vec<&str> = items.iter().map(|item| item.code.as_str()).collect();
    let done = shop.people().update_checklist(ticks(order, &codes)).by(order.provider).await;
    assert!(done.unwrap().into_inner().checklist.unwrap().complete);
}

async fn missing(shop: &Shop, order: &Order, proofs: &[&str]) -> Vec<String> {
    let request = CompletionGateRequest {
        order_id: order.id.clone(),
        proof_kinds: proofs.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    shop.vertical().completion_gate(request).await.unwrap().into_inner().missing
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_gate_opens_when_all_is_done_and_photographed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = Order::new();
    order.details["extras"] = serde_json::json!([{"code": "oven"}]);
    shop.go_through(&mut order, &TO_WORK).await;
    let codes: Vec<String> =
        checklist(&shop, &order).await.items.into_iter().map(|item| item.code).collect();
    let expected = [
        "room.1.dust",
        "room.1.floor",
        "room.2.dust",
        "room.2.floor",
        "bathroom.1.sanitary",
        "bathroom.1.floor",
        "kitchen.surfaces",
        "kitchen.sink",
        "all.bins",
        "extra.oven",
    ];
    assert_eq!(codes, expected);
    let everything = ["checklist.incomplete", "photo.before", "photo.after"];
    assert_eq!(missing(&shop, &order, &[]).await, everything);
    let photos = ["photo.after", "photo.before", "signature"];
    assert_eq!(missing(&shop, &order, &photos).await, ["checklist.incomplete"]);
    let early = shop.try_move(&order, OrderState::Delivered).await;
    assert_eq!(early, ["checklist.incomplete"]);
    tick_all(&shop, &order).await;
    assert_eq!(missing(&shop, &order, &["photo.before"]).await, ["photo.after"]);
    assert_eq!(missing(&shop, &order, &photos).await, Vec::<String>::new());
    shop.go(&mut order, OrderState::Delivered).await;
    let unknown =
        CompletionGateRequest { order_id: Uuid::new_v4().to_string(), proof_kinds: Vec::new() };
    assert_eq!(refusal(shop.vertical().completion_gate(unknown).await), "ORDER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn rework_opens_the_checklist_again_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = Order::new();
    shop.go_through(&mut order, &TO_WORK).await;
    tick_all(&shop, &order).await;
    shop.go(&mut order, OrderState::Delivered).await;
    for _ in 0..3 {
        assert!(shop.try_move(&order, OrderState::ChangesRequested).await.is_empty());
    }
    shop.go(&mut order, OrderState::ChangesRequested).await;
    let list = checklist(&shop, &order).await;
    assert!(list.items.iter().all(|item| !item.done && item.reopened == 1));
    assert_eq!(cleaning(&shop, &order).await.recleans, 1);
    let photos = ["photo.before", "photo.after"];
    assert_eq!(missing(&shop, &order, &photos).await, ["checklist.incomplete"]);
    tick_all(&shop, &order).await;
    shop.go_through(&mut order, &[OrderState::Delivered, OrderState::Completed]).await;
    let late = ticks(&order, &["all.bins"]);
    let late = shop.people().update_checklist(late).by(order.provider).await;
    assert_eq!(refusal(late), "ORDER_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn saying_a_transition_again_changes_nothing(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = Order::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let request = order.moving(OrderState::PendingPayment);
        let mut vertical = shop.vertical();
        tasks.spawn(async move { vertical.on_transition(request).await });
    }
    for answer in tasks.join_all().await {
        assert!(answer.unwrap().into_inner().denials.is_empty());
    }
    assert_eq!(cleaning(&shop, &order).await.version, 1);
    shop.go(&mut order, OrderState::PendingPayment).await;
    shop.go(&mut order, OrderState::Assigned).await;
    let first = cleaning(&shop, &order).await;
    shop.go(&mut order, OrderState::Assigned).await;
    assert_eq!(cleaning(&shop, &order).await, first);
    assert_eq!(first.provider_user_id, order.provider.user_id.to_string());
    assert_eq!(first.state(), OrderState::Assigned);
    // The order moves to another time, with one thing more to do.
    order.window = window("2027-05-25T08:00:00Z", 2);
    order.details["extras"] = serde_json::json!([{"code": "fridge"}]);
    shop.go(&mut order, OrderState::EnRoute).await;
    let moved = cleaning(&shop, &order).await;
    assert_eq!(moved.window, Some(order.window.clone()));
    assert_eq!(moved.details.unwrap().extras[0].code, "fridge");
    let codes = checklist(&shop, &order).await.items;
    assert_eq!(codes.last().unwrap().code, "extra.fridge");
    // What is told late changes nothing.
    shop.go_through(&mut order, &[OrderState::Arrived, OrderState::InProgress]).await;
    let before = cleaning(&shop, &order).await;
    let mut late = order.moving(OrderState::EnRoute);
    late.set_from(OrderState::Assigned);
    shop.vertical().on_transition(late).await.unwrap();
    assert_eq!(cleaning(&shop, &order).await, before);
    // A reassignment takes the cleaning away from the provider.
    let mut away = order.moving(OrderState::Searching);
    away.details = None;
    shop.vertical().on_transition(away).await.unwrap();
    assert_eq!(cleaning(&shop, &order).await.provider_user_id, "");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_the_parties_see_and_only_the_provider_ticks(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = Order::new();
    shop.go_through(&mut order, &TO_WORK).await;
    let get = |id: &str| pb::GetChecklistRequest { order_id: id.to_owned() };
    for subject in [order.customer, order.provider, shop.operator] {
        shop.people().get_checklist(get(&order.id)).by(subject).await.unwrap();
    }
    let absent = Uuid::new_v4().to_string();
    for stranger in [somebody(&[Role::Customer]), somebody(&[Role::Provider])] {
        let foreign = shop.people().get_checklist(get(&order.id)).by(stranger).await.unwrap_err();
        let absent = shop.people().get_checklist(get(&absent)).by(stranger).await.unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        assert_eq!((foreign.message(), foreign.details()), (absent.message(), absent.details()));
    }
    let tick = || ticks(&order, &["all.bins"]);
    let other = somebody(&[Role::Provider]);
    let foreign = shop.people().update_checklist(tick()).by(other).await;
    assert_eq!(refusal(foreign), "ORDER_NOT_FOUND");
    let customer = shop.people().update_checklist(tick()).by(order.customer).await;
    assert_eq!(customer.unwrap_err().code(), Code::PermissionDenied);
    let both = kit::Subject {
        roles: [Role::Customer, Role::Provider].into_iter().collect(),
        ..order.customer
    };
    let customer = shop.people().update_checklist(tick()).by(both).await;
    assert_eq!(refusal(customer), "ORDER_NOT_FOUND");
    shop.people().update_checklist(tick()).by(order.provider).await.unwrap();
    let nobody = shop.people().get_checklist(get(&order.id)).await;
    assert_eq!(nobody.unwrap_err().code(), Code::Unauthenticated);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn ticks_need_the_item_the_state_and_the_version(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = Order::new();
    shop.go_through(&mut order, &TO_WORK[..5]).await;
    let bins = |order: &Order| ticks(order, &["all.bins"]);
    let early = shop.people().update_checklist(bins(&order)).by(order.provider).await;
    assert_eq!(refusal(early), "ORDER_STATE");
    shop.go(&mut order, OrderState::InProgress).await;
    let unknown = ticks(&order, &["all.bins", "roof"]);
    let unknown = shop.people().update_checklist(unknown).by(order.provider).await;
    assert_eq!(refused_field(unknown), "items[1].code");
    let version = checklist(&shop, &order).await.version;
    let noted = pb::UpdateChecklistRequest {
        version,
        items: vec![pb::ChecklistChange {
            code: "all.bins".to_owned(),
            done: true,
            note: Some("no bags left".to_owned()),
        }],
        ..bins(&order)
    };
    let list = shop.people().update_checklist(noted.clone()).by(order.provider).await.unwrap();
    let list = list.into_inner().checklist.unwrap();
    let item = list.items.iter().find(|item| item.code == "all.bins").unwrap();
    assert!(item.done && item.done_at.is_some() && item.note == "no bags left");
    assert_eq!(list.version, version + 1);
    let stale = shop.people().update_checklist(noted).by(order.provider).await;
    assert_eq!(refusal(stale), "VERSION_MISMATCH");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_closed_door_is_reported_after_two_tries(backend: Backend) {
    let shop = Shop::open(backend).await;
    let events = EventRecorder::subscribed(&shop.world.host, &["cleaning.access_failed"]);
    let mut order = Order::new();
    shop.go_through(&mut order, &TO_WORK[..4]).await;
    let report = |moments: &[&str]| pb::ReportAccessFailedRequest {
        order_id: order.id.clone(),
        contact_attempts: moments
            .iter()
            .map(|moment| pb::ContactAttempt {
                channel: "call".to_owned(),
                at: Some(timestamp(at(moment))),
            })
            .collect(),
    };
    let good = report(&["2027-05-24T08:02:00Z", "2027-05-24T08:10:00Z"]);
    let bad = [
        (report(&["2027-05-24T08:02:00Z"]), "contact_attempts"),
        (report(&["2027-05-24T07:59:00Z", "2027-05-24T08:10:00Z"]), "contact_attempts[0].at"),
        (report(&["2027-05-24T08:02:00Z", "2027-05-24T09:10:00Z"]), "contact_attempts[1].at"),
        (report(&["2027-05-24T08:02:00Z", "2027-05-24T08:02:00Z"]), "contact_attempts[1].at"),
        (report(&["2027-05-24T08:10:00Z", "2027-05-24T08:06:00Z"]), "contact_attempts[1].at"),
    ];
    // A quarter past ten in Paris.
    shop.world.clock.advance(Duration::days(14) - Duration::minutes(45));
    let early = shop.people().report_access_failed(good.clone()).by(order.provider).await;
    assert_eq!(refusal(early), "ORDER_STATE");
    shop.go(&mut order, OrderState::Arrived).await;
    for (request, wrong) in bad {
        let answer = shop.people().report_access_failed(request).by(order.provider).await;
        assert_eq!(refused_field(answer), wrong);
    }
    let other = somebody(&[Role::Provider]);
    let foreign = shop.people().report_access_failed(good.clone()).by(other).await;
    assert_eq!(refusal(foreign), "ORDER_NOT_FOUND");
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = shop.people().report_access_failed(good.clone()).by(order.provider).await;
        answers.push(answer.unwrap().into_inner().cleaning.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(answers[0].contact_attempts.len(), 2);
    assert!(answers[0].access_failed_at.is_some());
    shop.go(&mut order, OrderState::NoShow).await;
    let heard = async || events.messages::<pb::CleaningEvent>("cleaning.access_failed");
    let heard = eventually("the event", heard, |heard| !heard.is_empty()).await;
    let expected = pb::CleaningEvent {
        order_id: order.id.clone(),
        reported_by: order.provider.user_id.to_string(),
    };
    assert_eq!(heard, [expected]);
}
