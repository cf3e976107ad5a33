//! Paying providers what is due, less what they owe.

use super::{PAYOUT, Payments, holds::freeze};
use crate::{
    domain::{
        Error, Payout, PayoutId,
        attempt::{PspAnswer, Signal, backoff_after},
        payout::State,
    },
    events,
    psp::Transfer,
    repository::{holds, journals, payouts},
};
use kit::{Tx, messaging::timers};
use uuid::Uuid;

impl Payments {
    /// Makes a payout that is due, or finds out what became of it. Nothing happens when it is not due or held back.
    pub async fn pay_out(&self, id: PayoutId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut payout = payouts::lock_payout(&tx, id).await?;
        let is_due = payout.is_due(tx.now());
        if is_due && !holds::list_of_payout(&*tx, &payout).await?.is_empty() {
            // The payout was scheduled while its provider was being held.
            freeze(&tx, &mut payout).await?;
        } else if is_due {
            begin_transfer(&tx, &mut payout).await?;
        }
        if payout.state == State::Paying {
            ask_again(&tx, &payout).await?;
        }
        tx.commit().await?;
        let Some(reference) = payout.transfer_id.filter(|_| payout.state == State::Paying) else {
            return Ok(());
        };
        let transfer = Transfer {
            reference,
            provider: payout.provider_id,
            amount: payout.paid,
            currency: &payout.currency,
        };
        // The same reference does nothing twice, so that a question left open is simply asked again.
        let answer = self.within_time(self.psp.pay_out(transfer)).await;
        let answer = answer.unwrap_or(PspAnswer::plain(Signal::NoAnswer));
        let tx = self.db.begin().await?;
        conclude_transfer(&tx, id, reference, answer).await?;
        Ok(tx.commit().await?)
    }
}

/// Decides what to transfer and writes it down.
async fn begin_transfer(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    journals::lock_payable(tx, payout.provider_id, &payout.currency).await?;
    let balance = journals::payable_balance(tx, payout.provider_id, &payout.currency).await?;
    let unpaid = payouts::sum_unpaid(tx, payout.provider_id, &payout.currency).await?;
    payout.begin_transfer(balance, unpaid, tx.now())?;
    if payout.state == State::Paid {
        announce_paid(tx, payout).await?;
    }
    payouts::save_payout(tx, payout).await
}

/// The timer asks again when no answer comes: ever later, up to a minute after the last time.
async fn ask_again(tx: &Tx, payout: &Payout) -> Result<(), Error> {
    let since = (tx.now() - payout.updated_at).num_seconds().clamp(0, 60);
    let tries = i32::try_from(since.checked_ilog2().unwrap_or_default()).unwrap_or_default();
    Ok(timers::schedule_timer(tx, PAYOUT, payout.id.uuid(), tx.now() + backoff_after(tries))
        .await?)
}

/// Writes down what became of a transfer. An answer about an earlier transfer changes nothing.
pub(super) async fn conclude_transfer(
    tx: &Tx,
    id: PayoutId,
    reference: Uuid,
    answer: PspAnswer,
) -> Result<(), Error> {
    let mut payout = payouts::lock_payout(tx, id).await?;
    if payout.transfer_id != Some(reference) {
        return Ok(());
    }
    match (answer.signal, payout.state) {
        (Signal::Succeeded, State::Paying) => {
            journals::post_journal(tx, &[payout.journal()]).await?;
            payout.complete(tx.now())?;
            announce_paid(tx, &mut payout).await?;
        }
        (Signal::Declined, State::Paying | State::Paid) => {
            if payout.state == State::Paid {
                // The bank sent the money back.
                journals::post_journal(tx, &[payout.journal().reversal()]).await?;
            }
            payout.fail(answer.reason)?;
            timers::cancel_timer(tx, PAYOUT, payout.id.uuid()).await?;
            let amount = payout.amount;
            events::payout_event(tx, &mut payout, events::PAYOUT_FAILED, amount).await?;
        }
        _ => return Ok(()),
    }
    payouts::save_payout(tx, &mut payout).await
}

async fn announce_paid(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    timers::cancel_timer(tx, PAYOUT, payout.id.uuid()).await?;
    let amount = payout.paid;
    events::payout_event(tx, payout, events::PAYOUT_PAID, amount).await
}
