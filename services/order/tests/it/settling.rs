//! What the work comes to: caps, settlements at the delivery, what lies beyond the cap, and deliveries that only people
//! accept.

use crate::{acts::With, town::Town};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{LineOrigin, OrderState, PriceLine},
    order::v1 as pb,
};
use tonic::Code;
use yare::parameterized;

fn units(money: Option<&Money>) -> i64 {
    money.unwrap().minor_units
}

/// Lines by code, amount and origin.
fn told_apart(lines: &[PriceLine]) -> Vec<(String, i64, LineOrigin)> {
    let apart = |line: &PriceLine| (line.code.clone(), units(line.total.as_ref()), line.origin());
    lines.iter().map(apart).collect()
}

impl Town {
    /// The price is 100.00 EUR, and 120.00 at most.
    async fn capped(backend: Backend) -> Self {
        let town = Self::new(backend).await;
        town.script.with(|memory| memory.cap = Some(12_000));
        town
    }

    /// What the vertical answers to the next deliveries.
    fn comes_to(
        &self,
        settlement: &[(&'static str, i64, bool)],
        due: &[(&'static str, i64, bool)],
    ) {
        self.script.with(|memory| {
            memory.settlement = settlement.to_vec();
            memory.due = due.to_vec();
        });
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_cap_is_authorised_and_what_the_work_comes_to_is_captured(backend: Backend) {
    let town = Town::capped(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    assert_eq!((quote.binding, units(quote.cap.as_ref())), (false, 12_000));
    let order = town.at_work().await;
    let id = order.id;
    assert_eq!(units(order.cap.as_ref()), 12_000);
    assert_eq!(town.script.money(&id).authorized, 12_000);
    let told = town.script.with(|memory| memory.told[&id].last().cloned().unwrap());
    let price = told.price.unwrap();
    assert_eq!(
        (units(price.cap.as_ref()), price.quoted.len(), price.changes.len()),
        (12_000, 2, 0)
    );

    town.comes_to(
        &[("cleaning.overtime", 1_000, false), ("cleaning.toll", 500, true)],
        &[("cleaning.beyond", 700, false)],
    );
    let order = town.act(town.provider, "deliver", &id).await;
    assert_eq!(units(order.total.as_ref()), 11_500);
    let expected = [
        ("cleaning.base", 9_000, LineOrigin::Quote),
        ("platform.fee", 1_000, LineOrigin::Quote),
        ("cleaning.overtime", 1_000, LineOrigin::Settlement),
        ("cleaning.toll", 500, LineOrigin::Settlement),
    ];
    let expected = expected.map(|(code, amount, origin)| (code.to_owned(), amount, origin));
    assert_eq!(told_apart(&order.lines), expected);
    assert_eq!(units(order.due_lines[0].total.as_ref()), 700);

    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 11_500).await;
    let money = town.script.money(&id);
    assert_eq!((money.gross, money.due), ((10_500, Some(10_000)), 700));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_later_delivery_settles_anew(backend: Backend) {
    let town = Town::capped(backend).await;
    let id = town.at_work().await.id;
    town.comes_to(&[("cleaning.overtime", 2_000, false)], &[("cleaning.beyond", 700, false)]);
    town.act(town.provider, "deliver", &id).await;
    town.act(town.customer, "requestChanges", &id).await;
    town.comes_to(&[("cleaning.less", -500, false)], &[]);
    let order = town.act(town.provider, "deliver", &id).await;
    assert_eq!((units(order.total.as_ref()), order.due_lines.len()), (9_500, 0));
    assert_eq!(order.lines.len(), 3, "the settlement of the first delivery is gone");
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 9_500).await;
    assert_eq!(town.script.money(&id).due, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_settlement_that_is_out_of_bounds_writes_nothing(backend: Backend) {
    let town = Town::capped(backend).await;
    let capped = town.at_work().await;
    town.script.with(|memory| memory.cap = None);
    let binding = town.at_work().await;
    for (order, settlement, due) in
        [(&capped, 2_001, 0), (&capped, -10_001, 0), (&capped, 2_000, -1), (&binding, 1, 0)]
    {
        let due = [("cleaning.beyond", due, false)];
        town.comes_to(
            &[("cleaning.overtime", settlement, false)],
            &due[..usize::from(due[0].1 != 0)],
        );
        let refused = town.attempt(town.provider, "deliver", &order.id, &With::default()).await;
        assert_eq!(refused.unwrap_err().code(), Code::Internal, "{settlement} {due:?}");
        let seen = town.get(&order.id).await;
        assert_eq!((seen.state(), seen.version), (OrderState::InProgress, order.version));
        assert_eq!(units(seen.total.as_ref()), 10_000);
    }
    town.comes_to(&[("cleaning.less", -1, false)], &[]);
    assert_eq!(units(town.act(town.provider, "deliver", &binding.id).await.total.as_ref()), 9_999);
    town.comes_to(&[("cleaning.overtime", 2_000, false)], &[]);
    assert_eq!(units(town.act(town.provider, "deliver", &capped.id).await.total.as_ref()), 12_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_cap_is_authorised_a_day_before_too(backend: Backend) {
    let town = Town::capped(backend).await;
    let id = town.ordered_ahead(Duration::days(10)).await.id;
    assert_eq!(town.script.money(&id).authorized, 0);
    town.act(town.provider, "accept", &id).await;
    town.clock.advance(Duration::days(9));
    town.until_script("authorised", |it| it.money(&id).authorized == 12_000).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_delivery_that_only_people_accept_waits_for_them(backend: Backend) {
    let town = Town::new(backend).await;
    town.script.with(|memory| memory.manual_acceptance = true);
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    assert!(quote.manual_acceptance);
    let order = town.delivered().await;
    let id = order.id;
    assert_eq!((order.manual_acceptance, order.ends_at), (true, None));
    let fact = town.until_fact(&id, "order.delivered").await;
    assert!(fact.manual_acceptance);
    let reminders = async || {
        let events = town.events.events_of(&id).into_iter();
        let overdue = events.filter(|event| event.kind == "order.acceptance_overdue");
        overdue.map(|event| event.decode::<pb::OrderEvent>().unwrap().addressee).collect::<Vec<_>>()
    };
    for addressees in
        [vec!["customer"], vec!["customer"; 2], vec!["customer", "customer", "operator"]]
    {
        town.clock.advance(Duration::days(1));
        eventually("a reminder", &reminders, |told| *told == addressees).await;
    }
    town.clock.advance(Duration::days(30));
    assert_eq!(town.get(&id).await.state(), OrderState::Delivered, "no timer accepts it");
    let order = town.act(town.operator, "acceptDelivery", &id).await;
    assert_eq!(order.state(), OrderState::Completed);

    // Rework begins the wait anew.
    let id = town.delivered().await.id;
    town.clock.advance(Duration::days(1));
    town.until_fact(&id, "order.acceptance_overdue").await;
    town.act(town.customer, "requestChanges", &id).await;
    town.clock.advance(Duration::hours(1));
    town.act(town.provider, "deliver", &id).await;
    let count =
        || town.events.kinds_of(&id).iter().filter(|it| *it == "order.acceptance_overdue").count();
    assert_eq!(count(), 1);
    town.clock.advance(Duration::days(1));
    eventually("another reminder", async || count(), |told| *told == 2).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_cap_below_the_price_is_the_verticals_fault(backend: Backend) {
    let town = Town::new(backend).await;
    town.script.with(|memory| memory.cap = Some(9_999));
    let request = town.quote_request(None, Duration::days(2));
    let refused = acting_as(town.customer, town.quotes().create_quote(request)).await;
    assert_eq!(refused.unwrap_err().code(), Code::Internal);
}
