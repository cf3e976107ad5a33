//! Refunding what was captured, never more than that.

use super::{Payments, effects};
use crate::{
    domain::{Attempt, AttemptId, Error, Intent, OrderId, attempt::Kind},
    repository::{attempts, intents},
};
use kit::Tx;

/// A request to refund.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// How much, in minor units; none means all that is left.
    pub amount: Option<i64>,
    /// In which currency; empty means the payment's.
    pub currency: String,
    /// Names the refund.
    pub key: String,
    /// Why the money goes back.
    pub reason: String,
}

impl Payments {
    /// Refunds captured money of an order.
    pub async fn refund_order(
        &self,
        order: OrderId,
        request: RefundRequest,
    ) -> Result<(Intent, Attempt), Error> {
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_of_order(&tx, order).await?;
        let attempt = open_refund(&tx, &mut intent, request).await?;
        tx.commit().await?;
        self.run_attempt(intent, attempt).await
    }

    /// Asks for the outcome of a refund that is written down.
    pub async fn finish_refund(&self, id: AttemptId) -> Result<(Intent, Attempt), Error> {
        let attempt = attempts::find(self.db.connection(), id).await?;
        let attempt = attempt.ok_or(Error::PaymentNotFound)?;
        let intent = intents::find(self.db.connection(), attempt.intent_id, None).await?;
        self.run_attempt(intent, attempt).await
    }
}

/// Writes down a refund of a locked payment, or finds the one of the same key.
pub async fn open_refund(
    tx: &Tx,
    intent: &mut Intent,
    request: RefundRequest,
) -> Result<Attempt, Error> {
    let RefundRequest { amount, currency, key, reason } = request;
    if !currency.is_empty() {
        intent.check_currency(&currency)?;
    }
    if let Some(same) = attempts::find_step(&**tx, intent.id, Kind::Refund, &key).await? {
        let same_body = amount.is_none_or(|amount| amount == same.amount) && same.note == reason;
        return if same_body { Ok(same) } else { Err(kit::Error::KeyReused.into()) };
    }
    let amount = amount.unwrap_or(intent.refundable());
    let attempt = effects::open_refund(tx, intent, &key, amount, &reason).await?;
    intents::save(tx, intent).await?;
    Ok(attempt)
}
