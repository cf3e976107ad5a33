//! Facts that repair publishes about the repairs of orders.

use crate::{convert::RepairJob, domain::state::RepairOutcome};
use kit::{Tx, messaging::outbox};
use proto::quickserve::repair::v1::RepairEvent;
use vertical::Error;

/// It is known what is wrong.
pub const DIAGNOSED: &str = "repair.diagnosed";
/// The last part that the customer agreed to has come.
pub const PARTS_ARRIVED: &str = "repair.parts_arrived";
/// There is no more to do.
pub const FINISHED: &str = "repair.finished";
/// No repairer was at work in time.
pub const SLA_MISSED: &str = "repair.sla_missed";

/// Publishes a fact about a repair. The caller saves the job, which counts its facts.
pub async fn record_repair_event(tx: &Tx, job: &mut RepairJob, kind: &str) -> Result<(), Error> {
    job.order.event_seq += 1;
    let (order, own) = (&job.order, &job.own);
    let diagnosis = own.diagnosis.as_ref();
    let event = RepairEvent {
        order_id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        diagnosis_code: diagnosis.map(|it| it.code.clone()).unwrap_or_default(),
        hazard: own.is_dangerous(),
        outcome: own.outcome.map(RepairOutcome::code).unwrap_or_default().to_owned(),
        parts: i32::try_from(own.parts.len()).unwrap_or_default(),
        order_event_seq: order.facts.event_seq,
    };
    outbox::record_event(tx, kind, order.order_id, order.event_seq, &event).await?;
    Ok(())
}
