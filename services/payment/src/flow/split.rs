//! The capture of an order, step by step: what is missing is taken from one hold after another, the oldest first. Then it is
//! split among those who earn, and what is reserved beyond it is freed.

use super::{
    SETTLE,
    attempt::open_step,
    effects::{insert_due, release_holds, schedule_payout},
    giving_back::{escrow_left, open_refund},
};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent,
        attempt::{AttemptKind, State},
        card_hold::{Captured, CardHold, card_holds},
        commission::Split,
        intent, ledger,
    },
    events,
    repository::{attempts, captures, chargebacks, journals},
};
use kit::{Tx, messaging::timers};

/// The key of the refund of what was captured before it was known how much would be earned.
const EXCESS: &str = "excess";

/// Goes on with a capture that was asked for: once that is written down, and after each outcome of a step. The caller
/// saves the payment.
pub(super) async fn advance_capture(tx: &Tx, intent: &mut Intent) -> Result<(), Error> {
    if intent.state != intent::State::Authorized || intent.pays_due() {
        return Ok(());
    }
    let Some(plan) = captures::find_capture(tx, intent.id).await? else { return Ok(()) };
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let holds = card_holds(&known);
    if holds.iter().any(|hold| hold.capture == Captured::Asked) {
        return Ok(());
    }
    let missing = plan.amount - intent.captured;
    match holds.iter().find(|hold| hold.is_free()) {
        Some(hold) if missing > 0 => capture_hold(tx, intent, hold, &known, missing).await,
        Some(_) | None => conclude_capture(tx, intent, plan, &known).await,
    }
}

/// Takes up to `most` of a hold. The caller sends the attempt; when its process dies first, the sweep finds it.
async fn capture_hold(
    tx: &Tx,
    intent: &Intent,
    hold: &CardHold,
    known: &[Attempt],
    most: i64,
) -> Result<(), Error> {
    let is_first = !known.iter().any(|attempt| attempt.kind == AttemptKind::Capture);
    let key = if is_first { "capture".to_owned() } else { format!("capture:{}", hold.id) };
    let amount = most.min(hold.amount);
    open_step(tx, intent, hold.id, AttemptKind::Capture, &key, amount).await.map(drop)
}

/// Nothing more can be taken, or need be: what was taken is split, and what was not is owed.
async fn conclude_capture(
    tx: &Tx,
    intent: &mut Intent,
    mut plan: Capture,
    known: &[Attempt],
) -> Result<(), Error> {
    let refused = known
        .iter()
        .rfind(|attempt| attempt.kind == AttemptKind::Capture && attempt.state == State::Failed);
    let reason = refused.map_or("AUTHORIZATION_EXPIRED", |attempt| &attempt.reason);
    if intent.captured == 0 && plan.amount > 0 {
        intent.decline_capture()?;
        open_due(tx, intent, Due::open(intent, &plan, reason, tx.now())).await?;
    } else {
        if intent.captured < plan.amount {
            let rest = plan.owe_rest(intent.captured);
            let due = Due::open_uncaptured(intent, &plan, rest, reason, tx.now());
            open_due(tx, intent, due).await?;
        }
        split_captured(tx, intent, &mut plan).await?;
    }
    release_holds(tx, intent, known, reason).await
}

/// Writes down what the customer of an order owes: nothing of it is earned before it is paid.
async fn open_due(tx: &Tx, intent: &mut Intent, due: Option<Due>) -> Result<(), Error> {
    let due = due.ok_or_else(|| kit::Error::internal("a capture without a customer"))?;
    insert_due(tx, intent, &due).await
}

/// Splits what waits in the escrow of an order. What a refund or the customer's bank took of it before is borne by those
/// who earn, unless more was captured than they earn.
async fn split_captured(tx: &Tx, intent: &mut Intent, plan: &mut Capture) -> Result<(), Error> {
    let left = escrow_left(tx, intent).await?;
    let gone = plan.take_back((plan.amount - left).max(0));
    let whole = plan.parts();
    let parts = Split {
        payable: whole.payable - gone.payable,
        commission: whole.commission - gone.commission,
        vat: whole.vat - gone.vat,
    };
    let (order, provider) = (intent.order(), plan.provider_id);
    let journal = ledger::completed(plan.attempt_id, order, provider, &intent.currency, parts);
    journals::post_journal(tx, journal.as_slice()).await?;
    plan.split_at = Some(tx.now());
    captures::save_capture(tx, plan).await?;
    intent.complete_capture()?;
    events::payment_event(tx, intent, events::CAPTURED, plan.amount, "").await?;
    schedule_payout(tx, intent, plan).await?;
    return_excess(tx, intent).await
}

/// Gives back what is left in the escrow of an order after the split. While the customer's bank looks at a dispute that
/// waits, so that nothing is given back twice.
pub(super) async fn return_excess(tx: &Tx, intent: &mut Intent) -> Result<(), Error> {
    let left = escrow_left(tx, intent).await?.min(intent.refundable());
    let was_asked =
        attempts::find_step(&**tx, intent.id, AttemptKind::Refund, EXCESS).await?.is_some();
    if left <= 0 || was_asked || chargebacks::is_any_open(tx, intent.id).await? {
        return Ok(());
    }
    open_refund(tx, intent, EXCESS, left, "NOT_NEEDED").await?;
    Ok(timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
}
