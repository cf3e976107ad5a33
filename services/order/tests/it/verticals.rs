//! How an order keeps its vertical in step: asked before, told afterwards.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, metadata},
};
use chrono::Duration;
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
};
use proto::quickserve::{
    fulfilment::v1::{DescribeJobResponse, OrderActor, OrderState, OrderTimes, Party},
    order::v1 as pb,
};
use sea_orm::ConnectionTrait;
use tonic::{Code, Status};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_hears_only_of_what_was_committed(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    // The acceptance is refused after the vertical has agreed to it.
    let version = town.get(&id).await.version + 1;
    let request = pb::AcceptOrderRequest { order_id: id.clone(), version };
    let refused = acting_as(town.provider, town.jobs().accept_order(request)).await.unwrap_err();
    assert_eq!(reason_of(&refused), "VERSION_MISMATCH");
    assert_eq!((town.script.calls("ask"), town.script.calls("tell")), (1, 0));
    let order = town.act(town.provider, "accept", &id).await;
    // When the call is answered, the vertical knows.
    assert_eq!(town.script.told(&id), [OrderState::Assigned]);
    let told = town.script.with(|memory| memory.told[&id][0].clone());
    assert_eq!(told.order_version, order.version);
    assert_eq!(told.provider_user_id, town.provider.user_id.to_string());
    assert_eq!(told.customer_id, town.customer.user_id.to_string());
    assert_eq!(told.window, order.window);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_that_is_down_is_told_later_and_holds_nothing_up(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    for _ in 0..2 {
        town.script.fail("tell", Fault::Refuse(Status::unavailable("down")));
    }
    town.act(town.provider, "accept", &id).await;
    let order = town.act(town.provider, "depart", &id).await;
    assert_eq!(order.state(), OrderState::EnRoute);
    town.in_time("the vertical knows", |it| !it.told(&id).is_empty()).await;
    // It is told how the order stands now, not how it stood in between.
    assert_eq!(town.script.told(&id), [OrderState::EnRoute]);
    let version = town.script.with(|memory| memory.told[&id][0].order_version);
    assert_eq!(version, order.version);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_that_hangs_delays_a_call_by_little(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.script.fail("tell", Fault::Hang);
    town.act(town.provider, "accept", &id).await;
    assert!(town.script.told(&id).is_empty());
    town.in_time("the vertical knows", |it| !it.told(&id).is_empty()).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_that_refuses_for_good_is_not_told_again(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    for _ in 0..2 {
        let refused = refusal(Code::InvalidArgument, "INVALID_FIELD");
        town.script.fail("tell", Fault::Refuse(refused));
    }
    town.act(town.provider, "accept", &id).await;
    town.in_time("the timer has tried", |it| it.calls("tell") == 2).await;
    let timeline = async || town.full(town.operator, &id).await.timeline;
    let says_so = |entries: &Vec<pb::TimelineEntry>| {
        entries.iter().any(|entry| entry.note == "tell: INVALID_FIELD")
    };
    eventually("the timeline says so", timeline, says_so).await;
    // The next change is told as ever.
    town.act(town.provider, "depart", &id).await;
    assert_eq!(town.script.told(&id), [OrderState::EnRoute]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_to_another_window_is_told(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::days(3)).await.id;
    town.act(town.provider, "accept", &id).await;
    let window = Some(town.window(Duration::days(4)));
    let request = pb::RescheduleOrderRequest {
        order_id: id.clone(),
        window: window.clone(),
        ..pb::RescheduleOrderRequest::default()
    };
    acting_as(town.customer, town.orders().reschedule_order(request)).await.unwrap();
    let told = town.script.with(|memory| memory.told[&id].clone());
    assert_eq!((told.len(), told[1].window.clone()), (2, window));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_vertical_of_an_order_from_before_the_migration_is_told(backend: Backend) {
    let mut town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    let request = town.ordered_ahead(Duration::hours(8)).await.id;
    town.act(town.provider, "accept", &id).await;
    town.script.with(|memory| memory.told.clear());
    // As if the order were of the time before the migration: the vertical was asked, and follows what it was asked.
    let order_service = town.host().of("order");
    let config = order_service.database_config();
    let db = kit::Db::connect(&config, town.clock.clone()).await.unwrap();
    let undone = "DELETE FROM seaql_migrations WHERE version = 'm0005_tell_verticals'";
    db.connection().execute_unprepared(undone).await.unwrap();
    db.close().await.unwrap();
    order_service.migrate().await.unwrap();
    town.restart().await;
    town.in_time("the vertical knows", |it| it.told(&id) == [OrderState::Assigned]).await;
    assert!(town.script.told(&request).is_empty(), "no provider has the other one");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_is_told_who_acts_and_when_the_order_reached_its_steps(backend: Backend) {
    let town = Town::new(backend).await;
    let begun = kit::values::time::timestamp(town.clock.now());
    let id = town.at_work().await.id;
    let told = town.script.with(|memory| memory.told[&id].clone());
    let assigned = &told[0];
    assert_eq!(assigned.provider_id, town.profile.to_string());
    assert_eq!((assigned.country.as_str(), assigned.parent_order_id.as_str()), ("FR", ""));
    let provider =
        OrderActor { side: "provider".to_owned(), user_id: town.provider.user_id.to_string() };
    assert_eq!(assigned.actor, Some(provider));
    let times = assigned.times.unwrap();
    assert!(times.assigned_at.unwrap().seconds >= begun.seconds);
    let (assigned_at, booked_at) = (times.assigned_at, times.booked_at);
    assert_eq!(times, OrderTimes { assigned_at, booked_at, ..OrderTimes::default() });
    assert!(booked_at.unwrap().seconds <= assigned_at.unwrap().seconds, "{times:?}");
    let started = told.last().unwrap().times.unwrap();
    let steps = [started.assigned_at, started.departed_at, started.arrived_at, started.started_at];
    assert!(steps.iter().all(Option::is_some), "{started:?}");
    assert_eq!(started.delivered_at, None);

    // Created, assigned, en route, arrived and started are five facts.
    let seqs: Vec<_> = told.iter().map(|order| order.event_seq).collect();
    assert_eq!(seqs, [2, 3, 4, 5]);
    town.act(town.provider, "deliver", &id).await;
    town.clock.advance(Duration::days(2));
    town.until(&id, OrderState::Completed).await;
    town.until_script("the vertical knows", |it| it.told(&id).len() == 6).await;
    let last = town.script.with(|memory| memory.told[&id].last().cloned()).unwrap();
    let timer = OrderActor { side: "system".to_owned(), user_id: String::new() };
    assert_eq!(last.actor, Some(timer));
    assert!(last.times.unwrap().delivered_at.is_some());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_full_view_says_where_the_job_stands_unless_the_vertical_is_down(backend: Backend) {
    let town = Town::new(backend).await;
    let job = DescribeJobResponse {
        state: "WAITING".to_owned(),
        allowed_actions: vec!["updateChecklist".to_owned()],
    };
    town.script.with(|memory| memory.job = job.clone());
    let id = town.at_the_door().await.id;
    assert_eq!(town.get(&id).await.vertical_state, "", "the basic view does not ask");
    for who in [town.customer, town.provider, town.operator] {
        let full = town.full(who, &id).await;
        assert_eq!(full.vertical_state, job.state);
        assert_eq!(full.vertical_actions, job.allowed_actions);
    }
    let sides = town.script.with(|memory| memory.described_to.clone());
    assert_eq!(sides, [Party::Customer, Party::Provider, Party::Platform]);
    for fault in [Fault::Refuse(Status::unavailable("down")), Fault::Hang] {
        town.script.fail("describe", fault);
        let full = town.full(town.customer, &id).await;
        assert_eq!((full.vertical_state.as_str(), full.vertical_actions.len()), ("", 0));
        assert!(!full.timeline.is_empty(), "the rest is there");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_that_denies_a_no_show_keeps_the_order_at_the_door(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_the_door().await.id;
    town.clock.advance(Duration::hours(2));
    for _ in 0..2 {
        town.act(town.provider, "contactAttempt", &id).await;
        town.clock.advance(Duration::minutes(10));
    }
    let no_show = i32::from(OrderState::NoShow);
    town.script.with(|it| it.denials.insert(no_show, vec!["CHILD_CHECKED_IN".to_owned()]));
    let before = town.get(&id).await;
    let told = town.script.told(&id);
    for who in [town.provider, town.operator] {
        let denied = town.attempt(who, "noShow", &id, &With::default()).await.unwrap_err();
        assert_eq!(reason_of(&denied), "TRANSITION_DENIED");
        assert_eq!(metadata(&denied, "denials"), "CHILD_CHECKED_IN");
    }
    assert_eq!(town.get(&id).await, before, "nothing is written");
    assert_eq!(town.script.told(&id), told);

    // Nor does a timer count the customer as absent: in the end the work was not rendered.
    let asked = town.script.calls("ask");
    town.clock.advance(Duration::minutes(20));
    town.until_script("the timer has asked", |it| it.calls("ask") > asked).await;
    assert_eq!(town.get(&id).await.state(), OrderState::Arrived);
    town.clock.advance(Duration::days(2));
    let ended = town.until(&id, OrderState::Cancelled).await;
    let cancellation = ended.cancellation.unwrap();
    let fee = cancellation.fee.unwrap().minor_units;
    assert_eq!((cancellation.reason.as_str(), fee), ("NOT_RENDERED", 0));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_no_show_waits_for_a_vertical_that_is_down(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_the_door().await.id;
    town.clock.advance(Duration::hours(2));
    for _ in 0..2 {
        town.act(town.provider, "contactAttempt", &id).await;
        town.clock.advance(Duration::minutes(10));
    }
    let down = || Fault::Refuse(Status::unavailable("down"));
    town.script.fail("ask", down());
    let refused = town.attempt(town.provider, "noShow", &id, &With::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    town.script.fail("ask", down());
    town.clock.advance(Duration::minutes(20));
    town.in_time("the fee is captured", |it| it.money(&id).captured == 10_000).await;
    assert_eq!(town.get(&id).await.state(), OrderState::NoShow);
}
