//! Giving everything back, and keeping the payment closed for what still arrives.

use super::{Payments, SETTLE, effects};
use crate::{
    domain::{
        Attempt, Error, Intent, IntentId, OrderId,
        attempt::{Kind, State},
        intent,
    },
    repository::{attempts, intents},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Gives back all that an order has authorised or captured. What the payment provider does not answer now, the timer
    /// asks again without end: once this returns, nothing is kept.
    pub async fn void(&self, order: OrderId, reason: &str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let intent = close_order(&tx, order, reason).await?;
        tx.commit().await?;
        if let Err(error) = self.settle(intent).await {
            tracing::warn!(%error, payment.id = %intent, "cannot give everything back yet; the timer goes on");
        }
        Ok(())
    }
}

/// Closes the payment of an order. One that never paid is closed from the start, so that it never will.
async fn close_order(tx: &Tx, order: OrderId, reason: &str) -> Result<IntentId, Error> {
    let mut intent = match intents::lock_of_order_if_any(tx, order).await? {
        Some(intent) => intent,
        None => {
            let id = IntentId::new(tx.clock());
            let tombstone = Intent::tombstone(id, order, reason, tx.now());
            if intents::insert(tx, &tombstone).await? {
                return Ok(id);
            }
            // Another call began to pay at the same time.
            intents::lock_of_order(tx, order).await?
        }
    };
    if intent.is_closed() {
        return Ok(intent.id);
    }
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let capture = intent::capture_state(&known);
    intent.close(reason)?;
    if intent.refundable() > 0 {
        let left = intent.refundable();
        effects::open_refund(tx, &mut intent, "void", left, "CLOSED").await?;
    }
    // While a capture has no outcome the charge is left alone: its success is refunded, its failure frees the charge.
    if capture.is_none_or(|state| state == State::Failed) {
        release_charges(tx, &intent, known).await?;
    }
    timers::schedule(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    intents::save(tx, &mut intent).await?;
    Ok(intent.id)
}

/// Gives up every charge: those with an outcome are freed, the others as soon as they have one.
async fn release_charges(tx: &Tx, intent: &Intent, known: Vec<Attempt>) -> Result<(), Error> {
    for mut attempt in known {
        if attempt.kind == Kind::Authorize && attempt.give_up() {
            attempt.reason.clone_from(&intent.closed_reason);
            attempts::save(tx, &mut attempt).await?;
        }
    }
    Ok(())
}
