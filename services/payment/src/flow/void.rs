//! Giving everything back, and keeping the payment closed for what still arrives.

use super::{Payments, SETTLE, dues::lock_due, effects, giving_back};
use crate::{
    domain::{Due, DueId, Error, Intent, IntentId, OrderId, due, intent::State, ledger},
    events,
    repository::{attempts, dues, intents, journals},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Gives back all that an order has authorised or captured. What the payment provider does not answer now, the timer
    /// asks again without end: once this returns, nothing is kept.
    pub async fn void(&self, order: OrderId, reason: &str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let closed = close_order(&tx, order, reason).await?;
        tx.commit().await?;
        for intent in closed {
            if let Err(error) = self.settle(intent).await {
                tracing::warn!(%error, payment.id = %intent, "cannot give everything back yet; the timer goes on");
            }
        }
        Ok(())
    }
}

/// Closes the payment of an order, and that of its due, and returns them. An order that never paid is closed from the
/// start, so that it never will.
async fn close_order(tx: &Tx, order: OrderId, reason: &str) -> Result<Vec<IntentId>, Error> {
    let mut intent = match intents::lock_of_order_if_any(tx, order).await? {
        Some(intent) => intent,
        None => {
            let id = IntentId::new(tx.clock());
            let tombstone = Intent::tombstone(id, order, reason, tx.now());
            if intents::insert_intent(tx, &tombstone).await? {
                return Ok(vec![id]);
            }
            // Another call began to pay at the same time.
            intents::lock_of_order(tx, order).await?
        }
    };
    let mut closed = vec![intent.id];
    if intent.state == State::Due {
        let id = Due::id_of(intent.id);
        closed.extend(close_due_of_order(tx, &mut intent, id, reason).await?);
    }
    closed.extend(close_beyond_cap_dues(tx, &mut intent, reason).await?);
    close_payment(tx, &mut intent, reason).await?;
    Ok(closed)
}

/// Closes a locked payment: what it reserved or captured goes back.
pub(super) async fn close_payment(tx: &Tx, intent: &mut Intent, reason: &str) -> Result<(), Error> {
    if intent.is_closed() {
        return Ok(());
    }
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    intent.close(reason)?;
    giving_back::refund_rest_of_closed(tx, intent).await?;
    effects::release_holds(tx, intent, &known, reason).await?;
    timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    intents::save_intent(tx, intent).await
}

/// Gives up the due of an order that is closed, and the payment that may be under way for it. Returns that payment.
async fn close_due_of_order(
    tx: &Tx,
    order: &mut Intent,
    id: DueId,
    reason: &str,
) -> Result<Option<IntentId>, Error> {
    let (due, payment) = lock_due(tx, id).await?.ok_or(Error::DueNotFound)?;
    close_due(tx, order, due, payment, reason).await
}

/// Gives up a locked due as far as it is not paid, and its payment. Returns that payment.
async fn close_due(
    tx: &Tx,
    order: &mut Intent,
    mut due: Due,
    payment: Option<Intent>,
    reason: &str,
) -> Result<Option<IntentId>, Error> {
    let id = payment.as_ref().map(|payment| payment.id);
    if let Some(mut payment) = payment {
        close_payment(tx, &mut payment, reason).await?;
    }
    if due.state == due::State::Open {
        waive(tx, order, &mut due).await?;
    }
    Ok(id)
}

/// Gives up what the customer of an order owes beyond what was captured, as far as it is not paid, and the payments that may
/// be under way for it. What is paid of it stays with those who earned it, until an operator gives it back. Returns those
/// payments.
pub(super) async fn close_beyond_cap_dues(
    tx: &Tx,
    order: &mut Intent,
    reason: &str,
) -> Result<Vec<IntentId>, Error> {
    let mut closed = Vec::new();
    for id in [Due::beyond_cap_id(order.id), Due::id_of(order.id)] {
        let Some((due, payment)) = lock_due(tx, id).await? else { continue };
        if due.state == due::State::Open && due.beyond_cap.is_some() {
            closed.extend(close_due(tx, order, due, payment, reason).await?);
        }
    }
    Ok(closed)
}

/// Gives a locked due up: the customer owes it no more, and it is not earned.
pub(super) async fn waive(tx: &Tx, order: &mut Intent, due: &mut Due) -> Result<(), Error> {
    if !due.waive()? {
        return Ok(());
    }
    let reference = format!("due_waived:{}", due.id);
    let (customer, currency) = (due.customer_id, &due.currency);
    let journal = ledger::due_lowered(reference, due.order_id, customer, currency, due.amount);
    journals::post_journal(tx, &[journal]).await?;
    dues::save(tx, due).await?;
    events::due(tx, order, due, events::DUE_WAIVED).await
}
