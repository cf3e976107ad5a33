//! What follows from the new state of an attempt: for the payment, the ledger and the provider's payout.

use super::{
    DUE, PAYOUT, SETTLE,
    claims::split_by_claims,
    giving_back::{record_refunded, refund_came_back},
    holds::freeze,
    secure::{capture_instead, replace_hold, watch_hold},
};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent, Payout, PayoutId,
        attempt::{AttemptKind, State},
        card_hold::card_holds,
        due, ledger,
    },
    events,
    repository::{attempts, captures, dues, holds, journals, payouts},
};
use kit::{Tx, messaging::timers};

/// Does what follows from the state that an attempt has come to from `before`. The caller saves payment and attempt.
pub(super) async fn take_effect(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &mut Attempt,
    before: State,
) -> Result<(), Error> {
    match (attempt.kind, attempt.state) {
        (AttemptKind::Authorize, State::Succeeded) => record_authorized(tx, intent, attempt).await,
        (AttemptKind::Authorize, State::Failed | State::Abandoned) if before.is_open() => {
            events::payment_event(tx, intent, events::FAILED, attempt.amount, &attempt.reason).await
        }
        (AttemptKind::Authorize, State::Returned) => {
            events::payment_event(tx, intent, events::LATE_REFUNDED, attempt.amount, "").await
        }
        (AttemptKind::Raise, State::Succeeded) => record_raised(tx, intent, attempt).await,
        (AttemptKind::Renew, State::Succeeded) => replace_hold(tx, intent, attempt).await,
        (AttemptKind::Renew, State::ConfirmationRequired) => {
            give_up_confirmation(tx, intent, attempt).await
        }
        (AttemptKind::Renew, State::Failed | State::Abandoned) if before.is_open() => {
            capture_instead(tx, intent, attempt).await
        }
        (AttemptKind::Capture, State::Succeeded) => record_captured(tx, intent, attempt).await,
        (AttemptKind::Capture, State::Failed) => capture_failed(tx, intent, attempt).await,
        (AttemptKind::Refund, State::Succeeded) => record_refunded(tx, intent, attempt).await,
        (AttemptKind::Refund, State::Failed) => {
            intent.refunded -= attempt.amount;
            events::payment_event(
                tx,
                intent,
                events::REFUND_FAILED,
                attempt.amount,
                &attempt.reason,
            )
            .await
        }
        (AttemptKind::Refund, State::Reversed) => refund_came_back(tx, intent, attempt).await,
        (
            AttemptKind::Authorize
            | AttemptKind::Raise
            | AttemptKind::Renew
            | AttemptKind::Capture
            | AttemptKind::Refund,
            State::Unknown
            | State::ConfirmationRequired
            | State::Pending
            | State::Failed
            | State::Abandoned
            | State::Returning
            | State::Returned
            | State::Releasing
            | State::Released
            | State::Reversed,
        ) => Ok(()),
    }
}

/// Has the timer ask again.
pub(super) async fn schedule_next_try(tx: &Tx, attempt: &mut Attempt) -> Result<(), Error> {
    let next = attempt.schedule_next_try(tx.now());
    if attempt.is_alarming() {
        tracing::error!(
            attempt.id = %attempt.id,
            attempt.state = ?attempt.state,
            "the payment provider stays silent; it is asked again every minute"
        );
    }
    Ok(timers::schedule_timer(tx, SETTLE, attempt.intent_id.uuid(), next).await?)
}

async fn record_authorized(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &mut Attempt,
) -> Result<(), Error> {
    if intent.pays_due() && !is_still_owed(tx, intent, attempt).await? {
        attempt.give_up();
        "DUE_CHANGED".clone_into(&mut attempt.reason);
        return Ok(());
    }
    if let Err(error) = intent.authorize(attempt) {
        tracing::error!(%error, attempt.id = %attempt.id, "an authorisation came too late; it goes back");
        attempt.give_up();
        return Ok(());
    }
    if intent.pays_due() {
        return open_due_capture(tx, intent, attempt).await;
    }
    watch_hold(tx, intent, attempt).await?;
    events::payment_event(tx, intent, events::AUTHORIZED, attempt.amount, "").await
}

/// Whether a due is still owed as `charge` was to pay it. It may have been waived or lowered since; the next attempt asks
/// for what is owed then.
async fn is_still_owed(tx: &Tx, intent: &mut Intent, charge: &Attempt) -> Result<bool, Error> {
    let due = dues::lock(tx, intent.due_id()).await?;
    if due.state == due::State::Open {
        intent.amount = due.amount;
    }
    Ok(due.state == due::State::Open && due.amount == charge.amount)
}

/// More is reserved. A second hold that is not needed any more is freed.
async fn record_raised(tx: &Tx, intent: &mut Intent, attempt: &mut Attempt) -> Result<(), Error> {
    let is_needed = intent.increment(attempt.amount);
    if !attempt.separate {
        return Ok(());
    }
    if is_needed {
        return watch_hold(tx, intent, attempt).await;
    }
    attempt.give_up();
    Ok(())
}

/// The customer is to confirm what is reserved anew without them: it is given up, and the money is taken instead.
async fn give_up_confirmation(
    tx: &Tx,
    intent: &Intent,
    attempt: &mut Attempt,
) -> Result<(), Error> {
    attempt.give_up();
    "AUTHENTICATION_REQUIRED".clone_into(&mut attempt.reason);
    attempt.confirmation_url.clear();
    capture_instead(tx, intent, attempt).await
}

/// What a customer owes is captured as soon as it is authorised, and split as the order's capture was to be, or as was
/// planned for what lies beyond it.
async fn open_due_capture(tx: &Tx, intent: &Intent, charge: &Attempt) -> Result<(), Error> {
    let key = format!("capture:{}", charge.key);
    let attempt = intent.step(charge.id, AttemptKind::Capture, &key, charge.amount, tx.now());
    let due = dues::lock(tx, intent.due_id()).await?;
    let capture = match &due.beyond_cap {
        Some(plan) => Capture::of_beyond_cap(&due, plan, intent.id, attempt.id),
        None => {
            let declined = captures::find_capture(tx, due.intent_id).await?;
            let declined =
                declined.ok_or_else(|| kit::Error::internal("a due without a capture"))?;
            declined.for_due(intent.id, attempt.id)
        }
    };
    captures::upsert(tx, capture).await?;
    attempts::insert_attempt(tx, &attempt).await?;
    Ok(timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
}

/// Money has arrived in the escrow of the order. The capture goes on then, or the money waits for it; when the payment was
/// closed meanwhile, it goes back.
async fn record_captured(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    intent.take(attempt.amount);
    if intent.pays_due() && !intent.is_closed() {
        intent.complete_capture()?;
        return due_captured(tx, intent, attempt).await;
    }
    let (order, currency) = (intent.order(), &intent.currency);
    let journals = ledger::captured(attempt.id, order, currency, attempt.amount, attempt.fee);
    journals::post_journal(tx, &journals).await?;
    if intent.is_closed() {
        events::payment_event(tx, intent, events::CAPTURED, attempt.amount, "").await?;
    }
    Ok(())
}

/// The customer has paid what was owed, so that it is earned.
async fn due_captured(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a capture without its plan"))?;
    capture.split_at = Some(tx.now());
    captures::save_capture(tx, &capture).await?;
    let mut due = dues::lock(tx, intent.due_id()).await?;
    due.pay()?;
    let journals = ledger::due_paid(
        attempt.id,
        due.order_id,
        due.customer_id,
        capture.provider_id,
        &intent.currency,
        capture.parts(),
        attempt.fee,
    );
    journals::post_journal(tx, &journals).await?;
    dues::save(tx, &mut due).await?;
    events::due(tx, intent, &due, events::DUE_PAID).await?;
    schedule_payout(tx, intent, &capture).await
}

/// Gives up all that is reserved and not captured, and what may be reserved still. What is just being captured is left
/// alone: its success is refunded or split, its failure frees it.
pub(super) async fn release_holds(
    tx: &Tx,
    intent: &Intent,
    known: &[Attempt],
    reason: &str,
) -> Result<(), Error> {
    let holds = card_holds(known);
    let mut is_any_given_up = false;
    for attempt in known {
        let is_captured = holds.iter().any(|hold| hold.id == attempt.id && !hold.is_free());
        let is_raise_asked = attempt.kind == AttemptKind::Raise && attempt.state.is_open();
        if is_captured || !(attempt.makes_hold() || is_raise_asked) {
            continue;
        }
        let mut attempt = attempt.clone();
        if attempt.give_up() {
            if !reason.is_empty() {
                reason.clone_into(&mut attempt.reason);
            }
            attempts::save_attempt(tx, &mut attempt).await?;
            is_any_given_up = true;
        }
    }
    if is_any_given_up {
        timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    }
    Ok(())
}

pub(super) async fn schedule_payout(
    tx: &Tx,
    intent: &Intent,
    capture: &Capture,
) -> Result<(), Error> {
    let id = PayoutId::new(tx.clock());
    let Some(mut payout) = Payout::schedule(id, intent, capture, tx.now()) else { return Ok(()) };
    let amount = payout.amount;
    events::payout_event(tx, &mut payout, events::PAYOUT_SCHEDULED, amount).await?;
    insert_payout(tx, &mut payout).await?;
    split_by_claims(tx, payout.order_id).await
}

/// Inserts a new payout, which waits for its time or for the end of what holds it.
pub(super) async fn insert_payout(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    if !payouts::insert_payout(tx, payout).await? {
        return Err(kit::Error::internal("the order was paid out before").into());
    }
    schedule_or_freeze(tx, payout).await
}

pub(super) async fn schedule_or_freeze(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    match holds::lock_if_any(tx, payout).await? {
        false => Ok(timers::schedule_timer(tx, PAYOUT, payout.id.uuid(), payout.due_at).await?),
        true => freeze(tx, payout).await,
    }
}

/// The card refused what it had reserved, and frees it. What follows for the capture is decided with its other holds; the
/// payment of a due opens again, so that another card may pay it.
async fn capture_failed(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let is_asked_for = intent.is_closed() || captures::find_capture(tx, intent.id).await?.is_some();
    if is_asked_for {
        events::payment_event(tx, intent, events::FAILED, attempt.amount, &attempt.reason).await?;
    } else {
        tracing::warn!(
            payment.id = %intent.id,
            reason = %attempt.reason,
            "money that was about to run out could not be captured; the customer owes it once the work is paid"
        );
    }
    if intent.pays_due() && !intent.is_closed() {
        intent.decline_capture()?;
    }
    if let Some(hold) = attempt.charge_id
        && let Some(mut hold) = attempts::find_attempt(&**tx, hold).await?
        && hold.give_up()
    {
        hold.reason.clone_from(&attempt.reason);
        schedule_next_try(tx, &mut hold).await?;
        attempts::save_attempt(tx, &mut hold).await?;
    }
    Ok(())
}

/// Writes down what a customer owes, posts it, and has it collected when it falls due.
pub(super) async fn insert_due(tx: &Tx, intent: &mut Intent, due: &Due) -> Result<(), Error> {
    dues::insert(tx, due).await?;
    timers::schedule_timer(tx, DUE, due.id.uuid(), due.due_at).await?;
    let (order, customer) = (due.order_id, due.customer_id);
    let journal = ledger::due(due.id, order, customer, &due.currency, due.amount);
    journals::post_journal(tx, &[journal]).await?;
    events::due(tx, intent, due, events::DUE_CREATED).await
}
