//! Paying providers what is due, less what they owe.

use super::{PAYOUT, Payments};
use crate::{
    domain::{
        Error,
        attempt::{Signal, backoff},
        ledger,
        payout::{Event, State, recover},
    },
    entity::{Payout, PayoutId},
    events,
    psp::{Answer, Transfer},
    repository::{ledger as books, payouts},
};
use kit::{Id, Tx, messaging::timers};
use uuid::Uuid;

impl Payments {
    /// Makes a payout that is due, or finds out what became of it. Nothing happens when it is not due or held back.
    pub async fn pay_out(&self, id: PayoutId) -> Result<(), Error> {
        let begun = self.db.write(move |tx| async move { begin(&tx, id).await });
        let Some(payout) = begun.await? else { return Ok(()) };
        let Some(reference) = payout.transfer_id else { return Ok(()) };
        let transfer = Transfer {
            reference,
            provider: payout.provider_id,
            amount: payout.paid,
            currency: &payout.currency,
        };
        // The same reference does nothing twice, so that a question left open is simply asked again.
        let answer = self.patiently(self.psp.pay_out(transfer)).await;
        let answer = answer.unwrap_or(Answer::plain(Signal::NoAnswer));
        self.db.write(move |tx| async move { conclude(&tx, id, reference, answer).await }).await
    }
}

/// Decides what to transfer and writes it down.
async fn begin(tx: &Tx, id: PayoutId) -> Result<Option<Payout>, Error> {
    let mut payout = payouts::lock(tx, id).await?;
    match payout.state {
        State::Scheduled if payout.due_at <= tx.now() => {}
        State::Paying => {
            ask_again(tx, &payout).await?;
            return Ok(Some(payout));
        }
        State::Scheduled | State::Frozen | State::Paid | State::Failed | State::Cancelled => {
            return Ok(None);
        }
    }
    books::lock_payable(tx, payout.provider_id, &payout.currency).await?;
    let balance = books::payable(tx, payout.provider_id, &payout.currency).await?;
    let unpaid = payouts::unpaid(tx, payout.provider_id, &payout.currency).await?;
    (payout.paid, payout.recovered) = recover(payout.amount, balance, unpaid);
    payout.transfers += 1;
    payout.state = payout.state.transition(Event::Pay)?;
    payout.reason = String::new();
    if payout.paid == 0 {
        // All of it evens out what the provider owes.
        paid(tx, &mut payout).await?;
    } else {
        let name = format!("transfer:{}", payout.transfers);
        payout.transfer_id = Some(Id::<Payout>::derived(payout.id.uuid(), &name).uuid());
        ask_again(tx, &payout).await?;
    }
    let payout = payouts::save(tx, payout).await?;
    Ok(Some(payout).filter(|payout| payout.state == State::Paying))
}

/// The timer asks again when no answer comes: ever later, up to a minute after the last time.
async fn ask_again(tx: &Tx, payout: &Payout) -> Result<(), Error> {
    let since = (tx.now() - payout.updated_at).num_seconds().clamp(0, 60);
    let tries = i32::try_from(since.checked_ilog2().unwrap_or_default()).unwrap_or_default();
    Ok(timers::schedule(tx, PAYOUT, payout.id.uuid(), tx.now() + backoff(tries)).await?)
}

/// Writes down what became of a transfer. An answer about an earlier transfer changes nothing.
pub(super) async fn conclude(
    tx: &Tx,
    id: PayoutId,
    reference: Uuid,
    answer: Answer,
) -> Result<(), Error> {
    let mut payout = payouts::lock(tx, id).await?;
    if payout.transfer_id != Some(reference) {
        return Ok(());
    }
    match (answer.signal, payout.state) {
        (Signal::Succeeded, State::Paying) => {
            books::post(tx, &[journal(&payout)]).await?;
            paid(tx, &mut payout).await?;
        }
        (Signal::Declined, State::Paying | State::Paid) => {
            if payout.state == State::Paid {
                // The bank sent the money back.
                books::post(tx, &[journal(&payout).reversal()]).await?;
            }
            payout.state = payout.state.transition(Event::Fail)?;
            payout.reason = answer.reason;
            (payout.paid, payout.recovered, payout.paid_at) = (0, 0, None);
            timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
            let amount = payout.amount;
            events::payout(tx, &mut payout, events::PAYOUT_FAILED, amount).await?;
        }
        _ => return Ok(()),
    }
    payouts::save(tx, payout).await.map(drop)
}

async fn paid(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    payout.state = payout.state.transition(Event::Paid)?;
    payout.paid_at = Some(tx.now());
    timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
    let amount = payout.paid;
    events::payout(tx, payout, events::PAYOUT_PAID, amount).await
}

fn journal(payout: &Payout) -> ledger::Journal {
    ledger::payout(
        payout.id,
        payout.transfers,
        payout.order_id,
        payout.provider_id,
        &payout.currency,
        payout.paid,
    )
}
