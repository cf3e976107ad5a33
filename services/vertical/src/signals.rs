//! Signals: what a vertical publishes for order, whose orders it follows. Order obeys those of an order's own vertical.

use crate::{Error, OrderRecord};
use kit::{Money, Tx, messaging::outbox};
use proto::quickserve::fulfilment::v1::Signal;
use uuid::Uuid;

/// The provider was not let in.
pub const ACCESS_FAILED: &str = "fulfilment.access_failed";
/// The customer claims damage: so much of the payout waits.
pub const CLAIM_OPENED: &str = "fulfilment.claim_opened";
/// A claim is settled.
pub const CLAIM_RESOLVED: &str = "fulfilment.claim_resolved";
/// Someone is in danger.
pub const SAFETY: &str = "fulfilment.safety";

/// Publishes that `provider` was not let in. The caller saves the record, which counts its events; so it is with every
/// signal.
pub async fn record_access_failed(
    tx: &Tx,
    order: &mut OrderRecord,
    provider: Uuid,
) -> Result<(), Error> {
    record_signal(tx, order, ACCESS_FAILED, signal_by(provider)).await
}

/// Publishes that `account` is in danger, or saw what is dangerous.
pub async fn record_safety(tx: &Tx, order: &mut OrderRecord, account: Uuid) -> Result<(), Error> {
    record_signal(tx, order, SAFETY, signal_by(account)).await
}

/// Publishes that `customer` claims `amount` for damage.
pub async fn record_claim_opened(
    tx: &Tx,
    order: &mut OrderRecord,
    customer: Uuid,
    claim_id: Uuid,
    amount: Money,
) -> Result<(), Error> {
    let signal = Signal {
        claim_id: claim_id.to_string(),
        amount: Some(amount.into()),
        ..signal_by(customer)
    };
    record_signal(tx, order, CLAIM_OPENED, signal).await
}

/// Publishes that `account` has settled a claim, of which `refund` goes back to the customer.
pub async fn record_claim_resolved(
    tx: &Tx,
    order: &mut OrderRecord,
    account: Uuid,
    claim_id: Uuid,
    refund: Money,
) -> Result<(), Error> {
    let signal = Signal {
        claim_id: claim_id.to_string(),
        refund: Some(refund.into()),
        ..signal_by(account)
    };
    record_signal(tx, order, CLAIM_RESOLVED, signal).await
}

fn signal_by(account: Uuid) -> Signal {
    Signal { reported_by: account.to_string(), ..Signal::default() }
}

async fn record_signal(
    tx: &Tx,
    order: &mut OrderRecord,
    kind: &'static str,
    signal: Signal,
) -> Result<(), Error> {
    order.event_seq += 1;
    let (order_id, seq) = (order.order_id, order.event_seq);
    let signal = Signal { order_id: order_id.to_string(), ..signal };
    outbox::record_event(tx, kind, order_id, seq, &signal).await?;
    Ok(())
}
