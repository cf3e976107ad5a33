//! How cleanings go: checklist, gate, rework, closed doors, and who may see and do what.

use crate::fixture::{Shop, new_order};
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
    fulfilment::v1::{
        OrderSnapshot, OrderState, Party, PriceLine, QuoteChangeRequest, QuoteChangeResponse,
        Signal,
    },
};
use tonic::Code;
use uuid::Uuid;
use vertical::testing::{Order, TO_WORK, ask_request, tell_request};
use yare::parameterized;

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

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_gate_opens_when_all_is_done_and_photographed(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    order.details["extras"] = serde_json::json!([{"code": "oven"}]);
    for told in TO_WORK {
        shop.go(&mut order, told).await;
        let denied = shop.ask(&order, OrderState::NoShow).await;
        assert_eq!(denied, Vec::<String>::new(), "a customer may be absent");
    }
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
    assert_eq!(shop.missing(&order, &[]).await, everything);
    let photos = ["photo.after", "photo.before", "signature"];
    assert_eq!(shop.missing(&order, &photos).await, ["checklist.incomplete"]);
    let early = shop.ask(&order, OrderState::Delivered).await;
    assert_eq!(early, ["checklist.incomplete"]);
    tick_all(&shop, &order).await;
    assert_eq!(shop.missing(&order, &["photo.before"]).await, ["photo.after"]);
    assert_eq!(shop.missing(&order, &photos).await, Vec::<String>::new());
    assert_eq!(shop.ask(&order, OrderState::Delivered).await, Vec::<String>::new());
    let unknown = new_order();
    assert_eq!(shop.missing(&unknown, &photos).await, ["checklist.incomplete"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn rework_opens_the_checklist_again_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK).await;
    tick_all(&shop, &order).await;
    shop.go(&mut order, OrderState::Delivered).await;
    let delivered = order.snapshot();
    let photos = ["photo.before", "photo.after"];
    // The gate is closed from the moment of the request on, also while the service has not heard of it.
    order.enter(OrderState::ChangesRequested, shop.world.clock.now());
    assert_eq!(shop.missing(&order, &photos).await, ["checklist.incomplete"]);
    assert_eq!(shop.ask(&order, OrderState::Delivered).await, ["checklist.incomplete"]);
    assert_eq!(cleaning(&shop, &order).await.recleans, 0, "a question changes nothing");
    for _ in 0..3 {
        shop.tell(order.snapshot()).await;
    }
    let list = checklist(&shop, &order).await;
    assert!(list.items.iter().all(|item| !item.done && item.reopened == 1));
    assert_eq!(cleaning(&shop, &order).await.recleans, 1);
    // The delivery is told once more, too late: that is no denial, and changes nothing.
    shop.tell(delivered).await;
    assert_eq!(cleaning(&shop, &order).await.state(), OrderState::ChangesRequested);
    assert_eq!(shop.missing(&order, &photos).await, ["checklist.incomplete"]);
    tick_all(&shop, &order).await;
    shop.go_through(&mut order, &[OrderState::Delivered, OrderState::Completed]).await;
    let late = ticks(&order, &["all.bins"]);
    let late = shop.people().update_checklist(late).by(order.provider).await;
    assert_eq!(refusal(late), "ORDER_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_second_rework_is_one_also_when_the_delivery_before_was_not_told(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK).await;
    tick_all(&shop, &order).await;
    shop.go_through(&mut order, &[OrderState::Delivered, OrderState::ChangesRequested]).await;
    tick_all(&shop, &order).await;
    shop.world.clock.advance(Duration::hours(1));
    order.enter(OrderState::Delivered, shop.world.clock.now());
    order.enter(OrderState::ChangesRequested, shop.world.clock.now());
    assert_eq!(shop.ask(&order, OrderState::Delivered).await, ["checklist.incomplete"]);
    shop.tell(order.snapshot()).await;
    assert_eq!(cleaning(&shop, &order).await.recleans, 2);
    assert_eq!(shop.ask(&order, OrderState::Delivered).await, ["checklist.incomplete"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_question_leaves_no_trace(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    order.enter(OrderState::Searching, shop.world.clock.now());
    let loser = somebody(&[Role::Provider]);
    let provider_user_id = loser.user_id.to_string();
    let asked = OrderSnapshot { provider_user_id, ..order.snapshot() };
    let asked = ask_request(asked, OrderState::Assigned);
    shop.vertical().on_transition(asked.clone()).await.unwrap();
    for subject in [order.customer, order.provider, loser, shop.operator] {
        let unknown = shop.people().get_cleaning(get_of(&order)).by(subject).await;
        assert_eq!(refusal(unknown), "ORDER_NOT_FOUND", "no provider has the order");
    }
    shop.go(&mut order, OrderState::Assigned).await;
    shop.vertical().on_transition(asked).await.unwrap();
    shop.people().get_cleaning(get_of(&order)).by(order.provider).await.unwrap();
    let lost = shop.people().get_cleaning(get_of(&order)).by(loser).await;
    assert_eq!(refusal(lost), "ORDER_NOT_FOUND");
}

fn get_of(order: &Order) -> pb::GetCleaningRequest {
    pb::GetCleaningRequest { order_id: order.id.clone() }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_told_again_or_late_changes_nothing(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    order.enter(OrderState::Assigned, shop.world.clock.now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (mut vertical, request) = (shop.vertical(), tell_request(order.snapshot()));
        tasks.spawn(async move { vertical.on_transition(request).await });
    }
    for answer in tasks.join_all().await {
        answer.unwrap();
    }
    let first = cleaning(&shop, &order).await;
    assert_eq!(first.version, 1);
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
    let en_route = order.snapshot();
    shop.go_through(&mut order, &[OrderState::Arrived, OrderState::InProgress]).await;
    let before = cleaning(&shop, &order).await;
    shop.tell(en_route).await;
    assert_eq!(cleaning(&shop, &order).await, before);
    // A reassignment takes the cleaning away from the provider.
    shop.go(&mut order, OrderState::Searching).await;
    assert_eq!(cleaning(&shop, &order).await.provider_user_id, "");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_order_leaves_no_words(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    order.details["access"] = "key box 1234".into();
    shop.go_through(&mut order, &TO_WORK).await;
    let mut noted = ticks(&order, &["all.bins"]);
    noted.items[0].note = Some("The neighbour has the key".to_owned());
    shop.people().update_checklist(noted).by(order.provider).await.unwrap();
    order.enter(OrderState::Closed, shop.world.clock.now());
    let erased = order.erased();
    for _ in 0..2 {
        shop.tell(erased.clone()).await;
    }
    assert_eq!(cleaning(&shop, &order).await.details, Some(pb::CleaningDetails::default()));
    assert!(checklist(&shop, &order).await.items.iter().all(|item| item.note.is_empty()));
    // When the provider's account is erased, the home stays the customer's.
    let mut worked = new_order();
    worked.details["access"] = "key box 1234".into();
    shop.go_through(&mut worked, &TO_WORK).await;
    let mut noted = ticks(&worked, &["all.bins"]);
    noted.items[0].note = Some("I was here".to_owned());
    shop.people().update_checklist(noted).by(worked.provider).await.unwrap();
    worked.enter(OrderState::Delivered, shop.world.clock.now());
    shop.tell(OrderSnapshot { provider_erased: true, ..worked.snapshot() }).await;
    assert_eq!(cleaning(&shop, &worked).await.details.unwrap().access, "key box 1234");
    assert!(checklist(&shop, &worked).await.items.iter().all(|item| item.note.is_empty()));
    // One that was never told of before leaves nothing to look at.
    let mut unknown = new_order();
    unknown.enter(OrderState::Closed, shop.world.clock.now());
    shop.tell(unknown.erased()).await;
    let absent = shop.people().get_cleaning(get_of(&unknown)).by(shop.operator).await;
    assert_eq!(refusal(absent), "ORDER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_the_parties_see_and_only_the_provider_ticks(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
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
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK[..3]).await;
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
    let events = EventRecorder::subscribed(&shop.world.host, &["fulfilment.access_failed"]);
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK[..2]).await;
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
    let heard = async || events.messages::<Signal>("fulfilment.access_failed");
    let heard = eventually("the event", heard, |heard| !heard.is_empty()).await;
    let expected = Signal {
        order_id: order.id.clone(),
        reported_by: order.provider.user_id.to_string(),
        ..Signal::default()
    };
    assert_eq!(heard, [expected]);
}

/// What could close the gate again waits until the delivery is written, or was not.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_open_gate_keeps_the_checklist_as_it_is(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK).await;
    let id = order.id.clone();
    let open_again = || pb::UpdateChecklistRequest {
        order_id: id.clone(),
        items: vec![pb::ChecklistChange {
            code: "kitchen.sink".to_owned(),
            done: false,
            note: None,
        }],
        version: 0,
    };
    // A gate that stays closed locks nothing.
    assert_eq!(shop.missing(&order, &[]).await.len(), 3);
    tick_all(&shop, &order).await;
    let photos = ["photo.before", "photo.after"];
    assert_eq!(shop.missing(&order, &photos).await, Vec::<String>::new());
    let refused = shop.people().update_checklist(open_again()).by(order.provider).await;
    assert_eq!(refusal(refused), "DELIVERY_BEGUN");
    assert_eq!(shop.missing(&order, &photos).await, Vec::<String>::new(), "asking again is fine");
    // The delivery was not written: a minute later the provider goes on.
    shop.world.clock.advance(Duration::seconds(61));
    shop.people().update_checklist(open_again()).by(order.provider).await.unwrap();
    assert_eq!(shop.missing(&order, &photos).await, ["checklist.incomplete"]);
    tick_all(&shop, &order).await;
    assert_eq!(shop.missing(&order, &photos).await, Vec::<String>::new());
    // The order was not delivered after all, and says so.
    order.enter(OrderState::AwaitingApproval, shop.world.clock.now());
    shop.tell(order.snapshot()).await;
    shop.people().update_checklist(open_again()).by(order.provider).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_cleaning_takes_plain_changes_only(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut order = new_order();
    shop.go_through(&mut order, &TO_WORK).await;
    let line = PriceLine { code: "order.change".to_owned(), quantity: 1.0, ..PriceLine::default() };
    let plain = QuoteChangeRequest {
        order: Some(order.snapshot()),
        details: None,
        lines: vec![line.clone()],
        proposer: Party::Provider.into(),
        approving: false,
    };
    let answer = shop.vertical().quote_change(plain).await.unwrap().into_inner();
    assert_eq!(answer, QuoteChangeResponse { lines: vec![line], ..QuoteChangeResponse::default() });
    let more = serde_json::json!({"rooms": 3});
    let refused = shop.quote_change(&order, Some(&more), Party::Customer).await;
    assert_eq!(refused_field(refused), "details");
    assert_eq!(shop.describe(&order, Party::Provider).await.state, "WORKING");
}
