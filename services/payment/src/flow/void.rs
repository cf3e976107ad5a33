//! Giving everything back, and keeping the payment closed for whatever still arrives.

use super::{NO_CURRENCY, Payments, SETTLE, authorize::locked, new_intent, refund};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal, State},
        intent,
    },
    entity::{Attempt, Intent, IntentId, OrderId},
    repository::{attempts, intents},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Gives back all that an order has authorised or captured. What the payment provider does not answer now, the timer
    /// asks again without end: once this returns, nothing is kept.
    pub async fn void(&self, order: OrderId, reason: String) -> Result<(), Error> {
        let closed = self.db.write(move |tx| async move { close(&tx, order, reason).await });
        let intent = closed.await?;
        if let Err(error) = self.settle(intent).await {
            tracing::warn!(%error, payment.id = %intent, "giving back goes on later");
        }
        Ok(())
    }
}

async fn close(tx: &Tx, order: OrderId, reason: String) -> Result<IntentId, Error> {
    let mut intent = match intents::lock_order(tx, order).await? {
        Some(intent) => intent,
        None => closed_from_the_start(tx, order, &reason).await?,
    };
    if intent.state == intent::State::Closed {
        return Ok(intent.id);
    }
    let known = attempts::of_intent(&**tx, intent.id).await?;
    let capture = known.iter().find(|attempt| attempt.kind == Kind::Capture).map(|it| it.state);
    intent.state = intent.state.transition(intent::Event::Close)?;
    intent.closed_reason = reason;
    let left = intent.captured - intent.refunded;
    if left > 0 {
        refund::open(tx, &mut intent, "void", left, "CLOSED").await?;
    }
    // While a capture has no outcome the charge is left alone: its success is refunded, its failure frees the charge.
    if capture.is_none_or(|state| state == State::Failed) {
        release(tx, &intent, known).await?;
    }
    timers::schedule(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    Ok(intents::save(tx, intent).await?.id)
}

/// Closes an order that never paid, so that it never will; somebody who was first is found after all.
async fn closed_from_the_start(tx: &Tx, order: OrderId, reason: &str) -> Result<Intent, Error> {
    let mut tombstone = new_intent(tx, order, None, NO_CURRENCY);
    tombstone.state = tombstone.state.transition(intent::Event::Close)?;
    reason.clone_into(&mut tombstone.closed_reason);
    match intents::insert(tx, &tombstone).await? {
        true => Ok(tombstone),
        false => locked(tx, order).await,
    }
}

/// Gives up every charge: those with an outcome are freed, the others as soon as they have one.
async fn release(tx: &Tx, intent: &Intent, known: Vec<Attempt>) -> Result<(), Error> {
    for mut attempt in known {
        let given_up = attempt.state.next(Signal::GiveUp);
        if attempt.kind == Kind::Authorize && given_up != attempt.state {
            attempt.state = given_up;
            attempt.reason.clone_from(&intent.closed_reason);
            attempt.tries = 0;
            attempts::save(tx, attempt).await?;
        }
    }
    Ok(())
}
