//! Claims of damage, as the vertical tells of them: each holds its part of the payout back until it is settled.

use crate::town::Town;
use kit::testing::{Backend, eventually};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{OrderState, Signal},
    order::v1 as pb,
    payment::v1::{PaymentEvent, PayoutEvent},
};
use uuid::Uuid;
use yare::parameterized;

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money { currency: "EUR".to_owned(), minor_units })
}

impl Town {
    /// The vertical `source` tells of a claim: opened over an amount, or settled with a refund.
    async fn claim(&self, source: &str, kind: &str, id: &str, claim: Uuid, units: i64) {
        let signal = Signal {
            order_id: id.to_owned(),
            claim_id: claim.to_string(),
            amount: euros(units),
            refund: euros(units),
            ..Signal::default()
        };
        self.publish_as(source, kind, &signal).await;
    }

    async fn captured_order(&self) -> String {
        let id = self.completed().await.id;
        self.until_script("captured", |it| it.money(&id).captured == 10_000).await;
        id
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_holds_its_amount_until_it_is_settled(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured_order().await;
    let (table, lamp) = (Uuid::new_v4(), Uuid::new_v4());
    // Another vertical has no say.
    town.claim("moving", "fulfilment.claim_opened", &id, Uuid::new_v4(), 9_000).await;
    town.claim("cleaning", "fulfilment.claim_opened", &id, table, 3_000).await;
    town.claim("cleaning", "fulfilment.claim_opened", &id, lamp, 500).await;
    let held = [(table.to_string(), 3_000), (lamp.to_string(), 500)].into();
    town.until_script("held back", |it| it.money(&id).claims == held).await;
    // One is settled with less than was claimed, the other is withdrawn.
    town.claim("cleaning", "fulfilment.claim_resolved", &id, table, 2_000).await;
    town.claim("cleaning", "fulfilment.claim_resolved", &id, lamp, 0).await;
    town.until_script("settled", |it| {
        it.money(&id).claims.is_empty() && it.money(&id).refunded == 2_000
    })
    .await;
    let notes = town.full(town.operator, &id).await.timeline;
    let count = |action: &str| notes.iter().filter(|entry| entry.action == action).count();
    assert_eq!((count("claimOpened"), count("claimResolved")), (2, 2));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_before_the_capture_is_taken_off_the_price(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.delivered().await.id;
    let claim = Uuid::new_v4();
    town.claim("cleaning", "fulfilment.claim_opened", &id, claim, 3_000).await;
    town.until_script("held back", |it| it.money(&id).claims.len() == 1).await;
    town.claim("cleaning", "fulfilment.claim_resolved", &id, claim, 3_000).await;
    town.until_script("settled", |it| it.money(&id).claims.is_empty()).await;
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("captured", |it| it.money(&id).captured == 7_000).await;
    assert_eq!(town.script.money(&id).refunded, 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_owed_beyond_the_cap_is_beside_the_payment_of_the_order(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.captured_order().await;
    let due_id = Uuid::new_v4().to_string();
    let fact = PaymentEvent {
        order_id: id.clone(),
        due_id: due_id.clone(),
        amount: euros(700),
        captured: euros(700),
        beyond_cap: true,
        ..PaymentEvent::default()
    };
    for kind in ["payment.due_created", "payment.due_paid", "payment.due_waived"] {
        town.publish_as("payment", kind, &fact).await;
    }
    let paid =
        PayoutEvent { order_id: id.clone(), kind: "DUE".to_owned(), ..PayoutEvent::default() };
    town.publish_as("payment", "payout.paid", &paid).await;
    let shows = |order: &pb::Order| order.payment.as_ref().unwrap().beyond_cap_due_id == due_id;
    let order = eventually("the due", async || town.get(&id).await, shows).await;
    let payment = order.payment.unwrap();
    // So is what one of several holds refused.
    let rest_id = Uuid::new_v4().to_string();
    let rest = PaymentEvent {
        due_id: rest_id.clone(),
        beyond_cap: false,
        beside_capture: true,
        ..fact.clone()
    };
    for kind in ["payment.due_created", "payment.due_paid", "payment.due_waived"] {
        town.publish_as("payment", kind, &rest).await;
    }
    let rest_paid =
        PayoutEvent { order_id: id.clone(), kind: "REST".to_owned(), ..PayoutEvent::default() };
    town.publish_as("payment", "payout.paid", &rest_paid).await;
    let has_both = |order: &pb::Order| order.payment.as_ref().unwrap().due_id == rest_id;
    let both = eventually("both dues", async || town.get(&id).await, has_both).await;
    let both = both.payment.unwrap();
    assert_eq!((both.state(), both.captured), (pb::PaymentState::Captured, euros(10_000)));
    assert_eq!(both.beyond_cap_due_id, due_id);
    assert_eq!(payment.state(), pb::PaymentState::Captured);
    assert_eq!((payment.captured, payment.due_id), (euros(10_000), String::new()));
    let provider = town.get_as(town.provider, &id).await.unwrap();
    assert_eq!(provider.payment.unwrap().beyond_cap_due_id, "");
    town.clock.advance(chrono::Duration::days(8));
    town.until_fact(&id, "order.completed").await;
    assert_eq!(town.get(&id).await.state(), OrderState::Completed, "it waits for its own payout");
}
