//! By when a repairer is to be at work, and who is told when none is.

use crate::fixture::{Workshop, washer};
use chrono::Duration;
use kit::{
    testing::{Backend, EventRecorder, eventually, eventually_in_time},
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    repair::v1::{Repair, RepairEvent},
};
use vertical::testing::{Order, TO_WORK};
use yare::parameterized;

impl Workshop {
    /// Waits for the repair of an order while time passes.
    async fn in_time(&self, what: &str, order: &Order, holds: impl Fn(&Repair) -> bool) -> Repair {
        let hosts = [self.world.host.of("repair")];
        eventually_in_time(what, &hosts, async || self.repair(order).await, holds).await
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_urgency_has_its_time_from_the_booking(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    for (urgency, hours) in [("normal", 72), ("today", 24), ("urgent", 4)] {
        let mut details = washer();
        details["urgency"] = urgency.into();
        let mut order = workshop.book(details).await;
        workshop.go(&mut order, OrderState::Assigned).await;
        let due = workshop.world.clock.now() + Duration::hours(hours);
        let repair = workshop.repair(&order).await;
        assert_eq!(repair.sla_due_at, Some(timestamp(due)), "{urgency}");
        assert_eq!(repair.sla_missed_at, None);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repairer_who_is_late_is_told_to_operators_once(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let events = EventRecorder::subscribed(&workshop.world.host, &["repair."]);
    let mut urgent = washer();
    urgent["urgency"] = "urgent".into();
    let mut late = workshop.book(urgent.clone()).await;
    let mut prompt = workshop.book(urgent).await;
    workshop.go_through(&mut prompt, &TO_WORK).await;
    workshop.go_through(&mut late, &TO_WORK[..2]).await;
    let due = workshop.repair(&late).await.sla_due_at;
    let missed = workshop.in_time("it is missed", &late, |it| it.sla_missed_at.is_some()).await;
    assert!(missed.sla_missed_at.unwrap().seconds >= due.unwrap().seconds);
    workshop.go(&mut late, OrderState::Arrived).await;
    assert_eq!(workshop.repair(&late).await.sla_missed_at, missed.sla_missed_at);
    let told = async || events.messages::<RepairEvent>("repair.sla_missed");
    let facts = eventually("the fact", told, |facts| !facts.is_empty()).await;
    let orders: Vec<_> = facts.iter().map(|fact| fact.order_id.as_str()).collect();
    assert_eq!(orders, [late.id.as_str()], "the other one is at work");
    assert_eq!(workshop.repair(&prompt).await.sla_missed_at, None);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_that_is_moved_has_its_own_time(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let mut order = workshop.book(washer()).await;
    workshop.go(&mut order, OrderState::Assigned).await;
    order.window = kit::testing::window("2027-06-01T08:00:00Z", 2);
    workshop.go(&mut order, OrderState::Assigned).await;
    let repair = workshop.repair(&order).await;
    assert_eq!(repair.sla_due_at, order.window.end, "the customer chose that");
}
