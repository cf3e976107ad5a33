//! What an answer of the payment provider changes, whichever way it came: as a reply, by a poll or as an event.

use super::{PAYOUT, Payments, SETTLE, refund};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal, State, backoff},
        commission::Parts,
        intent, ledger, payout,
    },
    entity::{Attempt, AttemptId, Capture, Intent, IntentId, Payout, PayoutId, ProviderId, UserId},
    events,
    psp::Answer,
    repository::{attempts, intents, ledger as books, payouts},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Writes down an answer and what follows from it.
    pub(super) async fn apply(
        &self,
        intent: IntentId,
        attempt: AttemptId,
        answer: Answer,
    ) -> Result<(Intent, Attempt), Error> {
        self.db.write(move |tx| async move { apply(&tx, intent, attempt, answer).await }).await
    }
}

/// Writes down an answer and what follows from it. An answer that is older than what is known changes nothing.
pub(super) async fn apply(
    tx: &Tx,
    intent: IntentId,
    attempt: AttemptId,
    answer: Answer,
) -> Result<(Intent, Attempt), Error> {
    let mut intent = intents::lock(tx, intent).await?;
    let mut attempt = attempts::find(&**tx, attempt).await?.ok_or(Error::PaymentNotFound)?;
    let before = attempt.state;
    attempt.state = before.next(answer.signal);
    if attempt.state == before {
        if before.is_unsettled() {
            ask_again(tx, &mut attempt).await?;
            attempt = attempts::save(tx, attempt).await?;
        }
        return Ok((intent, attempt));
    }
    let Answer { signal: _, reason, confirmation_url, fee } = answer;
    attempt.confirmation_url = confirmation_url;
    attempt.fee = fee;
    if !reason.is_empty() {
        attempt.reason = reason;
    }
    take_effect(tx, &mut intent, &mut attempt, before).await?;
    if attempt.state.is_unsettled() {
        let urgent = !attempt.state.is_open();
        attempt.tries = if urgent { 0 } else { attempt.tries };
        ask_again(tx, &mut attempt).await?;
    }
    let attempt = attempts::save(tx, attempt).await?;
    let intent = intents::save(tx, intent).await?;
    Ok((intent, attempt))
}

/// Has the timer ask again; at once when it never did.
async fn ask_again(tx: &Tx, attempt: &mut Attempt) -> Result<(), Error> {
    let wait = match attempt.tries {
        0 if !attempt.state.is_open() => chrono::Duration::zero(),
        tries => backoff(tries),
    };
    attempt.tries += 1;
    if attempt.tries == 12 {
        tracing::error!(attempt.id = %attempt.id, state = ?attempt.state, "the payment provider stays silent");
    }
    Ok(timers::schedule(tx, SETTLE, attempt.intent_id.uuid(), tx.now() + wait).await?)
}

async fn take_effect(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &mut Attempt,
    before: State,
) -> Result<(), Error> {
    match (attempt.kind, attempt.state) {
        (Kind::Authorize, State::Succeeded) => authorized(tx, intent, attempt).await,
        (Kind::Authorize, State::Failed | State::Abandoned) if before.is_open() => {
            let reason = attempt.reason.clone();
            events::payment(tx, intent, events::FAILED, attempt.amount, &reason).await
        }
        (Kind::Authorize, State::Returned) => {
            events::payment(tx, intent, events::LATE_REFUNDED, attempt.amount, "").await
        }
        (Kind::Raise, State::Succeeded) if intent.state == intent::State::Authorized => {
            intent.authorized += attempt.amount;
            intent.amount += attempt.amount;
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
            | State::Succeeded
            | State::Failed
            | State::Abandoned
            | State::Returning
            | State::Returned
            | State::Releasing
            | State::Released,
        ) => Ok(()),
    }
}

async fn authorized(tx: &Tx, intent: &mut Intent, attempt: &mut Attempt) -> Result<(), Error> {
    match intent.state.transition(intent::Event::Authorize) {
        Ok(state) => {
            intent.state = state;
            intent.amount = attempt.amount;
            intent.authorized = attempt.amount;
            intent.method_id = attempt.method_id;
            events::payment(tx, intent, events::AUTHORIZED, attempt.amount, "").await
        }
        Err(error) => {
            // Nobody waits for this money any more.
            tracing::error!(%error, attempt.id = %attempt.id, "an authorisation came too late");
            attempt.state = attempt.state.next(Signal::GiveUp);
            Ok(())
        }
    }
}

/// Splits captured money in the ledger and schedules the payout. When the payment was closed meanwhile, all of it goes
/// back.
async fn captured(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = intents::capture(tx, intent.id).await?;
    let capture = capture.ok_or_else(|| kit::Error::internal("a capture without its plan"))?;
    let parts =
        Parts { payable: capture.payable, commission: capture.commission, vat: capture.vat };
    intent.captured = capture.amount;
    let closed = intent.state == intent::State::Closed;
    if !closed {
        intent.state = intent.state.transition(intent::Event::Capture)?;
    }
    let journals = ledger::capture(
        attempt.id,
        intent.order_id,
        capture.provider_id,
        &intent.currency,
        parts,
        attempt.fee,
    );
    books::post(tx, &journals).await?;
    events::payment(tx, intent, events::CAPTURED, capture.amount, "").await?;
    if closed {
        // The refund sets the amount aside in the row, so that it has to be there.
        *intent = intents::save(tx, intent.clone()).await?;
        refund::open(tx, intent, "void", capture.amount, "CLOSED").await?;
        timers::schedule(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    } else if let (Some(provider), Some(user)) = (capture.provider_id, capture.provider_user_id)
        && capture.payable > 0
    {
        schedule_payout(tx, intent, &capture, provider, user).await?;
    }
    Ok(())
}

async fn schedule_payout(
    tx: &Tx,
    intent: &Intent,
    capture: &Capture,
    provider: ProviderId,
    user: UserId,
) -> Result<(), Error> {
    let mut payout = Payout {
        id: PayoutId::new(tx.clock()),
        order_id: intent.order_id,
        intent_id: intent.id,
        provider_id: provider,
        provider_user_id: user,
        kind: capture.kind.clone(),
        currency: intent.currency.clone(),
        gross: capture.amount,
        amount: capture.payable,
        paid: 0,
        recovered: 0,
        state: if intent.frozen { payout::State::Frozen } else { payout::State::Scheduled },
        reason: String::new(),
        due_at: capture.payout_due_at,
        transfers: 0,
        transfer_id: None,
        version: 1,
        event_seq: 0,
        created_at: tx.now(),
        updated_at: tx.now(),
        paid_at: None,
    };
    events::payout(tx, &mut payout, events::PAYOUT_SCHEDULED, capture.payable).await?;
    if intent.frozen {
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
    let reason = attempt.reason.clone();
    events::payment(tx, intent, events::FAILED, attempt.amount, &reason).await?;
    if intent.state == intent::State::Closed
        && let Some(charge) = attempt.charge_id
        && let Some(mut charge) = attempts::find(&**tx, charge).await?
    {
        charge.state = charge.state.next(Signal::GiveUp);
        charge.tries = 0;
        ask_again(tx, &mut charge).await?;
        attempts::save(tx, charge).await?;
    }
    Ok(())
}

/// Takes the parts of a refund back from whoever got them: the provider's from the payout while it is not made.
async fn refunded(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = intents::capture(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a refund without a capture"))?;
    let left = Parts {
        payable: capture.payable - capture.payable_refunded,
        commission: capture.commission - capture.commission_refunded,
        vat: capture.vat - capture.vat_refunded,
    };
    let parts = left.share(attempt.amount);
    capture.payable_refunded += parts.payable;
    capture.commission_refunded += parts.commission;
    capture.vat_refunded += parts.vat;
    let provider = capture.provider_id;
    intents::save_capture(tx, capture).await?;
    let journal = ledger::refund(attempt.id, intent.order_id, provider, &intent.currency, parts);
    books::post(tx, &[journal]).await?;
    let mut to_take = parts.payable;
    for mut payout in payouts::lock_of(tx, intent.id).await? {
        let Ok(cancelled) = payout.state.transition(payout::Event::Cancel) else { continue };
        let taken = to_take.min(payout.amount);
        payout.amount -= taken;
        to_take -= taken;
        if payout.amount == 0 {
            payout.state = cancelled;
            timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
        }
        payouts::save(tx, payout).await?;
    }
    let reason = attempt.note.clone();
    events::payment(tx, intent, events::REFUNDED, attempt.amount, &reason).await
}
