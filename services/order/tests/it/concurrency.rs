//! What happens at once to one order, and what another service refuses for good.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::Town,
};
use chrono::Duration;
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb};
use tonic::{Code, Status};
use yare::parameterized;

impl Town {
    /// Writes messages to an order one after the other.
    fn write(
        &self,
        who: Subject,
        id: &str,
        count: usize,
    ) -> tokio::task::JoinHandle<Result<(), Status>> {
        let (mut records, id) = (self.records(), id.to_owned());
        tokio::spawn(acting_as(who, async move {
            for number in 0..count {
                let text = format!("Message {number}");
                let request = pb::PostOrderMessageRequest { order_id: id.clone(), text };
                records.post_order_message(request).await?;
            }
            Ok(())
        }))
    }

    fn prove(&self, id: &str, count: usize) -> tokio::task::JoinHandle<Result<(), Status>> {
        let (mut records, id) = (self.records(), id.to_owned());
        tokio::spawn(acting_as(self.provider, async move {
            for _ in 0..count {
                let request = pb::AddProofRequest {
                    order_id: id.clone(),
                    kind: "photo.after".to_owned(),
                    sha256: "ab".repeat(32),
                    position: None,
                    taken_at: None,
                };
                records.add_proof(request).await?;
            }
            Ok(())
        }))
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn people_who_write_at_once_lose_no_message_and_hold_no_step_up(backend: Backend) {
    const EACH: usize = 12;
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    let writers = [town.customer, town.provider, town.customer];
    let writing = writers.map(|who| town.write(who, &id, EACH));
    // The version that the provider saw stays the order's, whoever writes.
    let version = town.get(&id).await.version;
    let request = pb::DepartRequest { order_id: id.clone(), version };
    let departed = acting_as(town.provider, town.jobs().depart(request)).await.unwrap();
    assert_eq!(departed.into_inner().order.unwrap().state(), OrderState::EnRoute);
    town.act(town.provider, "arrive", &id).await;
    let proving = [town.prove(&id, EACH), town.prove(&id, EACH)];
    for task in writing.into_iter().chain(proving) {
        task.await.unwrap().unwrap();
    }
    let request =
        pb::ListOrderMessagesRequest { order_id: id.clone(), page_size: 100, ..Default::default() };
    let listed = acting_as(town.customer, town.records().list_order_messages(request)).await;
    assert_eq!(listed.unwrap().into_inner().messages.len(), 3 * EACH);
    assert_eq!(town.full(town.customer, &id).await.proofs.len(), 2 * EACH);
    let kinds = async || town.events.kinds_of(&id);
    eventually("every message is told", kinds, |kinds| {
        kinds.iter().filter(|kind| *kind == "order.message_posted").count() == 3 * EACH
    })
    .await;
    town.events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_steps_with_one_version_one_gets_through(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    let version = town.act(town.provider, "accept", &id).await.version;
    let calls = (0..4).map(|_| {
        let mut jobs = town.jobs();
        let request = pb::DepartRequest { order_id: id.clone(), version };
        tokio::spawn(acting_as(town.provider, async move { jobs.depart(request).await }))
    });
    let calls: Vec<_> = calls.collect();
    let mut departed = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => departed += 1,
            Err(error) => assert_eq!(reason_of(&error), "VERSION_MISMATCH", "{error}"),
        }
    }
    assert_eq!(departed, 1);
    assert_eq!(town.get(&id).await.version, version + 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_that_is_refused_for_good_ends_and_holds_nothing_up(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.completed().await.id;
    town.until_script("captured", |it| it.money(&id).captured == 10_000).await;
    town.act(town.customer, "dispute", &id).await;
    town.until_script("frozen", |it| it.money(&id).frozen).await;
    let refused = refusal(Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURE");
    town.script.fail("refund", Fault::Refuse(refused));
    let request = pb::ResolveDisputeRequest {
        order_id: id.clone(),
        version: 0,
        resolution: pb::DisputeState::ResolvedCustomer.into(),
        refund: None,
    };
    acting_as(town.operator, town.settlements().resolve_dispute(request)).await.unwrap();
    town.until_script("thawed", |it| !it.money(&id).frozen).await;
    let full = town.full(town.operator, &id).await;
    let entry = full.timeline.iter().find(|entry| entry.action == "sideEffectRefused").unwrap();
    assert_eq!(entry.note, "refund: REFUND_EXCEEDS_CAPTURE");
    // Time enough for many retries.
    town.clock.advance(Duration::hours(1));
    town.attempt(town.customer, "postMessage", &id, &With::default()).await.unwrap();
    town.until_fact(&id, "order.message_posted").await;
    assert_eq!((town.script.calls("refund"), town.script.money(&id).refunded), (1, 0));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_lost_race_at_another_service_is_no_final_refusal(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.delivered().await.id;
    town.script.fail("capture", Fault::Refuse(refusal(Code::Aborted, "VERSION_MISMATCH")));
    town.act(town.customer, "acceptDelivery", &id).await;
    town.in_time("captured", |it| it.money(&id).captured == 10_000).await;
    assert_eq!(town.script.calls("capture"), 2);
}
