//! Guardians who are removed: nothing that they hold gives the child to them, and what they booked is still care.

use crate::fixture::{CODE, Family, Hand, Nursery, new_id, state_of};
use kit::{
    Role, Subject,
    testing::{ActingAs, Backend, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    child_assistance::v1::{self as pb, CareChildState, GuardianRight, ReleaseState},
    fulfilment::v1::OrderState,
};
use serde_json::json;
use tonic::Status;
use vertical::testing::{Order, TO_WORK};
use yare::parameterized;

async fn invite(nursery: &Nursery, child: &str, by: Subject) -> String {
    let right = GuardianRight::Manage.into();
    let request = pb::InviteGuardianRequest { child_id: child.to_owned(), right };
    let answer = nursery.families().invite_guardian(request).by(by).await.unwrap();
    answer.into_inner().invitation.unwrap().token
}

async fn accept(nursery: &Nursery, token: &str, by: Subject) -> Result<(), Status> {
    let request = pb::AcceptInvitationRequest { token: token.to_owned() };
    nursery.families().accept_invitation(request).by(by).await.map(|_| ())
}

async fn reads(nursery: &Nursery, child: &str, by: Subject) -> Result<(), Status> {
    let request = pb::GetChildRequest { child_id: child.to_owned() };
    nursery.families().get_child(request).by(by).await.map(|_| ())
}

async fn drop_child(nursery: &Nursery, child: &str, by: Subject) -> Result<(), Status> {
    let request = pb::DeleteChildRequest { child_id: child.to_owned() };
    nursery.families().delete_child(request).by(by).await.map(|_| ())
}

/// An adult without a code, and the token of their link.
async fn adult_with_link(nursery: &Nursery, child: &str, by: Subject) -> (String, String) {
    let id = new_id();
    let request = pb::CreateAuthorizedAdultRequest {
        child_id: child.to_owned(),
        id: id.clone(),
        profile: Some(pb::AdultProfile { name: "Bob".into(), ..Default::default() }),
        ..Default::default()
    };
    let answer = nursery.families().create_authorized_adult(request).by(by).await.unwrap();
    (id, answer.into_inner().link_token)
}

async fn set_code(nursery: &Nursery, adult_id: &str, token: &str) -> Result<(), Status> {
    let (adult_id, token) = (adult_id.to_owned(), token.to_owned());
    let request = pb::SetAdultCodeRequest { adult_id, code: "314159".into(), token };
    nursery.families().set_adult_code(request).await.map(|_| ())
}

async fn approve(
    nursery: &Nursery,
    order: &Order,
    release: &pb::Release,
    by: Subject,
) -> pb::Release {
    let request =
        pb::ApproveReleaseRequest { order_id: order.id.clone(), release_id: release.id.clone() };
    let answer = nursery.care().approve_release(request).by(by).await.unwrap();
    answer.into_inner().release.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_removed_guardian_comes_back_by_nothing_that_was_handed_out(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let (lou, mother) = (&family.lou, family.parent);
    let accepted = invite(&nursery, lou, mother).await;
    let father = somebody(&[Role::Customer]);
    accept(&nursery, &accepted, father).await.unwrap();
    let kept = invite(&nursery, lou, father).await;
    let (bob, link) = adult_with_link(&nursery, lou, father).await;
    nursery.remove_guardian(lou, father, mother).await.unwrap();
    for token in [&kept, &accepted] {
        assert_eq!(refusal(accept(&nursery, token, father).await), "INVITATION_NOT_FOUND");
    }
    let friend = somebody(&[Role::Customer]);
    assert_eq!(refusal(accept(&nursery, &kept, friend).await), "INVITATION_NOT_FOUND");
    assert_eq!(refusal(set_code(&nursery, &bob, &link).await), "ADULT_NOT_FOUND");
    assert_eq!(refusal(reads(&nursery, lou, father).await), "CHILD_NOT_FOUND");
    // Who is invited anew comes back.
    let anew = invite(&nursery, lou, mother).await;
    // Removing once more changes nothing.
    nursery.remove_guardian(lou, father, mother).await.unwrap();
    accept(&nursery, &anew, father).await.unwrap();
    reads(&nursery, lou, father).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_approval_ends_with_the_rights_of_the_guardian(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let father = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let by_photo = Hand::over(&family.lou, &family.aunt, 2).photo_id();
    let care = nursery.check_out(&order, by_photo.clone()).await.unwrap();
    approve(&nursery, &order, &care.releases[0], father).await;
    nursery.remove_guardian(&family.lou, father, family.parent).await.unwrap();
    let care = nursery.check_out(&order, by_photo.clone()).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::In, "another guardian is asked");
    assert_eq!(care.releases.len(), 2);
    let approved = approve(&nursery, &order, &care.releases[1], family.parent).await;
    assert_eq!(approved.state(), ReleaseState::Approved);
    let care = nursery.check_out(&order, by_photo).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
}

/// A family whose mother booked care, where the child is, and whose father has removed her since.
async fn mother_removed(nursery: &Nursery) -> (Family, Subject, Order) {
    let family = nursery.family().await;
    let father = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    nursery.remove_guardian(&family.lou, family.parent, father).await.unwrap();
    (family, father, order)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_is_kept_while_it_is_in_care_that_a_former_guardian_booked(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let (family, father, order) = mother_removed(&nursery).await;
    assert_eq!(refusal(drop_child(&nursery, &family.lou, father).await), "CHILD_IN_CARE");
    // His account goes too: the child stays until it is fetched.
    let sibling = nursery.child(father, "2023-01-01").await;
    crate::erasure::erase(&nursery, father).await;
    let gone = async || reads(&nursery, &sibling, father).await.is_err();
    eventually("his other child is forgotten", gone, |is_gone| *is_gone).await;
    let out = Hand::over(&family.lou, &family.aunt, 2).code(CODE);
    let care = nursery.check_out(&order, out).await.unwrap();
    assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_former_guardians_order_that_has_not_begun_keeps_no_child(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let father = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
    let mut order = nursery.book(&family, &[&family.lou]).await;
    nursery.go(&mut order, OrderState::Assigned).await;
    assert_eq!(refusal(drop_child(&nursery, &family.lou, father).await), "CHILD_IN_CARE");
    nursery.remove_guardian(&family.lou, family.parent, father).await.unwrap();
    drop_child(&nursery, &family.lou, father).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_that_goes_while_it_is_named_is_not_named(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    for _ in 0..4 {
        let family = nursery.family().await;
        let other = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
        let details = json!({ "children": [{ "age_months": 60 }] });
        let mut order = nursery.book_details(family.parent, details).await;
        nursery.go(&mut order, OrderState::Assigned).await;
        let (order_id, child_ids) = (order.id.clone(), vec![family.lou.clone()]);
        let request = pb::NameChildrenRequest { order_id, child_ids };
        let mut care = nursery.care();
        let naming = care.name_children(request).by(family.parent);
        let (named, removed) =
            tokio::join!(naming, nursery.remove_guardian(&family.lou, family.parent, other));
        removed.unwrap();
        let read = nursery.read_care(&order, order.provider).await.unwrap();
        match named {
            Ok(_) => assert_eq!(read.children.len(), 1, "it was named before"),
            refused => {
                assert_eq!(refused_field(refused), "child_ids[0]");
                assert!(read.children.is_empty());
            }
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_ages_that_were_booked_hold_when_children_are_named(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let parent = somebody(&[Role::Customer]);
    let mut infants = Vec::new();
    for day in 1..=4 {
        infants.push(nursery.child(parent, &format!("2025-05-0{day}")).await);
    }
    let mut older = Vec::new();
    for day in 1..=3 {
        older.push(nursery.child(parent, &format!("2021-05-0{day}")).await);
    }
    let book = async |ages: &[i32]| {
        let children: Vec<_> = ages.iter().map(|age| json!({ "age_months": age })).collect();
        let details = json!({ "children": children });
        let mut order = nursery.book_details(parent, details).await;
        nursery.go(&mut order, OrderState::Assigned).await;
        order
    };
    let name = async |order: &Order, ids: &[&String]| {
        let child_ids = ids.iter().map(|id| (*id).clone()).collect();
        let request = pb::NameChildrenRequest { order_id: order.id.clone(), child_ids };
        nursery.care().name_children(request).by(parent).await
    };
    // One infant was booked: a second one would be more than the carer may look after.
    let one = book(&[12, 48, 60, 72]).await;
    let four: Vec<_> = infants.iter().collect();
    assert_eq!(refused_field(name(&one, &four).await), "child_ids[1]");
    let mut mixed: Vec<_> = older.iter().collect();
    mixed.insert(2, &infants[0]);
    name(&one, &mixed).await.unwrap();
    // Only infants were booked: the carer need not have the skill for others.
    let three = book(&[12, 12, 12]).await;
    let school: Vec<_> = older.iter().collect();
    assert_eq!(refused_field(name(&three, &school).await), "child_ids[0]");
    let fewer = [&infants[0], &infants[1], &older[0]];
    assert_eq!(refused_field(name(&three, &fewer).await), "child_ids[2]");
    name(&three, &four[..3]).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_number_that_was_used_says_nothing_about_another_adult(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let father = nursery.adult(family.parent, &family.lou, "16180339").await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let out = Hand::over(&family.lou, &family.aunt, 2).code(CODE);
    let care = nursery.check_out(&order, out.clone()).await.unwrap();
    assert_eq!(nursery.check_out(&order, out.clone()).await.unwrap(), care, "said before");
    let other = Hand::over(&family.lou, &father, 2).code("00000000");
    assert_eq!(refusal(nursery.check_out(&order, other.clone()).await), "CHILD_STATE");
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 3)).await.unwrap();
    // A phone that has not heard of the third hand-over.
    nursery.revoke(&father, family.parent).await.unwrap();
    for stale in [other, out] {
        assert_eq!(refused_field(nursery.check_out(&order, stale).await), "handover");
    }
    let revoked = Hand::over(&family.lou, &father, 4).code("16180339");
    assert_eq!(refusal(nursery.check_out(&order, revoked).await), "ADULT_REVOKED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_child_comes_in_while_the_order_is_being_broken_off(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut order = nursery.begin(&family, &[&family.lou]).await;
    let over = |n| Hand::over(&family.lou, &family.aunt, n).code(CODE);
    assert_eq!(nursery.ask(&order, OrderState::Aborted).await, Vec::<String>::new());
    assert_eq!(refusal(nursery.check_in(&order, over(1)).await), "DELIVERY_BEGUN");
    // The order was not broken off after all.
    nursery.wait(1);
    nursery.check_in(&order, over(1)).await.unwrap();
    assert_eq!(nursery.ask(&order, OrderState::Aborted).await, ["CHILD_CHECKED_IN"]);
    nursery.check_out(&order, over(2)).await.unwrap();
    assert_eq!(nursery.ask(&order, OrderState::Aborted).await, Vec::<String>::new());
    nursery.go(&mut order, OrderState::Aborted).await;
    assert_eq!(refusal(nursery.check_in(&order, over(3)).await), "ORDER_STATE");
    // Other questions leave no trace.
    let mut other = nursery.book(&family, &[&family.lou]).await;
    nursery.go_through(&mut other, &TO_WORK[..3]).await;
    assert_eq!(nursery.ask(&other, OrderState::InProgress).await, Vec::<String>::new());
    nursery.go(&mut other, OrderState::InProgress).await;
    nursery.check_in(&other, over(1)).await.unwrap();
}
