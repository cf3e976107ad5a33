//! What follows from the new state of an attempt: for the payment, the ledger and the provider's payout.

use super::{
    DUE, PAYOUT, SETTLE,
    claims::split_by_claims,
    holds::freeze,
    secure::{capture_instead, replace_hold, watch_hold},
    void::close_beyond_cap_dues,
};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent, Payout, PayoutId, ProviderId,
        attempt::{AttemptKind, State},
        card_hold::{card_holds, spread_refund},
        chargeback,
        commission::Split,
        intent,
        ledger::{self, Account, GivenBack},
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
        (AttemptKind::Raise, State::Succeeded) => record_raised(tx, intent, attempt).await,
        (AttemptKind::Renew, State::Succeeded) => replace_hold(tx, intent, attempt).await,
        (AttemptKind::Raise | AttemptKind::Renew, State::ConfirmationRequired) => {
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

/// The customer is to confirm what is asked for without them: it is given up.
async fn give_up_confirmation(
    tx: &Tx,
    intent: &Intent,
    attempt: &mut Attempt,
) -> Result<(), Error> {
    attempt.give_up();
    "AUTHENTICATION_REQUIRED".clone_into(&mut attempt.reason);
    attempt.confirmation_url.clear();
    match attempt.kind {
        AttemptKind::Renew => capture_instead(tx, intent, attempt).await,
        AttemptKind::Authorize
        | AttemptKind::Raise
        | AttemptKind::Capture
        | AttemptKind::Refund => Ok(()),
    }
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

/// Sets money aside and opens its refund: a part of it for each hold that bears it. Returns the first part.
pub(super) async fn open_refund(
    tx: &Tx,
    intent: &mut Intent,
    key: &str,
    amount: i64,
    reason: &str,
) -> Result<Attempt, Error> {
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let mut in_escrow = escrow_left(tx, intent, &known).await?.max(0);
    intent.reserve_refund(amount)?;
    let mut holds = card_holds(&known);
    for taken in chargebacks::list_of_intent(tx, intent.id).await? {
        if taken.state != chargeback::State::Won
            && let Some(hold) = holds.iter_mut().find(|hold| hold.id == taken.charge_id)
        {
            hold.refunded += taken.amount;
        }
    }
    let shares = spread_refund(&holds, amount);
    let shares = shares.ok_or_else(|| kit::Error::internal("more is refunded than was taken"))?;
    let mut first: Option<Attempt> = None;
    for (number, (hold, share)) in shares.into_iter().enumerate() {
        let key = if number == 0 { key.to_owned() } else { format!("{key}/{number}") };
        let mut refund = intent.step(hold, AttemptKind::Refund, &key, share, tx.now());
        reason.clone_into(&mut refund.note);
        refund.part_of = first.as_ref().map(|first| first.id);
        refund.from_escrow = share.min(in_escrow);
        in_escrow -= refund.from_escrow;
        attempts::insert_attempt(tx, &refund).await?;
        first.get_or_insert(refund);
    }
    first.ok_or_else(|| kit::Error::internal("a refund of nothing").into())
}

/// What the escrow of an order holds and no refund takes: what is not split yet, or was captured beyond that. What pays a
/// due is earned at once.
pub(super) async fn escrow_left(tx: &Tx, intent: &Intent, known: &[Attempt]) -> Result<i64, Error> {
    if intent.pays_due() && !intent.is_closed() {
        return Ok(0);
    }
    let account = Account::Escrow(intent.order());
    let balance = journals::balance_of(tx, account, &intent.currency).await?;
    let refunds = known
        .iter()
        .filter(|attempt| attempt.kind == AttemptKind::Refund && attempt.state.is_open());
    Ok(balance - refunds.map(|refund| refund.from_escrow).sum::<i64>())
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

/// Gives back what a closed payment still has. While the customer's bank looks at a dispute that waits, so that nothing
/// is given back twice.
pub(super) async fn refund_rest_of_closed(tx: &Tx, intent: &mut Intent) -> Result<(), Error> {
    let left = intent.refundable();
    if left == 0 || chargebacks::is_any_open(tx, intent.id).await? {
        return Ok(());
    }
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let before = known.iter().filter(|attempt| attempt.kind == AttemptKind::Refund).count();
    let key = if before == 0 { "void".to_owned() } else { format!("void:{before}") };
    open_refund(tx, intent, &key, left, "CLOSED").await?;
    Ok(timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
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

/// Takes the parts of a refund back from everyone who earned: the provider's from the payout while it is not made.
async fn record_refunded(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let (provider, back) = give_back(tx, intent, attempt.from_escrow, attempt.amount).await?;
    let (order, currency) = (intent.order(), &intent.currency);
    let journal = ledger::refund_journal(attempt.id, order, provider, currency, back);
    journals::post_journal(tx, &[journal]).await?;
    take_from_payouts(tx, intent, back.parts.payable).await?;
    let is_settled = intent.state == intent::State::Captured;
    if is_settled && intent.refundable() == 0 && !intent.pays_due() {
        // An order whose money all went back owes nothing beyond it.
        close_beyond_cap_dues(tx, intent, "REFUNDED").await?;
    }
    events::payment_event(tx, intent, events::REFUNDED, attempt.amount, &attempt.note).await
}

/// Has `amount` given back: `escrow` of it by the escrow, the rest by those who earned. Returns the provider who earned
/// and what each gives.
pub(super) async fn give_back(
    tx: &Tx,
    intent: &Intent,
    escrow: i64,
    amount: i64,
) -> Result<(Option<ProviderId>, GivenBack), Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let mut back = GivenBack { escrow, parts: Split::default() };
    if escrow == amount {
        return Ok((capture.and_then(|capture| capture.provider_id), back));
    }
    let mut capture = capture.ok_or_else(|| kit::Error::internal("nobody has earned anything"))?;
    back.parts = capture.take_back(amount - escrow);
    captures::save_capture(tx, &capture).await?;
    Ok((capture.provider_id, back))
}

/// A refund that had succeeded came back: all who earned have their part again, and the escrow its own.
async fn refund_came_back(tx: &Tx, intent: &mut Intent, attempt: &Attempt) -> Result<(), Error> {
    let mut capture = captures::find_capture(tx, intent.id).await?;
    let provider = capture.as_ref().and_then(|capture| capture.provider_id);
    let order = intent.order();
    let currency = intent.currency.clone();
    let none = ledger::refund_journal(attempt.id, order, provider, &currency, GivenBack::default());
    let posted = journals::list_entries(tx, &none.reference).await?;
    let parts = Split {
        payable: provider.map_or(0, |provider| {
            -journals::amount_of(&posted, Account::Payable(provider), &currency)
        }),
        commission: -journals::amount_of(&posted, Account::Commission, &currency),
        vat: -journals::amount_of(&posted, Account::Vat, &currency),
    };
    let back = GivenBack { escrow: attempt.from_escrow, parts };
    let journal = ledger::refund_journal(attempt.id, order, provider, &currency, back);
    journals::post_journal(tx, &[journal.reversal()]).await?;
    if let Some(capture) = &mut capture {
        capture.give_back(parts);
        captures::save_capture(tx, capture).await?;
    }
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
