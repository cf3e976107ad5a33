//! What follows from the new state of an attempt: for the payment, the ledger and the provider's payout.

use super::{
    DUE, PAYOUT, SETTLE, claims::split_by_claims, holds::freeze, void::close_beyond_cap_due,
};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent, Payout, PayoutId,
        attempt::{AttemptKind, State},
        commission::Split,
        intent,
        ledger::{self, Account},
        payout,
    },
    events,
    repository::{attempts, captures, chargebacks, dues, holds, journals, payouts},
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
        (AttemptKind::Raise, State::Succeeded) => {
            intent.increment(attempt.amount);
            Ok(())
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
    if let Err(error) = intent.authorize(attempt) {
        tracing::error!(%error, attempt.id = %attempt.id, "an authorisation came too late; it goes back");
        attempt.give_up();
        return Ok(());
    }
    if intent.pays_due() {
        return open_due_capture(tx, intent, attempt).await;
    }
    events::payment_event(tx, intent, events::AUTHORIZED, attempt.amount, "").await
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

/// Splits captured money in the ledger and schedules the payout. When the payment was closed meanwhile, all of it goes
/// back.
async fn record_captured(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let capture = capture.ok_or_else(|| kit::Error::internal("a capture without its plan"))?;
    intent.capture(capture.amount)?;
    if intent.pays_due() && !intent.is_closed() {
        return due_captured(tx, intent, attempt, &capture).await;
    }
    let journals = ledger::capture_journal(
        attempt.id,
        intent.order(),
        capture.provider_id,
        &intent.currency,
        capture.parts(),
        attempt.fee,
    );
    journals::post_journal(tx, &journals).await?;
    events::payment_event(tx, intent, events::CAPTURED, capture.amount, "").await?;
    if !intent.is_closed() {
        return schedule_payout(tx, intent, &capture).await;
    }
    refund_rest_of_closed(tx, intent).await
}

/// The customer has paid what was owed, so that it is earned.
async fn due_captured(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &Attempt,
    capture: &Capture,
) -> Result<(), Error> {
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
    schedule_payout(tx, intent, capture).await
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
    let mut refund = intent.step(charge.id, AttemptKind::Refund, key, amount, tx.now());
    reason.clone_into(&mut refund.note);
    attempts::insert_attempt(tx, &refund).await?;
    Ok(refund)
}

/// Gives back what a closed payment still has. While the customer's bank looks at a dispute that waits, so that nothing
/// is given back twice.
pub(super) async fn refund_rest_of_closed(tx: &Tx, intent: &mut Intent) -> Result<(), Error> {
    let left = intent.refundable();
    if left == 0 || chargebacks::is_any_open(tx, intent.id).await? {
        return Ok(());
    }
    open_refund(tx, intent, "void", left, "CLOSED").await?;
    Ok(timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
}

async fn schedule_payout(tx: &Tx, intent: &Intent, capture: &Capture) -> Result<(), Error> {
    let id = PayoutId::new(tx.clock());
    let Some(mut payout) = Payout::schedule(id, intent, capture, tx.now()) else { return Ok(()) };
    events::payout_event(tx, &mut payout, events::PAYOUT_SCHEDULED, capture.payable).await?;
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

/// The customer owes what the card refused. What the card has reserved is freed, since another payment takes its place
/// or, when the payment was closed meanwhile, none does.
async fn capture_failed(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    events::payment_event(tx, intent, events::FAILED, attempt.amount, &attempt.reason).await?;
    if !intent.is_closed() {
        intent.decline_capture()?;
        if !intent.pays_due() {
            open_due(tx, intent, &attempt.reason).await?;
        }
    }
    if let Some(charge) = attempt.charge_id
        && let Some(mut charge) = attempts::find_attempt(&**tx, charge).await?
        && charge.give_up()
    {
        charge.reason.clone_from(&attempt.reason);
        schedule_next_try(tx, &mut charge).await?;
        attempts::save_attempt(tx, &mut charge).await?;
    }
    Ok(())
}

/// Writes down what the customer of an order owes: nothing of it is earned before it is paid.
async fn open_due(tx: &Tx, intent: &mut Intent, reason: &str) -> Result<(), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let capture = capture.ok_or_else(|| kit::Error::internal("a capture without its plan"))?;
    let due = Due::open(intent, &capture, reason, tx.now());
    let due = due.ok_or_else(|| kit::Error::internal("a capture without a customer"))?;
    insert_due(tx, intent, &due).await
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

/// Takes the parts of a refund back from everyone who earned: the provider's from the payout while it is not made.
async fn record_refunded(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a refund without a capture"))?;
    let parts = capture.take_back(attempt.amount);
    captures::save_capture(tx, &capture).await?;
    let (order, provider) = (intent.order(), capture.provider_id);
    let journal = ledger::refund_journal(attempt.id, order, provider, &intent.currency, parts);
    journals::post_journal(tx, &[journal]).await?;
    take_from_payouts(tx, intent, parts.payable).await?;
    if intent.refundable() == 0 && !intent.pays_due() {
        // An order whose money all went back owes nothing beyond it.
        close_beyond_cap_due(tx, intent, "REFUNDED").await?;
    }
    events::payment_event(tx, intent, events::REFUNDED, attempt.amount, &attempt.note).await
}

/// A refund that had succeeded came back: all who earned have their part again.
async fn refund_came_back(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a refund without a capture"))?;
    let (order, provider) = (intent.order(), capture.provider_id);
    let currency = intent.currency.clone();
    let none = ledger::refund_journal(attempt.id, order, provider, &currency, Split::default());
    let posted = journals::list_entries(tx, &none.reference).await?;
    let parts = Split {
        payable: provider.map_or(0, |provider| {
            -journals::amount_of(&posted, Account::Payable(provider), &currency)
        }),
        commission: -journals::amount_of(&posted, Account::Commission, &currency),
        vat: -journals::amount_of(&posted, Account::Vat, &currency),
    };
    let journal = ledger::refund_journal(attempt.id, order, provider, &currency, parts);
    journals::post_journal(tx, &[journal.reversal()]).await?;
    capture.give_back(parts);
    captures::save_capture(tx, &capture).await?;
    intent.refunded -= attempt.amount;
    give_to_payouts(tx, intent, parts.payable).await?;
    events::payment_event(tx, intent, events::REFUND_FAILED, attempt.amount, &attempt.reason).await
}

/// Gives a provider back what a refund had taken. When the payout was made before, the next payouts may have been kept
/// back for the refund: what they made up for is paid by a payout of its own.
async fn give_to_payouts(tx: &Tx, intent: &Intent, amount: i64) -> Result<(), Error> {
    let payouts = payouts::lock_of_intent(tx, intent.id).await?;
    let Some(first) = payouts.first().cloned() else { return Ok(()) };
    for mut payout in payouts {
        let state = payout.state;
        if payout.give_back(amount) {
            payouts::save_payout(tx, &mut payout).await?;
            if state == payout::State::Cancelled {
                return schedule_or_freeze(tx, &mut payout).await;
            }
            return Ok(());
        }
    }
    journals::lock_payable(tx, first.provider_id, &first.currency).await?;
    let balance = journals::payable_balance(tx, first.provider_id, &first.currency).await?;
    let unpaid = payouts::sum_unpaid(tx, first.provider_id, &first.currency).await?;
    let surplus = (balance - unpaid).clamp(0, amount);
    if surplus == 0 {
        return Ok(());
    }
    let mut correction = Payout::correction(PayoutId::new(tx.clock()), &first, surplus, tx.now());
    events::payout_event(tx, &mut correction, events::PAYOUT_SCHEDULED, surplus).await?;
    insert_payout(tx, &mut correction).await
}

/// Takes a part of what was earned back from payouts that are not made yet; the ledger keeps the rest as a debt.
pub(super) async fn take_from_payouts(tx: &Tx, intent: &Intent, amount: i64) -> Result<(), Error> {
    let mut to_take = amount;
    for mut payout in payouts::lock_of_intent(tx, intent.id).await? {
        let taken = payout.take_back(to_take);
        if taken == 0 {
            continue;
        }
        to_take -= taken;
        if payout.state == payout::State::Cancelled {
            timers::cancel_timer(tx, PAYOUT, payout.id.uuid()).await?;
        }
        payouts::save_payout(tx, &mut payout).await?;
    }
    Ok(())
}
