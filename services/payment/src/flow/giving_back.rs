//! Giving money back: out of the escrow as far as it is not split, and from all who earned.

use super::{
    PAYOUT, SETTLE,
    claims::split_by_claims,
    effects::{insert_payout, schedule_or_freeze},
    void::close_beyond_cap_dues,
};
use crate::{
    domain::{
        Attempt, Error, Intent, Payout, PayoutId, ProviderId,
        attempt::AttemptKind,
        card_hold::{card_holds, spread_refund},
        chargeback,
        commission::Split,
        intent,
        ledger::{self, Account, GivenBack},
        payout,
    },
    events,
    repository::{attempts, captures, chargebacks, journals, payouts},
};
use kit::{Tx, messaging::timers};

/// Sets money aside and opens its refund: a part of it for each hold that bears it. Returns the first part.
pub(super) async fn open_refund(
    tx: &Tx,
    intent: &mut Intent,
    key: &str,
    amount: i64,
    reason: &str,
) -> Result<Attempt, Error> {
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let mut in_escrow = escrow_left(tx, intent).await?.max(0);
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

/// What the escrow of an order holds and no refund takes, of the order or of a due of it that was closed while it was being
/// captured: what is not split yet, or was captured beyond that.
pub(super) async fn escrow_left(tx: &Tx, intent: &Intent) -> Result<i64, Error> {
    if intent.pays_due() && !is_due_in_escrow(tx, intent).await? {
        return Ok(0);
    }
    let account = Account::Escrow(intent.order());
    let balance = journals::balance_of(tx, account, &intent.currency).await?;
    Ok(balance - attempts::sum_from_escrow(tx, intent.order()).await?)
}

/// Whether what pays a due is in the escrow of its order. It is earned at once, unless the due was given up before.
async fn is_due_in_escrow(tx: &Tx, intent: &Intent) -> Result<bool, Error> {
    let capture = captures::find_capture(tx, intent.id).await?;
    let was_split = capture.is_some_and(|capture| capture.split_at.is_some());
    Ok(intent.is_closed() && !was_split)
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

/// Takes the parts of a refund back from everyone who earned: the provider's from the payout while it is not made.
pub(super) async fn record_refunded(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &Attempt,
) -> Result<(), Error> {
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
    let mut capture =
        capture.ok_or_else(|| kit::Error::internal("a refund of what was never split"))?;
    back.parts = capture.take_back(amount - escrow);
    captures::save_capture(tx, &capture).await?;
    Ok((capture.provider_id, back))
}

/// A refund that had succeeded came back: all who earned have their part again, and the escrow its own.
pub(super) async fn refund_came_back(
    tx: &Tx,
    intent: &mut Intent,
    attempt: &Attempt,
) -> Result<(), Error> {
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
                schedule_or_freeze(tx, &mut payout).await?;
            }
            // An open claim that found too little to hold finds it now.
            return split_by_claims(tx, payout.order_id).await;
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
