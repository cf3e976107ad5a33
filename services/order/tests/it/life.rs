//! The work and what comes after it.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, metadata},
};
use chrono::Duration;
use kit::{
    Role,
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually, somebody},
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{OrderState, Signal},
    order::v1 as pb,
    user::v1::UserEvent,
};
use tonic::{Code, Status};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_lives_from_the_booking_to_the_end(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.reach(OrderState::Closed).await.id;
    town.until_fact(&id, "order.closed").await;
    assert_eq!(
        town.events.kinds_of(&id),
        [
            "order.created",
            "order.assigned",
            "order.en_route",
            "order.arrived",
            "order.started",
            "order.delivered",
            "order.completed",
            "order.closed"
        ]
    );
    let money = town.script.money(&id);
    assert_eq!((money.captured, money.captures), (10_000, 1));
    let full = town.full(town.customer, &id).await;
    let actions: Vec<_> = full.timeline.iter().map(|it| it.action.as_str()).collect();
    let expected = [
        "book",
        "authorize",
        "accept",
        "depart",
        "arrive",
        "start",
        "deliver",
        "acceptDelivery",
        "close",
    ];
    assert_eq!(actions, expected);
    let told = [
        OrderState::Assigned,
        OrderState::EnRoute,
        OrderState::Arrived,
        OrderState::InProgress,
        OrderState::Delivered,
        OrderState::Completed,
        OrderState::Closed,
    ];
    town.until_script("the vertical was told", |script| script.told(&id) == told).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn work_begins_with_the_customers_code(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.at_the_door().await;
    let seen = town.get_as(town.provider, &order.id).await.unwrap();
    assert!(seen.start_code.is_empty(), "the code is the customer's alone");
    assert_eq!(order.start_code.len(), 6);
    let wrong = if order.start_code == "123456" { "654321" } else { "123456" };
    let with = |code: &str| With { start_code: code.to_owned(), ..With::default() };
    for left in (0..5).rev() {
        let error = town.attempt(town.provider, "start", &order.id, &with(wrong)).await;
        let error = error.unwrap_err();
        assert_eq!(reason_of(&error), "START_CODE_WRONG");
        assert_eq!(metadata(&error, "tries_left"), left.to_string());
    }
    let right = with(&order.start_code);
    let error = town.attempt(town.provider, "start", &order.id, &right).await.unwrap_err();
    assert_eq!(reason_of(&error), "START_CODE_LOCKED");
    let error = town.attempt(town.provider, "start", &order.id, &with(wrong)).await.unwrap_err();
    assert_eq!(reason_of(&error), "START_CODE_LOCKED");
    assert!(!metadata(&error, "retry_at").is_empty());
    let seen = town.get_as(town.provider, &order.id).await.unwrap();
    assert!(!seen.allowed_actions.contains(&"start".to_owned()));

    // An operator resets it: the customer has another code, and the provider new tries.
    town.act(town.operator, "resetStartCode", &order.id).await;
    let code = town.get(&order.id).await.start_code;
    assert_ne!(code, order.start_code);
    let begun = town.act_with(town.provider, "start", &order.id, &with(&code)).await;
    assert_eq!(begun.state(), OrderState::InProgress);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn work_and_rework_that_do_not_end_are_shown_to_an_operator(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    assert_eq!(town.get(&id).await.ends_at, None, "work does not end by itself");
    town.clock.advance(Duration::hours(2 + 3 + 4));
    town.until_fact(&id, "order.overdue").await;
    town.act(town.provider, "deliver", &id).await;
    town.act(town.customer, "requestChanges", &id).await;
    town.clock.advance(Duration::days(2));
    let overdue = async || town.events.kinds_of(&id);
    let twice = |kinds: &Vec<String>| kinds.iter().filter(|it| *it == "order.overdue").count() == 2;
    eventually("the rework is shown too", overdue, twice).await;
    assert_eq!(town.get(&id).await.state(), OrderState::ChangesRequested);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_vertical_may_say_no_and_wants_its_proofs(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    let assigned = i32::from(OrderState::Assigned);
    town.script.with(|it| it.denials.insert(assigned, vec!["NO_KEYS".to_owned()]));
    let error = town.attempt(town.provider, "accept", &id, &With::default()).await.unwrap_err();
    assert_eq!(
        (reason_of(&error), metadata(&error, "denials")),
        ("TRANSITION_DENIED".into(), "NO_KEYS".into())
    );
    town.script.with(|it| it.denials.clear());
    let id = town.at_work().await.id;
    town.script.with(|it| it.missing = vec!["photo.after".to_owned()]);
    let error = town.attempt(town.provider, "deliver", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&error), "COMPLETION_GATE_CLOSED");
    assert_eq!(metadata(&error, "missing"), "photo.after");
    town.attempt(town.provider, "addProof", &id, &With::default()).await.unwrap();
    town.act(town.provider, "deliver", &id).await;
    let proofs = town.full(town.customer, &id).await.proofs;
    assert_eq!((proofs.len(), proofs[0].kind.as_str()), (1, "photo.after"));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_at_the_door_is_a_no_show_in_the_end(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_the_door().await.id;
    let signal = Signal { order_id: id.clone(), ..Signal::default() };
    // Only the order's own vertical is obeyed.
    town.publish_as("transport", "fulfilment.access_failed", &signal).await;
    assert_eq!(town.get(&id).await.contact_attempts, 0);
    town.publish_as("cleaning", "fulfilment.access_failed", &signal).await;
    eventually(
        "the attempts count",
        async || town.get(&id).await.contact_attempts,
        |seen| *seen == 2,
    )
    .await;
    let early = town.attempt(town.provider, "noShow", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&early), "NO_SHOW_TOO_EARLY");
    // The start is two hours away: an early provider waits for it.
    town.clock.advance(Duration::hours(2));
    let early = town.attempt(town.provider, "noShow", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&early), "NO_SHOW_TOO_EARLY");
    assert_eq!(town.get(&id).await.state(), OrderState::Arrived);
    town.clock.advance(Duration::minutes(30));
    town.until(&id, OrderState::NoShow).await;
    town.until_script("the fee is captured", |it| it.money(&id).captured == 10_000).await;
    town.until_fact(&id, "order.no_show").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn more_work_is_authorised_before_it_goes_on(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let propose = || async {
        town.act(town.provider, "proposeChange", &id).await;
        let changes = town.full(town.customer, &id).await.change_orders;
        With { change_order_id: changes.last().unwrap().id.clone(), ..With::default() }
    };
    let change = propose().await;
    let declined = refusal(Code::FailedPrecondition, "PAYMENT_DECLINED");
    town.script.fail("raise", Fault::Refuse(declined));
    let refused = town.attempt(town.customer, "approveChange", &id, &change).await.unwrap_err();
    assert_eq!(reason_of(&refused), "PAYMENT_DECLINED");
    assert_eq!(town.get(&id).await.state(), OrderState::AwaitingApproval);
    let order = town.act_with(town.customer, "approveChange", &id, &change).await;
    assert_eq!((order.state(), order.total.unwrap().minor_units), (OrderState::InProgress, 12_500));
    assert_eq!(town.script.money(&id).authorized, 12_500);
    let again = town.attempt(town.customer, "approveChange", &id, &change).await.unwrap_err();
    assert_eq!(reason_of(&again), "ORDER_STATE");

    let change = propose().await;
    let order = town.act_with(town.customer, "rejectChange", &id, &change).await;
    assert_eq!(order.total.unwrap().minor_units, 12_500);
    propose().await;
    town.clock.advance(Duration::minutes(30));
    town.until(&id, OrderState::InProgress).await;
    let changes = town.full(town.customer, &id).await.change_orders;
    let states: Vec<_> = changes.iter().map(pb::ChangeOrder::state).collect();
    use pb::ChangeOrderState::{Approved, Expired, Rejected};
    assert_eq!(states, [Approved, Rejected, Expired]);
    town.act(town.provider, "deliver", &id).await;
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("all is captured", |it| it.money(&id).captured == 12_500).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_delivery_counts_as_accepted_after_two_days_unless_disputed(backend: Backend) {
    let town = Town::new(backend).await;
    let accepted = town.delivered().await.id;
    let disputed = town.delivered().await.id;
    town.act(town.customer, "dispute", &disputed).await;
    town.clock.advance(Duration::hours(48));
    town.until(&accepted, OrderState::Completed).await;
    town.until_script("captured", |it| it.money(&accepted).captured == 10_000).await;
    assert_eq!(town.get(&disputed).await.state(), OrderState::Delivered);
    town.act(town.operator, "resolveDispute", &disputed).await;
    town.until(&disputed, OrderState::Completed).await;
}

async fn resolve(
    town: &Town,
    id: &str,
    resolution: pb::DisputeState,
    refund: i64,
) -> Result<(), Status> {
    let refund = Some(Money { currency: "EUR".to_owned(), minor_units: refund });
    let resolution = resolution.into();
    let request =
        pb::ResolveDisputeRequest { order_id: id.to_owned(), version: 0, resolution, refund };
    acting_as(town.operator, town.settlements().resolve_dispute(request)).await.map(|_| ())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_dispute_freezes_the_payout_until_it_is_resolved(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.completed().await.id;
    town.until_script("captured", |it| it.money(&id).captured == 10_000).await;
    town.act(town.customer, "dispute", &id).await;
    town.until_script("frozen", |it| it.money(&id).frozen).await;
    let twice = town.attempt(town.provider, "dispute", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&twice), "ORDER_STATE");
    town.attempt(town.customer, "addProof", &id, &With::default()).await.unwrap();
    let dispute = &town.full(town.operator, &id).await.disputes[0];
    assert_eq!(dispute.state(), pb::DisputeState::Evidence);
    town.pay_out(&id).await;
    town.clock.advance(Duration::days(8));
    let split = pb::DisputeState::ResolvedSplit;
    assert!(resolve(&town, &id, split, 10_000).await.is_err());
    resolve(&town, &id, split, 4_000).await.unwrap();
    town.until_script("refunded and thawed", |it| {
        it.money(&id).refunded == 4_000 && !it.money(&id).frozen
    })
    .await;
    let dispute = &town.full(town.operator, &id).await.disputes[0];
    assert_eq!((dispute.state(), dispute.refund.as_ref().unwrap().minor_units), (split, 4_000));
    town.until(&id, OrderState::Closed).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn reviews_are_seen_by_nobody_until_both_are_in_or_time_is_over(backend: Backend) {
    let town = Town::new(backend).await;
    let both = town.completed().await.id;
    let one = town.completed().await.id;
    let none = pb::ListProviderReviewsRequest {
        provider_id: town.profile.to_string(),
        ..Default::default()
    };
    let published = || async {
        let listed = town.records().list_provider_reviews(none.clone()).await.unwrap();
        listed.into_inner().reviews.len()
    };
    town.act(town.customer, "review", &both).await;
    town.act(town.customer, "review", &one).await;
    let twice = town.attempt(town.customer, "review", &both, &With::default()).await;
    assert_eq!(reason_of(&twice.unwrap_err()), "REVIEWED_ALREADY");
    assert_eq!(town.full(town.provider, &both).await.reviews.len(), 0, "not before their own");
    assert_eq!(town.full(town.customer, &both).await.reviews.len(), 1, "the author sees it");
    assert_eq!(published().await, 0);
    town.act(town.provider, "review", &both).await;
    assert_eq!(town.full(town.provider, &both).await.reviews.len(), 2);
    assert_eq!(published().await, 1);
    let fact = town.until_fact(&both, "order.reviewed").await;
    assert_eq!(fact.stars, 5);
    town.clock.advance(Duration::days(7));
    eventually("the other is published", async || published().await, |seen| *seen == 2).await;
    let late = town.attempt(town.provider, "review", &one, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&late), "REVIEW_WINDOW_OVER");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_pays_for_work_that_nobody_did(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.reach(OrderState::EnRoute).await.id;
    town.clock.advance(Duration::hours(2 + 3 + 24));
    let order = town.until(&id, OrderState::Cancelled).await;
    assert_eq!(order.cancellation.unwrap().fault, "provider");
    town.until_script("money back", |it| it.money(&id).closed).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_unanswered_request_expires(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.clock.advance(Duration::days(2) + Duration::hours(3));
    town.until(&id, OrderState::Expired).await;
    town.until_script("money back and time free", |it| {
        it.money(&id).closed && it.slots(&id).is_empty()
    })
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_customer_leaves_no_words_behind(backend: Backend) {
    let town = Town::new(backend).await;
    let over = town.reach(OrderState::Closed).await.id;
    let open = town.ordered().await.id;
    town.attempt(town.customer, "postMessage", &open, &With::default()).await.unwrap();
    let user_id = town.customer.user_id.to_string();
    town.publish("user.erased", UserEvent { user_id }).await;
    town.until(&open, OrderState::Cancelled).await;
    let bare = |it: &pb::Order| it.address.as_ref().is_some_and(|it| it.lines.is_empty());
    for order in [&over, &open] {
        eventually("nothing personal is left", async || town.get(order).await, bare).await;
    }
    let request = pb::ListOrderMessagesRequest { order_id: open, ..Default::default() };
    let listed = acting_as(town.operator, town.records().list_order_messages(request)).await;
    assert_eq!(listed.unwrap().into_inner().messages[0].text, "");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn messages_reach_the_other_side_and_nobody_else(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    let before = town.get(&id).await.version;
    for who in [town.customer, town.provider, town.customer] {
        town.attempt(who, "postMessage", &id, &With::default()).await.unwrap();
    }
    assert_eq!(town.get(&id).await.version, before, "a message does not change the order");
    let page = async |who, page_token: String| {
        let request =
            pb::ListOrderMessagesRequest { order_id: id.clone(), page_size: 2, page_token };
        acting_as(who, town.records().list_order_messages(request)).await
    };
    let first = page(town.provider, String::new()).await.unwrap().into_inner();
    assert_eq!((first.messages.len(), first.next_page_token.is_empty()), (2, false));
    let second = page(town.provider, first.next_page_token).await.unwrap().into_inner();
    assert_eq!((second.messages.len(), second.next_page_token.as_str()), (1, ""));
    let stranger = somebody(&[Role::Customer, Role::Provider]);
    let error = page(stranger, String::new()).await.unwrap_err();
    assert_eq!(reason_of(&error), "ORDER_NOT_FOUND");
    let fact = town.until_fact(&id, "order.message_posted").await;
    assert!(["customer", "provider"].contains(&fact.addressee.as_str()));
}
