//! Who hands a child over to whom, what is refused, and the gate.

use crate::fixture::{CODE, Hand, Nursery, TO_END, new_id, state_of, totals};
use kit::{
    Role,
    testing::{ActingAs, Backend, EventRecorder, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    child_assistance::v1::{
        self as pb, CareChildState, CareState, ChildEvent, GuardianRight, HandoverProof,
        ReleaseState,
    },
    fulfilment::v1::{OrderState, Party},
};
use serde_json::json;
use vertical::testing::TO_WORK;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn care_goes_from_the_door_to_the_open_gate(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let uncle = nursery.adult(family.parent, &family.max, "16180339").await;
    let mut order = nursery.book(&family, &[&family.lou, &family.max]).await;
    let states = [CareState::Booked, CareState::Booked, CareState::Ready, CareState::Caring];
    for (told, expected) in TO_WORK.into_iter().zip(states) {
        nursery.go(&mut order, told).await;
        let care = nursery.read_care(&order, family.parent).await.unwrap();
        assert_eq!((care.state(), care.order_state()), (expected, told));
        if expected == CareState::Ready {
            let denied = nursery.ask(&order, OrderState::NoShow).await;
            assert_eq!(denied, Vec::<String>::new(), "a family may be absent");
        }
    }
    assert_eq!(nursery.missing(&order, &[]).await, ["care.child_expected"]);
    let lou = Hand::over(&family.lou, &family.aunt, 1);
    let care = nursery.check_in(&order, lou.clone()).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::In);
    assert_eq!(nursery.check_in(&order, lou).await.unwrap(), care, "said before");
    nursery.check_in(&order, Hand::over(&family.max, &uncle, 1).code("16180339")).await.unwrap();
    assert_eq!(nursery.missing(&order, &[]).await, ["care.child_in"]);
    for end in [OrderState::Aborted, OrderState::NoShow] {
        assert_eq!(nursery.ask(&order, end).await, ["CHILD_CHECKED_IN"]);
    }
    let described = nursery.describe(&order, Party::Provider).await;
    assert_eq!(
        (described.state.as_str(), described.allowed_actions),
        ("CARING", vec!["checkOut".to_owned()])
    );
    nursery.check_out(&order, Hand::over(&family.lou, &family.aunt, 2).code(CODE)).await.unwrap();
    let care = nursery.check_out(&order, Hand::over(&family.max, &uncle, 2).code("16180339")).await;
    let care = care.unwrap();
    let lou = care.children.iter().find(|it| it.child_id == family.lou).unwrap();
    let proofs: Vec<_> = lou.handovers.iter().map(pb::Handover::proof).collect();
    assert_eq!(proofs, [HandoverProof::Sight, HandoverProof::Code], "who brought, who took");
    assert!(lou.handovers.iter().all(|it| it.adult_id == family.aunt));
    assert_eq!(nursery.ask(&order, OrderState::Aborted).await, Vec::<String>::new());
    assert_eq!(nursery.missing(&order, &[]).await, Vec::<String>::new());
    let described = nursery.describe(&order, Party::Provider).await;
    assert_eq!(described.state, "ENDED", "while the delivery is being written");
    nursery.go_through(&mut order, &TO_END).await;
    let told = async || events.kinds_of(&order.id);
    let (came, went) = ("child.checked_in", "child.checked_out");
    eventually("the facts", told, |kinds| *kinds == [came, came, went, went]).await;
    events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_open_gate_keeps_children_out_until_it_lapses(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    let over = |n| Hand::over(&family.lou, &family.aunt, n).code(CODE);
    nursery.check_in(&order, over(1)).await.unwrap();
    nursery.check_out(&order, over(2)).await.unwrap();
    assert_eq!(nursery.missing(&order, &[]).await, Vec::<String>::new());
    assert_eq!(refusal(nursery.check_in(&order, over(3)).await), "DELIVERY_BEGUN");
    nursery.wait(1);
    nursery.check_in(&order, over(3)).await.unwrap();
    assert_eq!(nursery.missing(&order, &[]).await, ["care.child_in"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn children_are_named_before_the_start_and_none_is_dearer(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let infant = nursery.child(family.parent, "2025-05-17").await;
    let details = json!({ "children": [{ "age_months": 60 }, { "age_months": 84 }] });
    let mut order = nursery.book_details(family.parent, details).await;
    nursery.go_through(&mut order, &TO_WORK[..3]).await;
    assert_eq!(nursery.ask(&order, OrderState::InProgress).await, ["CHILDREN_NOT_NAMED"]);
    let order_id = order.id.clone();
    let name = async |ids: &[&String], by| {
        let child_ids = ids.iter().map(|id| (*id).clone()).collect();
        let request = pb::NameChildrenRequest { order_id: order_id.clone(), child_ids };
        nursery.care().name_children(request).by(by).await
    };
    let parent = family.parent;
    assert_eq!(refused_field(name(&[&family.lou], parent).await), "child_ids");
    assert_eq!(refused_field(name(&[&family.lou, &infant], parent).await), "child_ids[1]");
    assert_eq!(refused_field(name(&[&family.lou, &new_id()], parent).await), "child_ids[1]");
    assert_eq!(refused_field(name(&[&family.lou, &family.lou], parent).await), "child_ids");
    let stranger = somebody(&[Role::Customer]);
    assert_eq!(refusal(name(&[&family.lou, &family.max], stranger).await), "ORDER_NOT_FOUND");
    let named = name(&[&family.lou, &family.max], parent).await.unwrap().into_inner();
    assert_eq!(name(&[&family.lou, &family.max], parent).await.unwrap().into_inner(), named);
    assert_eq!(nursery.ask(&order, OrderState::InProgress).await, Vec::<String>::new());
    nursery.go(&mut order, OrderState::InProgress).await;
    assert_eq!(refusal(name(&[&family.max, &family.lou], parent).await), "ORDER_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_not_next_is_refused(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut order = nursery.book(&family, &[&family.lou]).await;
    nursery.go_through(&mut order, &TO_WORK[..3]).await;
    let over = |n| Hand::over(&family.lou, &family.aunt, n).code(CODE);
    assert_eq!(refusal(nursery.check_in(&order, over(1)).await), "ORDER_STATE");
    nursery.go(&mut order, OrderState::InProgress).await;
    assert_eq!(refused_field(nursery.check_out(&order, over(1)).await), "handover");
    assert_eq!(refusal(nursery.check_out(&order, over(2)).await), "CHILD_STATE");
    nursery.check_in(&order, over(1)).await.unwrap();
    assert_eq!(refusal(nursery.check_in(&order, over(3)).await), "CHILD_STATE");
    assert_eq!(refused_field(nursery.check_out(&order, over(4)).await), "handover");
    let nothing = Hand::over(&family.lou, &family.aunt, 2);
    assert_eq!(refused_field(nursery.check_out(&order, nothing).await), "code");
    let other = Hand::over(&family.max, &family.aunt, 1);
    assert_eq!(refusal(nursery.check_in(&order, other).await), "CHILD_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_guardian_who_is_not_authorised_takes_no_child(backend: Backend) {
    // The account of a guardian is no authorisation: an adult of that name must be on the list.
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let of_max = nursery.adult(family.parent, &family.max, CODE).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    for adult in [family.parent.user_id.to_string(), new_id(), of_max] {
        let hand = Hand::over(&family.lou, &adult, 2).code(CODE);
        assert_eq!(refusal(nursery.check_out(&order, hand).await), "ADULT_UNKNOWN", "{adult}");
    }
    let told = async || events.messages::<ChildEvent>("child.pickup_refused");
    let told = eventually("each is told", told, |told| told.len() == 3).await;
    assert!(told.iter().all(|it| it.reason == "ADULT_UNKNOWN" && it.guardian_ids.len() == 1));
    let care = nursery.read_care(&order, family.parent).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::In);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn several_adults_have_a_code_each(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let uncle = nursery.adult(family.parent, &family.lou, "16180339").await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &uncle, 1).code("16180339")).await.unwrap();
    let foreign = Hand::over(&family.lou, &family.aunt, 2).code("16180339");
    assert_eq!(refusal(nursery.check_out(&order, foreign).await), "CODE_WRONG");
    nursery.check_out(&order, Hand::over(&family.lou, &family.aunt, 2).code(CODE)).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn custody_that_is_revoked_meanwhile_counts_at_the_next_check_out(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    let over = |n| Hand::over(&family.lou, &family.aunt, n).code(CODE);
    nursery.check_in(&order, over(1)).await.unwrap();
    nursery.revoke(&family.aunt, family.parent).await.unwrap();
    assert_eq!(refusal(nursery.check_out(&order, over(2)).await), "ADULT_REVOKED");
    let by_photo = Hand::over(&family.lou, &family.aunt, 2).photo_id();
    assert_eq!(refusal(nursery.check_out(&order, by_photo).await), "ADULT_REVOKED");
    let told = async || events.messages::<ChildEvent>("child.pickup_refused");
    let told = eventually("guardians are told", told, |told| told.len() == 2).await;
    assert_eq!(told[0].reason, "ADULT_REVOKED");
    // An operator hands the child to an authority, and says why.
    let operator = nursery.operator;
    let authority = Hand::over(&family.lou, "", 2);
    assert_eq!(
        refused_field(nursery.check_out(&order, authority.clone()).await),
        "adult_id",
        "the carer cannot"
    );
    let care = nursery.check_out_as(&order, authority, operator).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
    let last = &care.children[0].handovers[1];
    assert_eq!((last.proof(), last.adult_id.as_str()), (HandoverProof::Operator, ""));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn five_wrong_codes_lock_the_code_and_guardians_are_told_once(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let wrong = Hand::over(&family.lou, &family.aunt, 2).code("00000000");
    for _ in 0..4 {
        assert_eq!(refusal(nursery.check_out(&order, wrong.clone()).await), "CODE_WRONG");
    }
    assert_eq!(refusal(nursery.check_out(&order, wrong).await), "CODE_LOCKED");
    let right = Hand::over(&family.lou, &family.aunt, 2).code(CODE);
    assert_eq!(refusal(nursery.check_out(&order, right).await), "CODE_LOCKED");
    let told = async || events.messages::<ChildEvent>("child.pickup_refused");
    let told = eventually("guardians are told", told, |told| !told.is_empty()).await;
    assert_eq!((told.len(), told[0].reason.as_str()), (1, "CODE_LOCKED"));
    let care = nursery.read_care(&order, family.parent).await.unwrap();
    assert!(care.children[0].code_locked);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_forgot_the_code_shows_a_photo_id_and_a_guardian_approves(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let notified = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let by_photo = Hand::over(&family.lou, &family.aunt, 2).photo_id();
    for _ in 0..2 {
        let care = nursery.check_out(&order, by_photo.clone()).await.unwrap();
        assert_eq!(state_of(&care, &family.lou), CareChildState::In, "it waits");
        assert_eq!(care.releases.len(), 1, "one waits already");
    }
    let asked = async || events.kinds_of(&order.id);
    eventually("a guardian is asked", asked, |kinds| {
        *kinds == ["child.checked_in", "child.release_requested"]
    })
    .await;
    let care = nursery.read_care(&order, family.parent).await.unwrap();
    let release_id = care.releases[0].id.clone();
    let approve = async |release_id: &str, by| {
        let (order_id, release_id) = (order.id.clone(), release_id.to_owned());
        let request = pb::ApproveReleaseRequest { order_id, release_id };
        nursery.care().approve_release(request).by(by).await
    };
    assert_eq!(refusal(approve(&release_id, notified).await), "GUARDIAN_RIGHT");
    assert_eq!(refusal(approve(&release_id, order.provider).await), "ORDER_NOT_FOUND");
    assert_eq!(refusal(approve(&new_id(), family.parent).await), "ORDER_NOT_FOUND");
    let approved = approve(&release_id, family.parent).await.unwrap().into_inner();
    assert_eq!(approved.release.unwrap().state(), ReleaseState::Approved);
    let care = nursery.check_out(&order, by_photo).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
    assert_eq!(care.children[0].handovers[1].proof(), HandoverProof::PhotoId);
    assert_eq!(care.releases[0].state(), ReleaseState::Used);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_approval_does_not_outlive_a_revocation(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let by_photo = Hand::over(&family.lou, &family.aunt, 2).photo_id();
    let care = nursery.check_out(&order, by_photo.clone()).await.unwrap();
    let request = pb::ApproveReleaseRequest {
        order_id: order.id.clone(),
        release_id: care.releases[0].id.clone(),
    };
    nursery.care().approve_release(request.clone()).by(family.parent).await.unwrap();
    nursery.revoke(&family.aunt, family.parent).await.unwrap();
    assert_eq!(refusal(nursery.check_out(&order, by_photo).await), "ADULT_REVOKED");
    let again = nursery.care().approve_release(request).by(family.parent).await;
    assert_eq!(refusal(again), "ADULT_REVOKED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_error_at_check_in_leaves_the_child_out(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    // The fact cannot be written: so neither is the hand-over.
    nursery.execute("ALTER TABLE outbox RENAME TO outbox_gone").await.unwrap();
    let hand = Hand::over(&family.lou, &family.aunt, 1);
    assert!(nursery.check_in(&order, hand.clone()).await.is_err());
    nursery.execute("ALTER TABLE outbox_gone RENAME TO outbox").await.unwrap();
    let care = nursery.read_care(&order, family.parent).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Expected);
    nursery.check_in(&order, hand).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_came_in_without_a_code_goes_out_by_the_same_path(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let hand = Hand::over(&family.lou, &family.aunt, 2);
    let operator = nursery.operator;
    let care = nursery.check_out_as(&order, hand, operator).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
    assert_eq!(nursery.missing(&order, &[]).await, Vec::<String>::new());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_sick_child_is_refused_before_it_comes_in_and_pays_the_least(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let details = json!({ "children": [{ "child_id": family.lou }] });
    let mut order = nursery.book_details(family.parent, details).await;
    // Five hours were booked: 7000.
    order.price.quoted[0].quantity = 5.0;
    order.price.quoted[0].total.as_mut().unwrap().minor_units = 7_000;
    nursery.go_through(&mut order, &TO_WORK).await;
    let request =
        pb::RefuseChildRequest { order_id: order.id.clone(), child_id: family.lou.clone() };
    let customer = nursery.care().refuse_child(request.clone()).by(family.parent).await;
    assert_eq!(refusal(customer), "PERMISSION_DENIED");
    for _ in 0..2 {
        nursery.care().refuse_child(request.clone()).by(order.provider).await.unwrap();
    }
    let answer = nursery.judge_delivery(&order, &[]).await;
    let expected = ("child_assistance.refused".to_owned(), 4_200 - 7_000);
    assert_eq!(totals(&answer.settlement), [expected]);
    let hand = Hand::over(&family.lou, &family.aunt, 1);
    nursery.wait(2);
    assert_eq!(refusal(nursery.check_in(&order, hand).await), "CHILD_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_that_does_not_come_is_marked_absent_and_the_price_stays(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let notified = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    let mark = async |by| {
        let (order_id, child_id) = (order.id.clone(), family.lou.clone());
        nursery.care().mark_absent(pb::MarkAbsentRequest { order_id, child_id }).by(by).await
    };
    assert_eq!(refusal(mark(notified).await), "GUARDIAN_RIGHT");
    assert_eq!(refusal(mark(order.provider).await), "ORDER_NOT_FOUND");
    mark(family.parent).await.unwrap();
    mark(family.parent).await.unwrap();
    let answer = nursery.judge_delivery(&order, &[]).await;
    assert_eq!((answer.missing.len(), answer.settlement.len(), answer.due.len()), (0, 0, 0));
}
