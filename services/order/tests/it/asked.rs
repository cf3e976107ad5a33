//! What happens between the vertical's word and the write: an order that changes meanwhile is asked about again, unless the
//! client said which version it means.

use crate::{acts::With, script::Fault, town::Town};
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
};
use prost_types::Struct;
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{OrderState, Signal},
    order::v1 as pb,
};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;
use yare::parameterized;

impl Town {
    /// Waits until the vertical is asked by `rpc` once more than `before`, has a claim change the order, and lets the
    /// vertical answer then.
    async fn claim_meanwhile(&self, id: &str, (rpc, before): (&str, usize), answer: Arc<Notify>) {
        self.until_script("it is asked", |it| it.calls(rpc) > before).await;
        let version = self.get(id).await.version;
        let claim = Uuid::new_v4().to_string();
        let amount = Some(Money { currency: "EUR".to_owned(), minor_units: 1_000 });
        let signal =
            Signal { order_id: id.to_owned(), claim_id: claim, amount, ..Signal::default() };
        let claims = self.script.money(id).claims.len();
        self.publish_as("cleaning", "fulfilment.claim_opened", &signal).await;
        self.until_script("the claim holds", |it| it.money(id).claims.len() > claims).await;
        assert!(self.get(id).await.version > version, "the claim is a change of the order");
        answer.notify_one();
    }

    /// Does `action` while a change is proposed and taken back between the answer of the vertical and the write.
    async fn act_around_a_change(&self, who: Subject, action: &str, id: &str) -> pb::Order {
        let answer = Arc::new(Notify::new());
        self.script.fail("ask", Fault::Wait(answer.clone()));
        let before = self.script.calls("ask");
        let (order, ()) = tokio::join!(self.act(who, action, id), async {
            self.until_script("it is asked", |it| it.calls("ask") > before).await;
            let order = self.full(self.provider, id).await;
            self.act(self.provider, "proposeChange", id).await;
            let changed = self.full(self.provider, id).await;
            assert_eq!(changed.change_orders.len(), order.change_orders.len() + 1);
            let change_order_id = changed.change_orders.last().unwrap().id.clone();
            let with = With { change_order_id, ..With::default() };
            self.act_with(self.customer, "rejectChange", id, &with).await;
            answer.notify_one();
        });
        assert_eq!(self.script.calls("ask"), before + 2, "{action}: it is asked again");
        order
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_before_the_write_has_the_vertical_asked_about_the_delivery_again(
    backend: Backend,
) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let answer = Arc::new(Notify::new());
    town.script.fail("gate", Fault::Wait(answer.clone()));
    // Who says which version it means is told that there is another.
    let version = town.get(&id).await.version;
    let request = pb::DeliverRequest { order_id: id.clone(), version };
    let mut jobs = town.jobs();
    let (refused, ()) = tokio::join!(
        acting_as(town.provider, jobs.deliver(request)),
        town.claim_meanwhile(&id, ("gate", 0), answer.clone())
    );
    assert_eq!(reason_of(&refused.unwrap_err()), "VERSION_MISMATCH");
    assert_eq!(town.script.calls("gate"), 1);
    assert_eq!(town.get(&id).await.state(), OrderState::InProgress);

    town.script.fail("gate", Fault::Wait(answer.clone()));
    let (order, ()) = tokio::join!(
        town.act(town.provider, "deliver", &id),
        town.claim_meanwhile(&id, ("gate", 1), answer)
    );
    assert_eq!(order.state(), OrderState::Delivered);
    assert_eq!(town.script.calls("gate"), 3, "what was answered before the claim is not used");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_act_goes_on_when_the_order_left_its_state_and_came_back(backend: Backend) {
    let town = Town::new(backend).await;
    for (action, state) in [("deliver", OrderState::Delivered), ("abort", OrderState::Aborted)] {
        let id = town.at_work().await.id;
        let who = if action == "abort" { town.operator } else { town.provider };
        let order = town.act_around_a_change(who, action, &id).await;
        assert_eq!(order.state(), state);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_before_the_write_has_a_proposal_priced_again(backend: Backend) {
    let town = Town::new(backend).await;
    town.script.with(|memory| {
        memory.change_message = "quickserve.common.v1.Address";
        memory.change = vec![("labour", 7_250, false)];
    });
    for (who, authorized) in [(town.provider, 10_000), (town.customer, 17_250)] {
        let id = town.at_work().await.id;
        let before = town.script.calls("change");
        let answer = Arc::new(Notify::new());
        town.script.fail("change", Fault::Wait(answer.clone()));
        let request = pb::ProposeChangeRequest {
            order_id: id.clone(),
            lines: Vec::new(),
            reason: "It is needed".to_owned(),
            details: Some(Struct::default()),
        };
        let mut records = town.records();
        let (proposed, ()) = tokio::join!(
            acting_as(who, records.propose_change(request)),
            town.claim_meanwhile(&id, ("change", before), answer)
        );
        let proposed = proposed.unwrap().into_inner().change_order.unwrap();
        assert_eq!(proposed.amount.unwrap().minor_units, 7_250);
        assert_eq!(town.script.calls("change"), before + 2);
        // What was authorised for the first price is given back.
        town.until_script("reserved", |it| it.money(&id).authorized == authorized).await;
        assert_eq!(town.full(town.customer, &id).await.change_orders.len(), 1);
    }
}
