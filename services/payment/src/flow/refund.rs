//! Refunding what was captured, never more than that.

use super::{Payments, authorize::locked, capture::step};
use crate::{
    domain::{Error, attempt::Kind, intent},
    entity::{Attempt, AttemptId, Intent, IntentId, OrderId},
    repository::{attempts, intents},
};
use kit::Tx;

/// A request to refund.
#[derive(Clone, Debug)]
pub struct Refunding {
    /// How much, in minor units; none means all that is left.
    pub amount: Option<i64>,
    /// In which currency; empty means the payment's.
    pub currency: String,
    /// Names the refund.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl Payments {
    /// Refunds captured money of an order.
    pub async fn refund_order(
        &self,
        order: OrderId,
        ask: Refunding,
    ) -> Result<(Intent, Attempt), Error> {
        let opened = self.db.write(move |tx| async move {
            let intent = locked(&tx, order).await?;
            begin(&tx, intent, ask).await
        });
        let (intent, attempt) = opened.await?;
        self.refund(intent, attempt).await
    }

    /// Asks for the outcome of a refund that is written down.
    pub async fn finish_refund(&self, id: AttemptId) -> Result<(Intent, Attempt), Error> {
        let attempt = attempts::find(self.db.read(), id).await?.ok_or(Error::PaymentNotFound)?;
        let intent = intents::find(self.db.read(), attempt.intent_id, None).await?;
        self.refund(intent, attempt).await
    }

    /// Asks the payment provider once; what it does not answer, the timer asks again.
    async fn refund(&self, intent: Intent, attempt: Attempt) -> Result<(Intent, Attempt), Error> {
        if !attempt.state.is_open() {
            return Ok((intent, attempt));
        }
        let answer = self.resolve_or_ask(&intent, &attempt).await?;
        self.apply(intent.id, attempt.id, answer).await
    }
}

/// Writes down a refund of a payment.
pub async fn begin_refund(
    tx: &Tx,
    payment: IntentId,
    ask: Refunding,
) -> Result<(Intent, Attempt), Error> {
    let intent = intents::lock(tx, payment).await?;
    begin(tx, intent, ask).await
}

/// Writes down a refund, or finds the one of the same key.
async fn begin(tx: &Tx, mut intent: Intent, ask: Refunding) -> Result<(Intent, Attempt), Error> {
    let Refunding { amount, currency, key, reason } = ask;
    if !currency.is_empty() && currency != intent.currency {
        return Err(Error::invalid("amount.currency", "is not the payment's currency"));
    }
    if let Some(same) = attempts::find_step(&**tx, intent.id, Kind::Refund, &key).await? {
        let same_body = amount.is_none_or(|amount| amount == same.amount) && same.note == reason;
        return if same_body { Ok((intent, same)) } else { Err(kit::Error::KeyReused.into()) };
    }
    if intent.captured == 0 {
        return Err(Error::State(match intent.state {
            intent::State::Captured => "captured with an amount of zero",
            state => state.name(),
        }));
    }
    let amount = amount.unwrap_or(intent.captured - intent.refunded);
    if amount <= 0 {
        return Err(Error::ExceedsCapture);
    }
    let attempt = open(tx, &mut intent, &key, amount, &reason).await?;
    Ok((intent, attempt))
}

/// Sets the amount aside and writes the refund down.
pub(super) async fn open(
    tx: &Tx,
    intent: &mut Intent,
    key: &str,
    amount: i64,
    reason: &str,
) -> Result<Attempt, Error> {
    intents::reserve_refund(tx, intent.id, amount).await?;
    intent.refunded += amount;
    intent.version += 1;
    let mut attempt = step(tx, intent, Kind::Refund, key, amount).await?;
    attempt.note = reason.to_owned();
    attempts::save(tx, attempt).await
}
