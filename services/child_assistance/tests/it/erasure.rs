//! Accounts that are erased: what is told of a family goes with its key, what happened stays without a name.

use crate::fixture::{Hand, NAME, Nursery, because, new_id};
use kit::{
    Event, Id, Subject,
    messaging::bus::Bus,
    testing::{ActingAs, Backend, eventually, refusal},
};
use prost::Message;
use proto::quickserve::{
    child_assistance::v1::{self as pb, GuardianRight},
    fulfilment::v1::OrderState,
    user::v1::UserEvent,
};
use tonic::Status;
use vertical::testing::Order;
use yare::parameterized;

/// An account is erased, and every service is told.
pub async fn erase(nursery: &Nursery, account: Subject) {
    let clock = &nursery.world.clock;
    let data = UserEvent { user_id: account.user_id.to_string() }.encode_to_vec();
    let event = Event {
        id: Id::<()>::new(clock).uuid(),
        kind: "user.erased".to_owned(),
        source: "user".to_owned(),
        aggregate: account.user_id,
        seq: 1,
        occurred_at: clock.now(),
        actor: "user".into(),
        traceparent: String::new(),
        data,
        only_for: None,
    };
    nursery.world.bus.publish(&event).await.unwrap();
}

async fn timers(nursery: &Nursery) -> Vec<String> {
    nursery.texts("SELECT kind FROM timers ORDER BY kind").await
}

async fn read(nursery: &Nursery, child: &str, by: Subject) -> Result<pb::Child, Status> {
    let request = pb::GetChildRequest { child_id: child.to_owned() };
    Ok(nursery.families().get_child(request).by(by).await?.into_inner().child.unwrap())
}

async fn report(nursery: &Nursery, order: &Order, child: &str) {
    let request = pb::ReportIncidentRequest {
        order_id: order.id.clone(),
        id: new_id(),
        child_id: child.to_owned(),
        kind: "injury".to_owned(),
        text: "A scratch at the swing.".to_owned(),
    };
    nursery.care().report_incident(request).by(order.provider).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn erasure_waits_for_an_order_that_runs_and_keeps_incidents_without_a_name(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut order = nursery.begin(&family, &[&family.lou, &family.max]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    report(&nursery, &order, &family.lou).await;
    erase(&nursery, family.parent).await;
    let waits = async || timers(&nursery).await;
    eventually("it waits", waits, |kinds| kinds.contains(&"erase".to_owned())).await;
    let care = nursery.read_care(&order, order.provider).await.unwrap();
    assert_eq!(care.children[0].profile.clone().unwrap().name, NAME, "the carer needs it still");
    let authority = Hand::over(&family.lou, "", 2);
    nursery.check_out_as(&order, authority, nursery.operator).await.unwrap();
    nursery.go(&mut order, OrderState::Completed).await;
    nursery.wait(16);
    let over = async || timers(&nursery).await;
    eventually("it is done", over, |kinds| {
        !kinds.iter().any(|kind| kind == "erase" || kind == "destroy_key")
    })
    .await;
    assert_eq!(refusal(read(&nursery, &family.lou, family.parent).await), "CHILD_NOT_FOUND");
    let secrets = "SELECT CAST(COUNT(*) AS TEXT) FROM children WHERE LENGTH(secret) > 0";
    assert_eq!(nursery.texts(secrets).await, ["0"]);
    // What happened stays, of a child without a name.
    let request = because(pb::ListIncidentsRequest { order_id: order.id.clone() });
    let listed = nursery.care().list_incidents(request).by(nursery.operator).await.unwrap();
    let listed = listed.into_inner().incidents;
    assert_eq!((listed.len(), listed[0].text.as_str()), (1, "A scratch at the swing."));
    assert_ne!(listed[0].child_id, family.lou);
    // Who read them is written down, under the number that stands for the child.
    let readers = "SELECT role || ' ' || fields FROM accesses WHERE fields = 'incidents'";
    assert_eq!(nursery.texts(readers).await, ["operator incidents"]);
    let sealed = "SELECT role FROM accesses WHERE fields = 'incidents' AND LENGTH(reason) > 0";
    assert_eq!(nursery.texts(sealed).await, ["operator"], "and why");
    nursery.wait(6 * 365 * 24 * 60);
    let left = async || nursery.texts("SELECT kind FROM incidents").await;
    eventually("incidents go after their time", left, Vec::is_empty).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_whom_another_manages_stays(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let other = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
    erase(&nursery, family.parent).await;
    let gone = async || read(&nursery, &family.lou, family.parent).await.is_err();
    eventually("the account is no guardian", gone, |is_gone| *is_gone).await;
    let child = read(&nursery, &family.lou, other).await.unwrap();
    assert_eq!(child.profile.unwrap().name, NAME);
    assert_eq!(child.guardians.len(), 1);
    let secrets = "SELECT CAST(COUNT(*) AS TEXT) FROM children WHERE LENGTH(secret) > 0";
    assert_eq!(nursery.texts(secrets).await, ["1"], "the other child is forgotten");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_in_an_open_order_is_not_dropped(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    nursery.begin(&family, &[&family.lou]).await;
    let drop = |child: &String| pb::DeleteChildRequest { child_id: child.clone() };
    let refused = nursery.families().delete_child(drop(&family.lou)).by(family.parent).await;
    assert_eq!(refusal(refused), "CHILD_IN_CARE");
    nursery.families().delete_child(drop(&family.max)).by(family.parent).await.unwrap();
}
