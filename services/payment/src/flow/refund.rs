//! Refunding what was captured, never more than that.

use super::{Payments, dues::lock_due, giving_back, void::close_payment};
use crate::{
    domain::{
        Attempt, AttemptId, Due, Error, Intent, OrderId,
        attempt::{AttemptKind, State},
        due, intent,
        ledger::{self, Account},
    },
    events,
    repository::{attempts, captures, chargebacks, dues, intents, journals},
};
use kit::Tx;

/// A request to refund.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// How much to give back.
    pub amount: RefundAmount,
    /// In which currency; empty means the payment's.
    pub currency: String,
    /// Names the refund.
    pub key: String,
    /// Why the money goes back.
    pub reason: String,
}

/// How much to give back, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundAmount {
    /// Exactly this much.
    Exactly(i64),
    /// This much, or what is left when that is less.
    AtMost(i64),
    /// All that is left.
    Rest,
}

impl RefundAmount {
    /// How much it is when `left` is left.
    const fn of(self, left: i64) -> i64 {
        match self {
            Self::Exactly(amount) => amount,
            Self::AtMost(amount) if amount < left => amount,
            Self::AtMost(_) | Self::Rest => left,
        }
    }

    /// Whether a refund of `amount` may be what this asked for.
    const fn fits(self, amount: i64) -> bool {
        match self {
            Self::Exactly(asked) => asked == amount,
            Self::AtMost(asked) => amount <= asked,
            Self::Rest => true,
        }
    }
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// In which currency.
    pub currency: String,
    /// What was refunded in all, in minor units.
    pub total: i64,
    /// What this refund gives back.
    pub amount: i64,
}

impl Payments {
    /// Refunds captured money of an order.
    pub async fn refund_order(
        &self,
        order: OrderId,
        request: RefundRequest,
    ) -> Result<Refunded, Error> {
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_of_order(&tx, order).await?;
        if !request.currency.is_empty() {
            intent.check_currency(&request.currency)?;
        }
        if intent.state == intent::State::Due {
            let locked = lock_due(&tx, Due::id_of(intent.id)).await?;
            let (due, payment) = locked.ok_or(Error::DueNotFound)?;
            if let Some(owed) = find_lowered(&tx, &due, &request.key).await? {
                let total = payment.map_or(0, |payment| payment.refunded);
                return Ok(Refunded { currency: due.currency, total, amount: owed });
            }
            match payment {
                Some(payment) if due.state == due::State::Paid => intent = payment,
                payment => {
                    let lowered = lower_due(&tx, &mut intent, payment, due, request).await?;
                    tx.commit().await?;
                    return Ok(lowered);
                }
            }
        }
        let attempt = open_refund(&tx, &mut intent, request).await?;
        tx.commit().await?;
        let Some(attempt) = attempt else {
            return Ok(Refunded { currency: intent.currency, total: intent.refunded, amount: 0 });
        };
        let (intent, parts) = self.run_refund(intent, attempt).await?;
        let made = parts.iter().filter(|part| part.state != State::Failed);
        let amount = made.map(|part| part.amount).sum();
        match parts.into_iter().next() {
            Some(refused) if amount == 0 => Err(Error::Declined(refused.reason)),
            _ => Ok(Refunded { currency: intent.currency, total: intent.refunded, amount }),
        }
    }

    /// Asks for the outcome of each part of a refund that is written down, and returns the parts.
    async fn run_refund(
        &self,
        intent: Intent,
        first: Attempt,
    ) -> Result<(Intent, Vec<Attempt>), Error> {
        let further =
            attempts::list_further_parts(self.db.connection(), intent.id, first.id).await?;
        let (mut intent, first) = self.run_attempt(intent, first).await?;
        let mut parts = vec![first];
        for part in further {
            let (changed, part) = self.run_attempt(intent, part).await?;
            intent = changed;
            parts.push(part);
        }
        Ok((intent, parts))
    }

    /// Asks for the outcome of a refund that is written down, and returns its first part.
    pub async fn finish_refund(&self, id: AttemptId) -> Result<(Intent, Attempt), Error> {
        let attempt = attempts::find_attempt(self.db.connection(), id).await?;
        let attempt = attempt.ok_or(Error::PaymentNotFound)?;
        let intent = intents::find_intent(self.db.connection(), attempt.intent_id, None).await?;
        let (intent, parts) = self.run_refund(intent, attempt).await?;
        let first = parts.into_iter().next().ok_or(Error::PaymentNotFound)?;
        Ok((intent, first))
    }
}

/// By how much a refund of that key has lowered a due, if it did: it counts as made also once the rest of the due is paid.
async fn find_lowered(tx: &Tx, due: &Due, key: &str) -> Result<Option<i64>, Error> {
    let before = journals::list_entries(tx, &lowered_reference(due, key)).await?;
    let owed = journals::amount_of(&before, Account::Dues(due.customer_id), &due.currency);
    Ok((owed > 0).then_some(owed))
}

/// Names the journal of a refund that lowers a due.
fn lowered_reference(due: &Due, key: &str) -> String {
    format!("due_lowered:{}:{key}", due.id)
}

/// Takes a refund off what the customer still owes, since what was never paid cannot go back. While a payment of the due
/// is under way the call is to be repeated: it ends with something to refund, or with a due to lower.
async fn lower_due(
    tx: &Tx,
    order: &mut Intent,
    payment: Option<Intent>,
    mut due: Due,
    request: RefundRequest,
) -> Result<Refunded, Error> {
    let left = if due.state == due::State::Open { due.amount } else { 0 };
    let less = request.amount.of(left);
    if less > left {
        return Err(Error::ExceedsCapture { refundable: left });
    }
    if less == 0 {
        return Ok(Refunded { currency: due.currency, total: 0, amount: 0 });
    }
    due.lower(less)?;
    if let Some(payment) = payment {
        lower_due_payment(tx, payment, &due).await?;
    }
    let capture = captures::find_capture(tx, order.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a due without a capture"))?;
    capture.lower(less);
    captures::save_capture(tx, &capture).await?;
    let (customer, currency) = (due.customer_id, &due.currency);
    let reference = lowered_reference(&due, &request.key);
    let journal = ledger::due_lowered(reference, due.order_id, customer, currency, less);
    journals::post_journal(tx, &[journal]).await?;
    dues::save(tx, &mut due).await?;
    let kind = match due.state {
        due::State::Waived => events::DUE_WAIVED,
        due::State::Open | due::State::Paid => events::DUE_LOWERED,
    };
    events::due(tx, order, &due, kind).await?;
    intents::save_intent(tx, order).await?;
    Ok(Refunded { currency: due.currency, total: 0, amount: less })
}

/// Has the payment of a due ask for what is left of it, or close when nothing is.
async fn lower_due_payment(tx: &Tx, mut payment: Intent, due: &Due) -> Result<(), Error> {
    let attempts = attempts::list_of_intent(&**tx, payment.id).await?;
    let is_under_way = payment.state == intent::State::Authorized
        || attempts.iter().any(|attempt| attempt.state.is_open());
    if is_under_way {
        return Err(Error::Pending);
    }
    if due.state == due::State::Waived {
        return close_payment(tx, &mut payment, "WAIVED").await;
    }
    payment.amount = due.amount;
    intents::save_intent(tx, &mut payment).await
}

/// Writes down a refund of a locked payment, or finds the one of the same key. None when nothing is left and the request
/// is content with that.
pub async fn open_refund(
    tx: &Tx,
    intent: &mut Intent,
    request: RefundRequest,
) -> Result<Option<Attempt>, Error> {
    let RefundRequest { amount, currency, key, reason } = request;
    if !currency.is_empty() {
        intent.check_currency(&currency)?;
    }
    if let Some(same) = attempts::find_step(&**tx, intent.id, AttemptKind::Refund, &key).await? {
        let further = attempts::list_further_parts(&**tx, intent.id, same.id).await?;
        let whole = same.amount + further.iter().map(|part| part.amount).sum::<i64>();
        return match amount.fits(whole) && same.note == reason {
            true => Ok(Some(same)),
            false => Err(kit::Error::KeyReused.into()),
        };
    }
    intent.check_refund()?;
    if chargebacks::is_any_open(tx, intent.id).await? {
        return Err(Error::ChargedBack);
    }
    let left = intent.refundable();
    if left == 0 && matches!(amount, RefundAmount::AtMost(_)) {
        return Ok(None);
    }
    let attempt = giving_back::open_refund(tx, intent, &key, amount.of(left), &reason).await?;
    intents::save_intent(tx, intent).await?;
    Ok(Some(attempt))
}
