//! Moving to another window: by the rules of a booking, and with the provider's consent.

use crate::{
    script::{Fault, refusal},
    town::{Town, metadata},
};
use chrono::Duration;
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::{Money, TimeWindow},
    fulfilment::v1::OrderState,
    order::v1 as pb,
};
use tonic::{Code, Status};
use yare::parameterized;

impl Town {
    async fn move_to(&self, id: &str, ahead: Duration) -> Result<pb::Order, Status> {
        self.move_at(id, ahead, None).await
    }

    /// Moves the order, at a price that the customer agrees to.
    async fn move_at(
        &self,
        id: &str,
        ahead: Duration,
        accepted: Option<i64>,
    ) -> Result<pb::Order, Status> {
        let euros = |minor_units| Money { currency: "EUR".to_owned(), minor_units };
        let request = pb::RescheduleOrderRequest {
            order_id: id.to_owned(),
            version: 0,
            window: Some(self.window(ahead)),
            accepted_total: accepted.map(euros),
        };
        let moved = acting_as(self.customer, self.orders().reschedule_order(request)).await?;
        Ok(moved.into_inner().order.unwrap())
    }

    async fn until_given_back(&self, id: &str) {
        self.until_script("the authorisation is given back", |it| {
            it.money(id).authorized == 0 && it.calls("unauthorize") == 1
        })
        .await;
    }
}

fn payment(order: &pb::Order) -> pb::PaymentState {
    order.payment.as_ref().unwrap().state()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_moves_to_a_free_window_in_time(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    town.act(town.provider, "accept", &order.id).await;
    let start = town.clock.now() + Duration::days(5);
    let moved = town.move_to(&order.id, Duration::days(5)).await.unwrap();
    assert_eq!(moved.window.unwrap().start, Some(timestamp(start)));
    town.until_fact(&order.id, "order.rescheduled").await;
    let slot = town.script.with(|memory| memory.slots.values().next().copied().unwrap());
    assert_eq!(slot, (start, true), "the reservation moved with it");

    let taken = refusal(Code::AlreadyExists, "SLOT_TAKEN");
    town.script.fail("move", Fault::Refuse(taken));
    let error = town.move_to(&order.id, Duration::days(6)).await.unwrap_err();
    assert_eq!(reason_of(&error), "SLOT_TAKEN");
    assert_eq!(town.get(&order.id).await.window.unwrap().start, Some(timestamp(start)));

    town.clock.advance(Duration::days(4) + Duration::minutes(1));
    let error = town.move_to(&order.id, Duration::days(6)).await.unwrap_err();
    assert_eq!(reason_of(&error), "RESCHEDULE_TOO_LATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_that_stopped_halfway_is_ended(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    town.script.fail("move", Fault::Lose);
    assert!(town.move_to(&order.id, Duration::days(5)).await.is_err());
    let start = town.clock.now() + Duration::days(5);
    town.clock.advance(Duration::seconds(31));
    eventually(
        "the window moved",
        async || town.get(&order.id).await.window?.start,
        |seen| *seen == Some(timestamp(start)),
    )
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn notice_and_horizon_hold_for_a_booking_and_for_a_move(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    let second = Duration::seconds(1);
    let (notice, horizon) = (Duration::hours(2), Duration::days(90));
    for ahead in [Duration::minutes(1), notice - second, horizon + second, Duration::days(700)] {
        let booking = town.quote_request(None, ahead);
        let booked = acting_as(town.customer, town.quotes().create_quote(booking)).await;
        let moved = town.move_to(&order.id, ahead).await;
        for error in [booked.unwrap_err(), moved.unwrap_err()] {
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().starts_with("window.start"), "{}", error.message());
        }
    }
    town.quote(None, notice).await;
    town.quote(None, horizon).await;
    town.move_to(&order.id, horizon).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_moves_three_times_at_most(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    for day in [3, 4, 5] {
        assert!(town.get(&id).await.allowed_actions.contains(&"reschedule".to_owned()));
        town.move_to(&id, Duration::days(day)).await.unwrap();
    }
    let error = town.move_to(&id, Duration::days(3)).await.unwrap_err();
    assert_eq!(reason_of(&error), "RESCHEDULE_LIMIT");
    assert!(!town.get(&id).await.allowed_actions.contains(&"reschedule".to_owned()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_provider_is_asked_again(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.act(town.provider, "accept", &id).await;
    let moved = town.move_to(&id, Duration::days(4)).await.unwrap();
    assert_eq!(moved.state(), OrderState::Requested);
    assert_eq!(moved.start_code, "", "no provider has it");
    town.until_fact(&id, "order.requested").await;
    town.act(town.provider, "accept", &id).await;
    assert_eq!(town.get(&id).await.state(), OrderState::Assigned);

    town.move_to(&id, Duration::days(5)).await.unwrap();
    town.act(town.provider, "decline", &id).await;
    assert_eq!(town.get(&id).await.state(), OrderState::Declined);
    town.until_script("nothing is left", |it| it.slots(&id).is_empty() && it.money(&id).closed)
        .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_is_given_back_when_the_start_leaves_the_six_days(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.act(town.provider, "accept", &id).await;
    let close = town.move_to(&id, Duration::days(6)).await.unwrap();
    assert_eq!(payment(&close), pb::PaymentState::Authorized);
    assert_eq!(town.script.calls("unauthorize"), 0);
    let far = town.move_to(&id, Duration::days(20)).await.unwrap();
    assert_eq!(payment(&far), pb::PaymentState::MethodSaved);
    town.until_given_back(&id).await;
    town.act(town.provider, "accept", &id).await;
    town.clock.advance(Duration::days(19));
    eventually(
        "the price is authorised again",
        async || payment(&town.get(&id).await),
        |seen| *seen == pb::PaymentState::Authorized,
    )
    .await;
    assert_eq!(town.script.money(&id).authorized, 10_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_is_given_back_before_it_is_authorised_again(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.act(town.provider, "accept", &id).await;
    town.script.with(|memory| memory.price = 12_000);
    // Payment is away when the money is to go back, and the new start is so close that it is authorised at once.
    for _ in 0..2 {
        town.script.fail("unauthorize", Fault::Refuse(Status::unavailable("down")));
    }
    town.move_at(&id, Duration::hours(20), Some(12_000)).await.unwrap();
    let paid = async || payment(&town.get(&id).await);
    let seen = async || (paid().await, town.script.money(&id).authorized);
    town.in_time("payment is back", |it| it.money(&id).authorized == 12_000).await;
    assert_eq!(seen().await, (pb::PaymentState::Authorized, 12_000));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_date_may_have_another_price_that_the_customer_agrees_to(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.script.with(|memory| memory.price = 12_000);
    for accepted in [None, Some(10_000), Some(11_999)] {
        let error = town.move_at(&id, Duration::days(3), accepted).await.unwrap_err();
        assert_eq!(reason_of(&error), "PRICE_CHANGED");
        let price = (metadata(&error, "currency"), metadata(&error, "minor_units"));
        assert_eq!(price, ("EUR".to_owned(), "12000".to_owned()));
    }
    let moved = town.move_at(&id, Duration::days(3), Some(12_000)).await.unwrap();
    assert_eq!(moved.total.as_ref().unwrap().minor_units, 12_000);
    assert_eq!(
        moved.lines.iter().map(|it| it.total.as_ref().unwrap().minor_units).sum::<i64>(),
        12_000
    );
    assert_eq!(payment(&moved), pb::PaymentState::MethodSaved);
    town.until_given_back(&id).await;
    town.act(town.provider, "accept", &id).await;
    town.clock.advance(Duration::days(2));
    town.until_script("the new price is authorised", |it| it.money(&id).authorized == 12_000).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_date_may_take_longer_and_its_window_fits_that(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    town.script.with(|memory| memory.hours = 4);
    let error = town.move_to(&id, Duration::days(3)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("window.end must be 240 to 360 minutes"), "{error}");
    let start = town.clock.now() + Duration::days(3);
    let window = TimeWindow {
        end: Some(timestamp(start + Duration::hours(4))),
        ..town.window(Duration::days(3))
    };
    let request = pb::RescheduleOrderRequest {
        order_id: id,
        version: 0,
        window: Some(window.clone()),
        accepted_total: None,
    };
    let moved = acting_as(town.customer, town.orders().reschedule_order(request)).await.unwrap();
    let moved = moved.into_inner().order.unwrap();
    assert_eq!(moved.window, Some(window));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_will_be_allowed_later_is_shown_with_its_time(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    town.act(town.provider, "accept", &order.id).await;
    let seen = town.get_as(town.provider, &order.id).await.unwrap();
    assert!(!seen.allowed_actions.contains(&"depart".to_owned()));
    let depart = town.clock.now() + Duration::days(2) - Duration::hours(3);
    let upcoming: Vec<_> =
        seen.upcoming_actions.iter().map(|it| (it.action.as_str(), it.at)).collect();
    assert_eq!(upcoming, [("depart", Some(timestamp(depart)))]);
    assert!(town.get(&order.id).await.upcoming_actions.is_empty(), "the customer does not depart");
    town.clock.advance(Duration::days(2) - Duration::hours(3));
    town.act(town.provider, "depart", &order.id).await;
}
