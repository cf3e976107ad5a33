//! Changes of the work: priced by the vertical, paid for before they hold, proposed by either side.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, keyed, metadata},
};
use chrono::Duration;
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
    values::time::timestamp,
};
use prost_types::Struct;
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{LineOrigin, OrderChangeState, OrderState},
    order::v1::{self as pb, ChangeOrderState},
};
use std::sync::Arc;
use tokio::sync::Notify;
use tonic::{Code, Status};
use yare::parameterized;

fn units(money: Option<&Money>) -> i64 {
    money.unwrap().minor_units
}

impl Town {
    /// The vertical prices changes that have details: labour, a part that passes through, a credit.
    async fn pricing_changes(backend: Backend) -> Self {
        let town = Self::new(backend).await;
        town.script.with(|memory| {
            memory.change_message = "quickserve.common.v1.Address";
            memory.change =
                vec![("labour", 7_250, false), ("part", 9_200, true), ("credit", -4_900, false)];
        });
        town
    }

    fn proposal(id: &str, details: Option<Struct>, lines: &[i64]) -> pb::ProposeChangeRequest {
        let line = |units: &i64| pb::ChangeLine { label: "Oven".to_owned(), minor_units: *units };
        pb::ProposeChangeRequest {
            order_id: id.to_owned(),
            lines: lines.iter().map(line).collect(),
            reason: "It is needed".to_owned(),
            details,
        }
    }

    /// Has the next call of `rpc` happen, and answered when the test says so.
    fn answer_later(&self, rpc: &'static str) -> Arc<Notify> {
        let answer = Arc::new(Notify::new());
        self.script.fail(rpc, Fault::Wait(answer.clone()));
        answer
    }

    async fn propose(
        &self,
        who: Subject,
        request: pb::ProposeChangeRequest,
    ) -> Result<pb::ChangeOrder, Status> {
        let answer = acting_as(who, self.records().propose_change(request)).await?;
        Ok(answer.into_inner().change_order.unwrap())
    }

    /// The changes of which the vertical was told last.
    fn told_changes(&self, id: &str) -> Vec<(OrderChangeState, bool)> {
        let changes = self.script.with(|memory| memory.told[id].last().unwrap().changes.clone());
        changes.iter().map(|change| (change.state(), change.details.is_some())).collect()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_keeps_the_lines_that_the_vertical_priced(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let id = town.at_work().await.id;
    let request = Town::proposal(&id, Some(Struct::default()), &[]);
    let proposed = town.propose(town.provider, request).await.unwrap();
    assert_eq!((units(proposed.amount.as_ref()), proposed.price_lines.len()), (11_550, 3));
    assert_eq!(proposed.lines[1].label, "part");
    let until = timestamp(town.clock.now() + Duration::hours(72));
    assert_eq!((proposed.valid_till, proposed.proposed_by.as_str()), (Some(until), "provider"));
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Proposed, true)]);

    let with = With { change_order_id: proposed.id, ..With::default() };
    let order = town.act_with(town.customer, "approveChange", &id, &with).await;
    assert_eq!((order.state(), units(order.total.as_ref())), (OrderState::InProgress, 21_550));
    let changed: Vec<_> =
        order.lines.iter().filter(|line| line.origin() == LineOrigin::Change).collect();
    assert_eq!(changed.len(), 3);
    assert!(changed[1].pass_through);
    assert_eq!(town.script.money(&id).authorized, 21_550);
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Approved, true)]);
    let price = town.script.with(|memory| memory.told[&id].last().unwrap().price.clone()).unwrap();
    assert_eq!((price.quoted.len(), price.changes.len()), (2, 3));
    let times = town.script.with(|memory| memory.told[&id].last().unwrap().times).unwrap();
    assert_eq!(times.booked_at, town.get(&id).await.created_at);

    town.act(town.provider, "deliver", &id).await;
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 21_550).await;
    assert_eq!(town.script.money(&id).gross, (20_550, Some(11_350)));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn plain_lines_come_back_as_they_were(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let proposed = town.propose(town.provider, Town::proposal(&id, None, &[2_500, 500])).await;
    let proposed = proposed.unwrap();
    let labels: Vec<_> =
        proposed.lines.iter().map(|it| (it.label.as_str(), it.minor_units)).collect();
    assert_eq!(labels, [("Oven", 2_500), ("Oven", 500)]);
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Proposed, false)]);
    let with = With { change_order_id: proposed.id, ..With::default() };
    town.act_with(town.customer, "rejectChange", &id, &with).await;
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Rejected, false)]);
    assert_eq!(units(town.get(&id).await.total.as_ref()), 10_000);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_vertical_denies_is_not_proposed(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let id = town.at_work().await.id;
    let version = town.get(&id).await.version;
    town.script.with(|memory| memory.change_denials = vec!["PRICE_FIXED".to_owned()]);
    for who in [town.provider, town.customer] {
        let request = Town::proposal(&id, Some(Struct::default()), &[]);
        let denied = town.propose(who, request).await.unwrap_err();
        assert_eq!(denied.code(), Code::FailedPrecondition);
        assert_eq!(reason_of(&denied), "TRANSITION_DENIED");
        assert_eq!(metadata(&denied, "denials"), "PRICE_FIXED");
    }
    let order = town.full(town.customer, &id).await;
    assert_eq!((order.version, order.change_orders.len()), (version, 0));
    assert_eq!(town.script.calls("raise"), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_changes_the_work_in_one_call(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let order = town.at_work().await;
    let id = order.id;
    assert!(town.get(&id).await.allowed_actions.contains(&"proposeChange".to_owned()));
    // The answer of the first call is lost: the same call raises no second time.
    let request = || keyed(Town::proposal(&id, Some(Struct::default()), &[]), "stops");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = acting_as(town.customer, town.records().propose_change(request())).await;
        answers.push(answer.unwrap().into_inner().change_order.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].state(), ChangeOrderState::Approved);
    assert_eq!(answers[0].proposed_by, "customer");
    let order = town.get(&id).await;
    assert_eq!((order.state(), units(order.total.as_ref())), (OrderState::InProgress, 21_550));
    let money = town.script.money(&id);
    assert_eq!((money.authorized, money.raised.len()), (21_550, 1));
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Approved, true)]);
    assert_eq!(town.until_fact(&id, "order.changed").await.addressee, "provider");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_proposes_only_what_the_vertical_prices(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    assert!(!town.get(&id).await.allowed_actions.contains(&"proposeChange".to_owned()));
    let details = Some(Struct::default());
    let refused = town.propose(town.customer, Town::proposal(&id, details.clone(), &[])).await;
    assert_eq!(reason_of(&refused.unwrap_err()), "CHANGES_NOT_OFFERED");
    town.script.with(|memory| memory.change_message = "quickserve.common.v1.Address");
    let id = town.at_work().await.id;
    for (who, details, lines, field) in [
        (town.customer, None, vec![500], "details"),
        (town.customer, None, vec![], "details"),
        (town.provider, None, vec![], "details"),
        (town.provider, details, vec![500], "lines"),
    ] {
        let wrong = town.propose(who, Town::proposal(&id, details, &lines)).await.unwrap_err();
        assert_eq!(wrong.code(), Code::InvalidArgument);
        assert!(format!("{wrong:?}").contains(field), "{wrong:?}");
    }
    assert_eq!(town.script.calls("change"), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_declined_raise_leaves_no_approved_change(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let declined = || Fault::Refuse(refusal(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    let id = town.at_work().await.id;
    town.script.fail("raise", declined());
    let request = || Town::proposal(&id, Some(Struct::default()), &[]);
    let refused = town.propose(town.customer, request()).await.unwrap_err();
    assert_eq!(reason_of(&refused), "PAYMENT_DECLINED");
    let order = town.full(town.customer, &id).await;
    assert_eq!((order.change_orders.len(), units(order.total.as_ref())), (0, 10_000));

    let proposed = town.propose(town.provider, request()).await.unwrap();
    town.script.fail("raise", declined());
    let with = With { change_order_id: proposed.id, ..With::default() };
    let refused = town.attempt(town.customer, "approveChange", &id, &with).await.unwrap_err();
    assert_eq!(reason_of(&refused), "PAYMENT_DECLINED");
    let order = town.full(town.customer, &id).await;
    assert_eq!(
        order.state(),
        OrderState::AwaitingApproval,
        "no work goes on before it is paid for"
    );
    assert_eq!(order.change_orders[0].state(), ChangeOrderState::Proposed);
    assert_eq!(units(order.total.as_ref()), 10_000);
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Proposed, true)]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_of_work_that_cost_nothing_is_authorised_anew(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    town.script.with(|memory| memory.price = 0);
    let id = town.at_work().await.id;
    assert_eq!(town.script.calls("authorize"), 0);
    let request = Town::proposal(&id, Some(Struct::default()), &[]);
    let proposed = town.propose(town.provider, request).await.unwrap();
    let with = With { change_order_id: proposed.id, ..With::default() };
    town.act_with(town.customer, "approveChange", &id, &with).await;
    assert_eq!(town.script.money(&id).authorized, 11_550);
    let proposed = town.propose(town.provider, Town::proposal(&id, None, &[500])).await.unwrap();
    let with = With { change_order_id: proposed.id, ..With::default() };
    town.act_with(town.customer, "approveChange", &id, &with).await;
    assert_eq!(town.script.money(&id).authorized, 12_050);
    town.act(town.provider, "deliver", &id).await;
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 12_050).await;
}

/// What was authorised for a change goes back when the change does not come to be, however that happens meanwhile.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_that_loses_its_race_is_given_back(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let request = |id: &str| Town::proposal(id, Some(Struct::default()), &[]);

    // The provider takes the proposal back while the customer approves it.
    let id = town.at_work().await.id;
    let proposed = town.propose(town.provider, request(&id)).await.unwrap();
    let with = With { change_order_id: proposed.id, ..With::default() };
    let answer = town.answer_later("raise");
    let (approved, ()) =
        tokio::join!(town.attempt(town.customer, "approveChange", &id, &with), async {
            town.until_script("raised", |it| it.money(&id).authorized == 21_550).await;
            town.act_with(town.provider, "rejectChange", &id, &with).await;
            answer.notify_one();
        });
    assert_eq!(reason_of(&approved.unwrap_err()), "ORDER_STATE");
    town.until_script("given back", |it| it.money(&id).authorized == 10_000).await;
    assert_eq!(units(town.get(&id).await.total.as_ref()), 10_000);

    // The work is delivered while the customer asks for more.
    let id = town.at_work().await.id;
    let answer = town.answer_later("raise");
    let (proposed, ()) = tokio::join!(town.propose(town.customer, request(&id)), async {
        town.until_script("raised", |it| it.money(&id).authorized == 21_550).await;
        town.act(town.provider, "deliver", &id).await;
        answer.notify_one();
    });
    assert_eq!(reason_of(&proposed.unwrap_err()), "ORDER_STATE");
    town.until_script("given back", |it| it.money(&id).authorized == 10_000).await;
    assert_eq!(town.full(town.customer, &id).await.change_orders, []);
}

/// The answer of the raise was lost, and the customer does not come back to it.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_is_given_back_when_its_change_expires(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let id = town.at_work().await.id;
    let request = Town::proposal(&id, Some(Struct::default()), &[]);
    let proposed = town.propose(town.provider, request).await.unwrap();
    town.script.fail("raise", Fault::Lose);
    let with = With { change_order_id: proposed.id, ..With::default() };
    town.attempt(town.customer, "approveChange", &id, &with).await.unwrap_err();
    assert_eq!(town.script.money(&id).authorized, 21_550, "it may be approved still");
    town.clock.advance(Duration::hours(73));
    town.in_time("given back", |it| it.money(&id).authorized == 10_000).await;
    assert_eq!(town.get(&id).await.state(), OrderState::InProgress);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_that_the_customer_must_confirm_waits_for_the_same_approval(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    town.script.with(|memory| memory.raise_confirms = true);
    let id = town.at_work().await.id;
    let request = || Town::proposal(&id, Some(Struct::default()), &[]);
    let proposed = town.propose(town.provider, request()).await.unwrap();
    let mut with = With { change_order_id: proposed.id, ..With::default() };
    for _ in 0..2 {
        let asked = town.attempt(town.customer, "approveChange", &id, &with).await.unwrap_err();
        assert_eq!(reason_of(&asked), "PAYMENT_CONFIRMATION_REQUIRED");
        assert_eq!(metadata(&asked, "confirmation_url"), "https://psp.test/3ds");
        let order = town.full(town.customer, &id).await;
        assert_eq!(order.state(), OrderState::AwaitingApproval);
        assert_eq!(order.change_orders[0].state(), ChangeOrderState::Proposed);
        assert_eq!(town.script.money(&id).authorized, 10_000);
    }
    with.confirmation = "123456".to_owned();
    let order = town.act_with(town.customer, "approveChange", &id, &with).await;
    assert_eq!((order.state(), units(order.total.as_ref())), (OrderState::InProgress, 21_550));
    assert_eq!(town.script.money(&id).authorized, 21_550);

    // What a customer proposes is approved in one call, which has no place for a confirmation.
    let given_back = town.script.calls("unraise");
    let refused = town.propose(town.customer, request()).await.unwrap_err();
    assert_eq!(reason_of(&refused), "PAYMENT_DECLINED");
    assert_eq!(metadata(&refused, "decline_reason"), "AUTHENTICATION_REQUIRED");
    assert!(town.script.calls("unraise") > given_back, "what waits is given up");
    assert_eq!(town.full(town.customer, &id).await.change_orders.len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_the_vertical_denies_by_then_is_not_approved(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let id = town.at_work().await.id;
    let request = || Town::proposal(&id, Some(Struct::default()), &[]);
    // The vertical does not hear of the proposal before it is asked.
    town.script.fail("tell", Fault::Refuse(Status::unavailable("down")));
    let proposed = town.propose(town.provider, request()).await.unwrap();
    town.script.with(|memory| memory.approval_denials = vec!["PRICE_FIXED".to_owned()]);
    let with = With { change_order_id: proposed.id, ..With::default() };
    let denied = town.attempt(town.customer, "approveChange", &id, &with).await.unwrap_err();
    assert_eq!(reason_of(&denied), "TRANSITION_DENIED");
    assert_eq!(metadata(&denied, "denials"), "PRICE_FIXED");
    assert_eq!(town.told_changes(&id), [(OrderChangeState::Proposed, true)]);
    let order = town.get(&id).await;
    assert_eq!(order.state(), OrderState::AwaitingApproval);
    assert_eq!((units(order.total.as_ref()), town.script.calls("raise")), (10_000, 0));
    town.act_with(town.provider, "rejectChange", &id, &with).await;

    // The customer's own is paid for, and given back.
    let denied = town.propose(town.customer, request()).await.unwrap_err();
    assert_eq!(reason_of(&denied), "TRANSITION_DENIED");
    town.until_script("given back", |it| {
        it.calls("unraise") > 1 && it.money(&id).authorized == 10_000
    })
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_raise_whose_change_is_never_written_is_given_back(backend: Backend) {
    let town = Town::pricing_changes(backend).await;
    let id = town.at_work().await.id;
    let request = || Town::proposal(&id, Some(Struct::default()), &[]);
    town.script.fail("raise", Fault::Lose);
    town.propose(town.customer, request()).await.unwrap_err();
    assert_eq!(town.script.money(&id).authorized, 21_550);
    // Without a key the customer's next call is for another change, which stays.
    town.propose(town.customer, request()).await.unwrap();
    assert_eq!(town.script.money(&id).authorized, 33_100);
    town.clock.advance(Duration::minutes(6));
    town.in_time("given back", |it| it.money(&id).authorized == 21_550).await;
    assert_eq!(units(town.get(&id).await.total.as_ref()), 21_550);
    assert_eq!(town.script.money(&id).raised.len(), 1);
}
