//! Facts that child_assistance publishes: ids, codes and counts, never a word about anybody.

use crate::{
    convert::{CareJob, OPEN_STATES},
    domain::{
        Error,
        access::told_guardians,
        records::{Child, Guardian},
    },
    repository::{children, guardians, orders},
};
use kit::{Tx, messaging::outbox};
use proto::quickserve::child_assistance::v1::ChildEvent;
use uuid::Uuid;

/// A child was brought.
pub const CHECKED_IN: &str = "child.checked_in";
/// A child was fetched.
pub const CHECKED_OUT: &str = "child.checked_out";
/// Something happened to a child.
pub const INCIDENT: &str = "child.incident";
/// A child is still there after the end.
pub const LATE_PICKUP: &str = "child.late_pickup";
/// A child was not handed out.
pub const PICKUP_REFUSED: &str = "child.pickup_refused";
/// Another set of adults may bring and fetch a child.
pub const AUTHORIZATION_CHANGED: &str = "child.authorization_changed";
/// An adult shows a photo ID, and a guardian must decide.
pub const RELEASE_REQUESTED: &str = "child.release_requested";

/// Publishes a fact about a child in the course of an order; `event` says what is special about it. The caller saves the
/// job, which counts its facts.
pub async fn record_child_event(
    tx: &Tx,
    job: &mut CareJob,
    kind: &str,
    child_id: Uuid,
    event: ChildEvent,
) -> Result<(), Error> {
    let guardians = guardians::list_guardians(&**tx, child_id).await?;
    job.order.event_seq += 1;
    let order = &job.order;
    let event = ChildEvent {
        order_id: order.order_id.to_string(),
        child_id: child_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: text_of(order.provider_user_id),
        guardian_ids: texts_of(told_guardians(&guardians)),
        order_event_seq: order.facts.event_seq,
        ..event
    };
    outbox::record_event(tx, kind, order.order_id, order.event_seq, &event).await?;
    Ok(())
}

/// Publishes that another set of adults may bring and fetch a locked child: to its guardians, and to the carers of orders
/// that are open.
pub async fn record_authorization_changed(tx: &Tx, child: &mut Child) -> Result<(), Error> {
    let guardians = guardians::list_guardians(&**tx, child.id).await?;
    let jobs = orders::list_with_child(tx, child.id, &guardians, &OPEN_STATES).await?;
    if jobs.is_empty() {
        record_change(tx, child, &guardians, None).await?;
    }
    for (index, job) in jobs.iter().enumerate() {
        // Guardians are told once, however many orders are open.
        let told: &[Guardian] = if index == 0 { &guardians } else { &[] };
        record_change(tx, child, told, Some(job)).await?;
    }
    children::save_child(tx, child).await
}

async fn record_change(
    tx: &Tx,
    child: &mut Child,
    guardians: &[Guardian],
    job: Option<&CareJob>,
) -> Result<(), Error> {
    child.event_seq += 1;
    let event = ChildEvent {
        order_id: text_of(job.map(|job| job.order.order_id)),
        child_id: child.id.to_string(),
        provider_user_id: text_of(job.and_then(|job| job.order.provider_user_id)),
        guardian_ids: texts_of(told_guardians(guardians)),
        order_event_seq: job.map(|job| job.order.facts.event_seq).unwrap_or_default(),
        ..ChildEvent::default()
    };
    outbox::record_event(tx, AUTHORIZATION_CHANGED, child.id, child.event_seq, &event).await?;
    Ok(())
}

fn text_of(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// Ids as facts have them.
pub fn texts_of(ids: impl IntoIterator<Item = Uuid>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}
