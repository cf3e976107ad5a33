//! What follows from the new state of an attempt: for the payment, the ledger and the provider's payout.

use super::{PAYOUT, SETTLE};
use crate::{
    domain::{
        Attempt, Capture, Error, Intent, Payout, PayoutId,
        attempt::{Kind, State},
        intent, ledger, payout,
    },
    events,
    repository::{attempts, captures, journals, payouts},
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
        (Kind::Authorize, State::Succeeded) => authorized(tx, intent, attempt).await,
        (Kind::Authorize, State::Failed | State::Abandoned) if before.is_open() => {
            events::payment(tx, intent, events::FAILED, attempt.amount, &attempt.reason).await
        }
        (Kind::Authorize, State::Returned) => {
            events::payment(tx, intent, events::LATE_REFUNDED, attempt.amount, "").await
        }
        (Kind::Raise, State::Succeeded) => {
            intent.increment(attempt.amount);
            Ok(())
        }
        (Kind::Capture, State::Succeeded) => captured(tx, intent, attempt).await,
        (Kind::Capture, State::Failed) => capture_failed(tx, intent, attempt).await,
        (Kind::Refund, State::Succeeded) => refunded(tx, intent, attempt).await,
        (Kind::Refund, State::Failed) => {
            intent.refunded -= attempt.amount;
            events::payment(tx, intent, events::FAILED, attempt.amount, "REFUND_DECLINED").await
        }
        (
            Kind::Authorize | Kind::Raise | Kind::Capture | Kind::Refund,
            State::Unknown
            | State::ConfirmationRequired
            | State::Pending
            | State::Failed
            | State::Abandoned
            | State::Returning
            | State::Returned
            | State::Releasing
            | State::Released,
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
    Ok(timers::schedule(tx, SETTLE, attempt.intent_id.uuid(), next).await?)
}

async fn authorized(tx: &Tx, intent: &mut Intent, attempt: &mut Attempt) -> Result<(), Error> {
    if let Err(error) = intent.authorize(attempt) {
        tracing::error!(%error, attempt.id = %attempt.id, "an authorisation came too late; it goes back");
        attempt.give_up();
        return Ok(());
    }
    events::payment(tx, intent, events::AUTHORIZED, attempt.amount, "").await
}

/// Splits captured money in the ledger and schedules the payout. When the payment was closed meanwhile, all of it goes
/// back.
async fn captured(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find(tx, intent.id).await?;
    let capture = capture.ok_or_else(|| kit::Error::internal("a capture without its plan"))?;
    intent.capture(capture.amount)?;
    let journals = ledger::capture(
        attempt.id,
        intent.order_id,
        capture.provider_id,
        &intent.currency,
        capture.parts(),
        attempt.fee,
    );
    journals::post(tx, &journals).await?;
    events::payment(tx, intent, events::CAPTURED, capture.amount, "").await?;
    if !intent.is_closed() {
        return schedule_payout(tx, intent, &capture).await;
    }
    open_refund(tx, intent, "void", capture.amount, "CLOSED").await?;
    Ok(timers::schedule(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
}

/// Sets money aside and opens its refund.
pub(super) async fn open_refund(
    tx: &Tx,
    intent: &mut Intent,
    key: &str,
    amount: i64,
    reason: &str,
) -> Result<Attempt, Error> {
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let charge = intent::find_charge(&known)?;
    intent.reserve_refund(amount)?;
    let mut refund = intent.step(charge.id, Kind::Refund, key, amount, tx.now());
    reason.clone_into(&mut refund.note);
    attempts::insert(tx, &refund).await?;
    Ok(refund)
}

async fn schedule_payout(tx: &Tx, intent: &Intent, capture: &Capture) -> Result<(), Error> {
    let id = PayoutId::new(tx.clock());
    let Some(mut payout) = Payout::schedule(id, intent, capture, tx.now()) else { return Ok(()) };
    events::payout(tx, &mut payout, events::PAYOUT_SCHEDULED, capture.payable).await?;
    if intent.frozen {
        payout.act(payout::Event::Freeze)?;
        events::payout(tx, &mut payout, events::PAYOUT_FROZEN, capture.payable).await?;
    } else {
        timers::schedule(tx, PAYOUT, payout.id.uuid(), payout.due_at).await?;
    }
    match payouts::insert(tx, &payout).await? {
        true => Ok(()),
        false => Err(kit::Error::internal("the order was paid out before").into()),
    }
}

/// The authorisation stands; when the payment was closed meanwhile, it goes back.
async fn capture_failed(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    events::payment(tx, intent, events::FAILED, attempt.amount, &attempt.reason).await?;
    if intent.is_closed()
        && let Some(charge) = attempt.charge_id
        && let Some(mut charge) = attempts::find(&**tx, charge).await?
    {
        charge.give_up();
        schedule_next_try(tx, &mut charge).await?;
        attempts::save(tx, &mut charge).await?;
    }
    Ok(())
}

/// Takes the parts of a refund back from everyone who earned: the provider's from the payout while it is not made.
async fn refunded(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a refund without a capture"))?;
    let parts = capture.take_back(attempt.amount);
    captures::save(tx, &capture).await?;
    let (order, provider) = (intent.order_id, capture.provider_id);
    let journal = ledger::refund(attempt.id, order, provider, &intent.currency, parts);
    journals::post(tx, &[journal]).await?;
    take_from_payouts(tx, intent, parts.payable).await?;
    events::payment(tx, intent, events::REFUNDED, attempt.amount, &attempt.note).await
}

async fn take_from_payouts(tx: &Tx, intent: &Intent, amount: i64) -> Result<(), Error> {
    let mut to_take = amount;
    for mut payout in payouts::lock_of_intent(tx, intent.id).await? {
        let taken = payout.take_back(to_take);
        if taken == 0 {
            continue;
        }
        to_take -= taken;
        if payout.state == payout::State::Cancelled {
            timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
        }
        payouts::save(tx, &mut payout).await?;
    }
    Ok(())
}
