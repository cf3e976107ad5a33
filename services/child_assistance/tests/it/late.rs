//! Children who are still there after the end, and incidents.

use crate::fixture::{CODE, Hand, Nursery, because, new_id, totals};
use kit::{
    Role,
    testing::{ActingAs, Backend, EventRecorder, eventually, refusal, somebody},
};
use proto::quickserve::child_assistance::v1::{self as pb, ChildEvent};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_late_pick_up_is_told_to_guardians_then_adults_then_operators(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child.late"]);
    let family = nursery.family().await;
    // Bob has an account, and the aunt a phone.
    let bob = new_id();
    let request = pb::CreateAuthorizedAdultRequest {
        child_id: family.lou.clone(),
        id: bob.clone(),
        profile: Some(pb::AdultProfile { name: "Bob".into(), ..Default::default() }),
        ..Default::default()
    };
    let made = nursery.families().create_authorized_adult(request).by(family.parent).await;
    let token = made.unwrap().into_inner().link_token;
    let account = somebody(&[Role::Customer]);
    let request = pb::SetAdultCodeRequest { adult_id: bob, code: "314159".into(), token };
    nursery.families().set_adult_code(request).by(account).await.unwrap();
    let order = nursery.begin(&family, &[&family.lou, &family.max]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    let told = async || events.messages::<ChildEvent>("child.late_pickup");
    // Two hours to the end, then a quarter of an hour. Max never came.
    nursery.wait(120 + 14);
    let phone = async || {
        let care = nursery.read_care(&order, order.provider).await.unwrap();
        let lou = care.children.into_iter().find(|it| it.child_id == family.lou).unwrap();
        let aunt = lou.adults.into_iter().find(|adult| adult.id == family.aunt).unwrap();
        aunt.profile.unwrap().phone
    };
    assert_eq!(phone().await, "", "the carer needs no phone yet");
    nursery.wait(1);
    let first = eventually("guardians", told, |told| told.len() == 1).await;
    assert_eq!((first[0].addressee.as_str(), first[0].late_minutes), ("guardians", 15));
    assert_eq!(first[0].child_id, family.lou);
    nursery.wait(15);
    let second = eventually("adults", told, |told| told.len() == 2).await;
    assert_eq!(second[1].addressee, "adults");
    assert_eq!(second[1].adult_user_ids, [account.user_id.to_string()]);
    assert_eq!(phone().await, "+33611223344", "now the carer calls");
    nursery.wait(30);
    let third = eventually("operators", told, |told| told.len() == 3).await;
    assert_eq!((third[2].addressee.as_str(), third[2].late_minutes), ("operator", 60));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_was_fetched_in_time_is_not_told_of(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    nursery.wait(60);
    nursery.check_out(&order, Hand::over(&family.lou, &family.aunt, 2).code(CODE)).await.unwrap();
    nursery.wait(120 + 60);
    let timers = async || nursery.texts("SELECT kind FROM timers").await;
    eventually("the alarms are over", timers, Vec::is_empty).await;
    let kinds = events.kinds_of(&order.id);
    assert!(!kinds.iter().any(|kind| kind == "child.late_pickup"), "{kinds:?}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_late_pick_up_costs_what_was_said(backend: Backend) {
    // 2 children, paid to 17:00 with the least of three hours from 10:00 to 13:00; fetched at 13:40.
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let uncle = nursery.adult(family.parent, &family.max, CODE).await;
    let order = nursery.begin(&family, &[&family.lou, &family.max]).await;
    let children = [(&family.lou, &family.aunt), (&family.max, &uncle)];
    for (child, adult) in children {
        nursery.check_in(&order, Hand::over(child, adult, 1)).await.unwrap();
    }
    nursery.wait(3 * 60 + 40);
    for (child, adult) in children {
        nursery.check_out(&order, Hand::over(child, adult, 2).code(CODE)).await.unwrap();
    }
    let answer = nursery.judge_delivery(&order, &[]).await;
    let expected = [("overtime", 900), ("late_overtime", 675)];
    let expected = expected.map(|(code, total)| (format!("child_assistance.{code}"), total));
    assert_eq!(totals(&answer.settlement), expected);
    assert_eq!(answer.due, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_incident_is_told_to_guardians_who_read_it(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    let request = pb::ReportIncidentRequest {
        order_id: order.id.clone(),
        id: new_id(),
        child_id: family.lou.clone(),
        kind: "injury".to_owned(),
        text: "A scratch at the swing.".to_owned(),
    };
    let report = async |request: &pb::ReportIncidentRequest, by| {
        nursery.care().report_incident(request.clone()).by(by).await
    };
    for _ in 0..2 {
        report(&request, order.provider).await.unwrap();
    }
    let other =
        pb::ReportIncidentRequest { child_id: family.max.clone(), id: new_id(), ..request.clone() };
    assert_eq!(refusal(report(&other, order.provider).await), "CHILD_NOT_FOUND");
    let stranger = somebody(&[Role::Provider]);
    assert_eq!(refusal(report(&request, stranger).await), "ORDER_NOT_FOUND");
    let told = async || events.messages::<ChildEvent>("child.incident");
    let told = eventually("a fact", told, |told| !told.is_empty()).await;
    assert_eq!((told.len(), told[0].reason.as_str()), (1, "injury"));
    let list = async |by| {
        let request = because(pb::ListIncidentsRequest { order_id: order.id.clone() });
        Ok::<_, tonic::Status>(
            nursery.care().list_incidents(request).by(by).await?.into_inner().incidents,
        )
    };
    for reader in [family.parent, nursery.operator] {
        let listed = list(reader).await.unwrap();
        assert_eq!((listed.len(), listed[0].text.as_str()), (1, "A scratch at the swing."));
    }
    assert_eq!(refusal(list(order.provider).await), "ORDER_NOT_FOUND");
}
