//! Who may not work does not: asked at every step, and the order goes to others.

use crate::{
    acts::With,
    script::Fault,
    town::{Town, booking, metadata},
};
use chrono::Duration;
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
};
use proto::quickserve::{
    fulfilment::v1::OrderState, order::v1 as pb, provider::v1::ProviderEvent, user::v1::UserEvent,
};
use uuid::Uuid;
use yare::parameterized;

impl Town {
    /// Has provider say that a provider may not work any more, and why.
    fn object_to(&self, profile: Uuid, cause: &str) {
        self.script.with(|it| it.objections.insert(profile, vec![cause.to_owned()]));
    }

    /// Has provider publish that a profile has changed.
    async fn publish_provider(&self, kind: &'static str, profile: Uuid, who: Subject) {
        let (provider_id, user_id) = (profile.to_string(), who.user_id.to_string());
        self.publish(kind, ProviderEvent { provider_id, user_id, ..Default::default() }).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_who_may_not_work_is_refused_at_each_step_and_loses_the_order(backend: Backend) {
    use OrderState::{Declined, NoProvider};
    let town = Town::new(backend).await;
    // The steps before it, and what becomes of an order that no other provider takes.
    let steps: [(&[&str], &str, OrderState); 3] = [
        (&[], "accept", Declined),
        (&["accept"], "depart", NoProvider),
        (&["accept", "depart", "arrive"], "start", NoProvider),
    ];
    for (before, step, end) in steps {
        town.script.with(|it| it.objections.clear());
        let id = town.ordered_ahead(Duration::hours(2)).await.id;
        for action in before {
            town.act(town.provider, action, &id).await;
        }
        let start_code = town.get(&id).await.start_code;
        town.object_to(town.profile, "DOCUMENT:insurance");
        let with = With { start_code, ..With::default() };
        let refused = town.attempt(town.provider, step, &id, &with).await.unwrap_err();
        assert_eq!(reason_of(&refused), "PROVIDER_NOT_ELIGIBLE", "{step}");
        assert_eq!(metadata(&refused, "causes"), "DOCUMENT:insurance", "{step}");
        town.until(&id, end).await;
        town.until_script("the customer pays nothing and the time is free", |script| {
            let money = script.money(&id);
            money.closed && money.captured == 0 && script.slots(&id).is_empty()
        })
        .await;
        let kind = if before.is_empty() { "order.declined" } else { "order.reassigned" };
        let fact = town.until_fact(&id, kind).await;
        assert_eq!(fact.provider_id, town.profile.to_string(), "{step}");
        if !before.is_empty() {
            assert_eq!(fact.fault, "provider", "{step}");
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_lost_on_the_way_is_offered_to_others(backend: Backend) {
    let town = Town::new(backend).await;
    let (other, _) = town.candidate();
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    town.object_to(town.profile, "NOT_ACTIVE");
    town.attempt(town.provider, "depart", &id, &With::default()).await.unwrap_err();
    let offered = town.until_fact(&id, "order.offered").await;
    assert_eq!(offered.provider_id, other.to_string());
    let order = town.get(&id).await;
    assert_eq!((order.state(), order.provider_id.as_str()), (OrderState::Searching, ""));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_offer_is_not_taken_by_who_may_not_work(backend: Backend) {
    let town = Town::new(backend).await;
    let (profile, who) = town.candidate();
    let quote = town.quote(None, Duration::days(2)).await;
    let id = town.book(booking(&quote)).await.unwrap().id;
    let offer = town.offer(who).await;
    town.object_to(profile, "BACKGROUND_CHECK");
    let request = pb::AcceptOfferRequest { offer_id: offer.id };
    let refused = acting_as(who, town.jobs().accept_offer(request)).await.unwrap_err();
    assert_eq!(reason_of(&refused), "PROVIDER_NOT_ELIGIBLE");
    assert_eq!(metadata(&refused, "causes"), "BACKGROUND_CHECK");
    town.until(&id, OrderState::NoProvider).await;
    assert!(town.script.slots(&id).is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn whatever_ends_a_profile_takes_its_orders_away_at_no_cost(backend: Backend) {
    let town = Town::new(backend).await;
    let kinds = [
        "provider.blocked",
        "provider.restricted",
        "provider.document_expired",
        "provider.offboarded",
        "provider.offering_changed",
        "provider.resource_lost",
    ];
    for kind in kinds {
        town.script.with(|it| it.objections.clear());
        let requested = town.ordered_ahead(Duration::days(4)).await.id;
        let assigned = town.ordered().await.id;
        let soon = town.at_the_door().await.id;
        town.act(town.provider, "accept", &assigned).await;
        town.publish_provider(kind, town.profile, town.provider).await;
        town.object_to(town.profile, "NOT_ACTIVE");
        town.publish_provider(kind, town.profile, town.provider).await;
        for (id, end, fact) in [
            (&requested, OrderState::Declined, "order.declined"),
            (&assigned, OrderState::NoProvider, "order.reassigned"),
            (&soon, OrderState::NoProvider, "order.reassigned"),
        ] {
            town.until(id, end).await;
            town.until_fact(id, fact).await;
            town.until_script("money back and time free", |script| {
                let money = script.money(id);
                money.closed && money.captured == 0 && script.slots(id).is_empty()
            })
            .await;
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_parties_are_told_once_that_others_come(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    let (other, _) = town.candidate();
    let replaced = |profile: Uuid| ProviderEvent {
        provider_id: profile.to_string(),
        order_id: id.clone(),
        ..Default::default()
    };
    // Before the assignment the parties have seen no crew.
    town.publish_as("provider", "provider.crew_replaced", &replaced(town.profile)).await;
    town.act(town.provider, "accept", &id).await;
    town.publish_as("provider", "provider.crew_replaced", &replaced(other)).await;
    assert!(!town.events.kinds_of(&id).contains(&"order.crew_replaced".to_owned()));
    let version = town.get(&id).await.version;
    town.publish_as("provider", "provider.crew_replaced", &replaced(town.profile)).await;
    let fact = town.until_fact(&id, "order.crew_replaced").await;
    assert_eq!(fact.provider_id, town.profile.to_string());
    assert_eq!(town.get(&id).await.version, version, "a step that was seen may still be done");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_that_matters_to_no_order_leaves_them_alone(backend: Backend) {
    let town = Town::new(backend).await;
    let requested = town.ordered().await;
    let working = town.at_work().await;
    town.publish_provider("provider.restricted", town.profile, town.provider).await;
    town.until_script("asked", |script| script.calls("eligibility") >= 4).await;
    town.object_to(town.profile, "NOT_ACTIVE");
    let (other, who) = town.candidate();
    town.publish_provider("provider.blocked", other, who).await;
    assert_eq!(town.get(&requested.id).await, requested, "another's block is not its provider's");
    town.publish_provider("provider.blocked", town.profile, town.provider).await;
    town.until(&requested.id, OrderState::Declined).await;
    let still = town.get(&working.id).await;
    assert_eq!(still.state(), OrderState::InProgress, "an operator breaks off what has begun");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_blocked_providers_open_offer_ends(backend: Backend) {
    let town = Town::new(backend).await;
    let (profile, who) = town.candidate();
    let quote = town.quote(None, Duration::days(2)).await;
    let id = town.book(booking(&quote)).await.unwrap().id;
    town.offer(who).await;
    town.object_to(profile, "NOT_ACTIVE");
    town.publish_provider("provider.blocked", profile, who).await;
    town.until(&id, OrderState::NoProvider).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_provider_travels_to_a_suspended_customer(backend: Backend) {
    let town = Town::new(backend).await;
    let searching = town.reach(OrderState::Searching).await.id;
    let requested = town.ordered_ahead(Duration::days(4)).await.id;
    let on_the_way = town.reach(OrderState::EnRoute).await.id;
    let completed = town.completed().await.id;
    let user_id = town.customer.user_id.to_string();
    town.publish("user.suspended", UserEvent { user_id }).await;
    for id in [&searching, &requested, &on_the_way] {
        let order = town.until(id, OrderState::Cancelled).await;
        let cancellation = order.cancellation.unwrap();
        assert_eq!(
            (cancellation.reason.as_str(), cancellation.fee.unwrap().minor_units),
            ("ACCOUNT_SUSPENDED", 0)
        );
        town.until_fact(id, "order.cancelled").await;
        town.until_script("money back and time free", |script| {
            script.money(id).closed && script.slots(id).is_empty()
        })
        .await;
    }
    assert_eq!(town.get(&completed).await.state(), OrderState::Completed);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_under_way_when_its_customer_is_suspended_is_cancelled_too(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    town.script.fail("authorize", Fault::Lose);
    let interrupted = town.book(booking(&quote)).await.unwrap_err();
    assert_eq!(reason_of(&interrupted), "BOOKING_INTERRUPTED");
    let user_id = town.customer.user_id.to_string();
    town.publish("user.suspended", UserEvent { user_id }).await;
    town.in_time("resumed, and then cancelled", |script| {
        script.with(|it| it.slots.is_empty() && it.money.values().all(|money| money.closed))
    })
    .await;
    let mut api = town.orders();
    let listed = acting_as(town.operator, api.list_orders(pb::ListOrdersRequest::default())).await;
    let orders = listed.unwrap().into_inner().orders;
    assert!(orders.iter().all(|order| order.state() == OrderState::Cancelled), "{orders:?}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_for_which_nobody_is_left_is_not_made(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let order = town.act(town.provider, "bookVisit", &id).await;
    let [visit] = order.visits.try_into().unwrap();
    let window = visit.window.clone();
    let asked = town.script.calls("eligibility");
    town.publish_provider("provider.resource_lost", town.profile, town.provider).await;
    town.until_script("the visit is looked at", |it| it.calls("eligibility") > asked).await;
    assert_eq!(town.get(&id).await.visits, std::slice::from_ref(&visit), "others make it");

    town.object_to(town.profile, "CREW:2");
    town.publish_provider("provider.resource_lost", town.profile, town.provider).await;
    let fact = town.until_fact(&id, "order.visit_lost").await;
    assert_eq!(fact.window, window);
    let order = town.full(town.customer, &id).await;
    assert_eq!((order.state(), order.visits.len()), (OrderState::InProgress, 0));
    assert!(order.timeline.iter().any(|it| it.action == "visitLost" && it.note == "CREW:2"));
    town.until_script("its time is free", |it| it.slots(&visit.id).is_empty()).await;
    assert_eq!(town.script.slots(&id).len(), 1, "and that of the order is not");

    // Another time may be named, and a visit that has begun is made.
    town.script.with(|it| it.objections.clear());
    town.act(town.provider, "bookVisit", &id).await;
    town.clock.advance(Duration::days(6) + Duration::minutes(1));
    town.object_to(town.profile, "CREW:2");
    let before = town.get(&id).await;
    town.publish_as(
        "provider",
        "provider.resource_lost",
        &ProviderEvent {
            provider_id: town.profile.to_string(),
            user_id: town.provider.user_id.to_string(),
            ..Default::default()
        },
    )
    .await;
    assert_eq!(town.get(&id).await.visits, before.visits);
}
