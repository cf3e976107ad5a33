//! Cancelling at a promised price.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, booking},
};
use chrono::Duration;
use kit::{
    Role,
    rpc::error::reason_of,
    testing::{Backend, acting_as, somebody},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb, payment::v1::Outcome};
use tonic::{Code, Status};
use yare::parameterized;

impl Town {
    async fn cancel(&self, id: &str, token: &str) -> Result<Option<pb::Order>, Status> {
        let with = With { cancel_token: token.to_owned(), ..With::default() };
        self.attempt(self.customer, "cancel", id, &with).await
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn cancelling_costs_what_the_preview_promised(backend: Backend) {
    let town = Town::new(backend).await;
    // Hours ahead, accepted or not, and the fee of 100.00.
    for (hours, accepted, expected) in [(2, false, 0), (48, true, 0), (2, true, 5_000)] {
        let id = town.ordered_ahead(Duration::hours(hours)).await.id;
        if accepted {
            town.act(town.provider, "accept", &id).await;
        }
        let (token, fee) = town.token(town.customer, &id).await;
        assert_eq!(fee, expected, "{hours} h, accepted {accepted}");
        let order = town.cancel(&id, &token).await.unwrap().unwrap();
        assert_eq!(order.state(), OrderState::Cancelled);
        assert_eq!(order.cancellation.unwrap().fee.unwrap().minor_units, expected);
        town.until_script("settled", |script| {
            let money = script.money(&id);
            let kept = if expected > 0 { money.captured == expected } else { money.closed };
            kept && script.slots(&id).is_empty()
        })
        .await;
        let again = town.cancel(&id, &token).await.unwrap_err();
        assert_eq!(reason_of(&again), "ORDER_STATE", "a token is used once");
        let fact = town.until_fact(&id, "order.cancelled").await;
        assert_eq!(fact.total.unwrap().minor_units, expected);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_cancel_token_is_bound_to_the_order_as_it_was(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    let (token, _) = town.token(town.customer, &id).await;
    town.act(town.provider, "accept", &id).await;
    assert_eq!(reason_of(&town.cancel(&id, &token).await.unwrap_err()), "CANCEL_TOKEN_EXPIRED");
    let (token, _) = town.token(town.customer, &id).await;
    town.clock.advance(Duration::minutes(10));
    assert_eq!(reason_of(&town.cancel(&id, &token).await.unwrap_err()), "CANCEL_TOKEN_EXPIRED");
    let error = town.cancel(&id, "AAAA").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let other = town.ordered_ahead(Duration::days(4)).await;
    let (token, _) = town.token(town.customer, &other.id).await;
    assert_eq!(town.cancel(&id, &token).await.unwrap_err().code(), Code::InvalidArgument);
    let (token, _) = town.token(town.operator, &id).await;
    assert_eq!(town.cancel(&id, &token).await.unwrap_err().code(), Code::InvalidArgument);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_search_that_goes_on_keeps_the_promise_of_a_preview(backend: Backend) {
    let town = Town::new(backend).await;
    let candidates: Vec<_> = (0..4).map(|_| town.candidate()).collect();
    let quote = town.quote(None, Duration::days(2)).await;
    let id = town.book(booking(&quote)).await.unwrap().id;
    let declined = town.offer(candidates[0].1).await;
    let seen = town.get(&id).await;
    let (token, fee) = town.token(town.customer, &id).await;
    assert_eq!(fee, 0);
    // The customer thinks while one provider declines and the next wave goes out.
    town.turn_down(candidates[0].1, &declined).await.unwrap();
    town.clock.advance(Duration::minutes(9));
    for (_, who) in &candidates[1..3] {
        let offer = town.offer(*who).await;
        town.turn_down(*who, &offer).await.unwrap();
    }
    town.offer(candidates[3].1).await;
    assert_ne!(town.get(&id).await.version, seen.version);
    let order = town.cancel(&id, &token).await.unwrap().unwrap();
    assert_eq!(order.state(), OrderState::Cancelled);
    town.until_script("money back", |script| script.money(&id).closed).await;
    assert!(town.offers(candidates[3].1).await.is_empty(), "and the search is over");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operator_says_whose_fault_it_is_and_may_waive(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    let fee = async |fault: &str, waive: bool| {
        let (order_id, fault) = (id.clone(), fault.to_owned());
        let request = pb::PreviewCancelRequest { order_id, fault, waive };
        let preview = acting_as(town.operator, town.orders().preview_cancel(request)).await;
        preview.unwrap().into_inner().fee.unwrap().minor_units
    };
    assert_eq!(fee("customer", false).await, 5_000);
    assert_eq!(fee("customer", true).await, 0);
    assert_eq!(fee("shared", false).await, 2_500);
    assert_eq!(fee("provider", false).await, 0);
    assert_eq!(fee("", false).await, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_whose_provider_does_not_come_cancels_for_nothing(backend: Backend) {
    let town = Town::new(backend).await;
    for departs in [false, true] {
        let id = town.ordered_ahead(Duration::hours(2)).await.id;
        town.act(town.provider, "accept", &id).await;
        if departs {
            town.act(town.provider, "depart", &id).await;
        }
        town.clock.advance(Duration::hours(2) + Duration::minutes(25));
        let (token, fee) = town.token(town.customer, &id).await;
        assert_eq!(fee, 5_000, "the grace is not over");
        town.clock.advance(Duration::minutes(6));
        assert_eq!(town.token(town.customer, &id).await.1, 0);
        // Even a preview from before promises no more than what is due.
        let order = town.cancel(&id, &token).await.unwrap().unwrap();
        let cancellation = order.cancellation.unwrap();
        let fee = cancellation.fee.unwrap().minor_units;
        assert_eq!((cancellation.fault.as_str(), fee), ("provider", 0));
        town.until_script("money back", |script| script.money(&id).closed).await;
        assert_eq!(town.until_fact(&id, "order.cancelled").await.fault, "provider");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_that_was_given_back_is_cancelled_for_nothing_until_another_arrives(
    backend: Backend,
) {
    let town = Town::new(backend).await;
    let (_, other) = town.candidate();
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    town.act(town.operator, "reassign", &id).await;
    let offer = town.offer(other).await;
    town.take(other, &offer).await.unwrap();
    assert_eq!(town.token(town.customer, &id).await.1, 0);
    town.act(other, "depart", &id).await;
    assert_eq!(town.token(town.customer, &id).await.1, 0);
    town.act(other, "arrive", &id).await;
    assert_eq!(town.token(town.customer, &id).await.1, 5_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_stale_version_is_refused(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    let request = |version| pb::AcceptOrderRequest { order_id: order.id.clone(), version };
    let stale = acting_as(town.provider, town.jobs().accept_order(request(99))).await;
    assert_eq!(reason_of(&stale.unwrap_err()), "VERSION_MISMATCH");
    acting_as(town.provider, town.jobs().accept_order(request(order.version))).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn time_is_free_as_soon_as_it_is_given_up(backend: Backend) {
    let town = Town::new(backend).await;
    let request = town.quote_request(Some(town.profile), Duration::days(2));
    let book = async || {
        let quoted = acting_as(town.customer, town.quotes().create_quote(request.clone())).await;
        town.book(booking(&quoted.unwrap().into_inner().quote.unwrap())).await
    };
    let id = book().await.unwrap().id;
    let (token, _) = town.token(town.customer, &id).await;
    town.cancel(&id, &token).await.unwrap();
    let id = book().await.expect("the slot is free at once after a cancellation").id;
    town.act(town.provider, "decline", &id).await;
    let id = book().await.expect("and after the provider has declined").id;
    town.act(town.provider, "accept", &id).await;
    town.act(town.operator, "reassign", &id).await;
    book().await.expect("and after the assignment was given up");
    assert!(!town.script.slots(&id).iter().any(|(_, confirmed)| *confirmed));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_cancellation_does_not_wait_for_a_service_that_is_down(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    let (token, _) = town.token(town.customer, &id).await;
    town.script.fail("void", Fault::Refuse(Status::unavailable("down")));
    let order = town.cancel(&id, &token).await.unwrap().unwrap();
    assert_eq!(order.state(), OrderState::Cancelled);
    town.in_time("settled by the timer", |it| it.money(&id).closed && it.slots(&id).is_empty())
        .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_wrong_card_does_not_keep_the_time_from_the_right_one(backend: Backend) {
    let town = Town::new(backend).await;
    let request = town.quote_request(Some(town.profile), Duration::days(2));
    let quote = async |who| {
        let quoted = acting_as(who, town.quotes().create_quote(request.clone())).await;
        quoted.unwrap().into_inner().quote.unwrap()
    };
    // A card that is not there: the booking is refused, and its quote can be booked again at once.
    let first = quote(town.customer).await;
    let unknown = refusal(Code::NotFound, "PAYMENT_METHOD_NOT_FOUND");
    town.script.fail("authorize", Fault::Refuse(unknown));
    assert_eq!(
        reason_of(&town.book(booking(&first)).await.unwrap_err()),
        "PAYMENT_METHOD_NOT_FOUND"
    );
    // A card that is declined: the booking waits for another card, and gives way to another booking of its customer.
    town.script.with(|memory| memory.outcomes.push_back(Outcome::Declined.into()));
    let declined = town.book(booking(&first)).await.unwrap();
    assert_eq!(declined.state(), OrderState::PendingPayment);
    let stranger = somebody(&[Role::Customer]);
    let (others, mut orders) = (quote(stranger).await, town.orders());
    let taken = acting_as(stranger, orders.create_order(booking(&others))).await.unwrap_err();
    assert_eq!(reason_of(&taken), "SLOT_TAKEN");
    let order = town.book(booking(&quote(town.customer).await)).await.unwrap();
    assert_eq!(order.state(), OrderState::Requested);
    assert_eq!(town.get(&declined.id).await.state(), OrderState::Expired);
    assert!(town.script.money(&declined.id).closed);
    // One that is paid gives way to no other.
    let twice = town.book(booking(&quote(town.customer).await)).await.unwrap_err();
    assert_eq!(reason_of(&twice), "SLOT_TAKEN");
}
