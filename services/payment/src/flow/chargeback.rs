//! Disputes of charges at the customer's bank: the money leaves at once, and comes back or stays away.

use super::{
    giving_back::{escrow_left, give_back, refund_rest_of_closed, take_from_payouts},
    holds::{hold_payouts, lift_hold},
    split::return_excess,
};
use crate::{
    domain::{
        Attempt, AttemptId, Chargeback, Error, Hold, Intent,
        card_hold::card_holds,
        chargeback::{Dispute, State},
        intent, ledger,
    },
    events,
    repository::{attempts, chargebacks, intents, journals},
};
use kit::Tx;
use uuid::Uuid;

/// Writes down that the bank disputes a charge: the money in dispute is away, and nothing more is paid out for the order.
pub(super) async fn open_chargeback(
    tx: &Tx,
    reference: Uuid,
    dispute: Dispute,
) -> Result<(), Error> {
    let Some((charge, mut intent)) = lock_charge(tx, reference).await? else { return Ok(()) };
    if chargebacks::find(tx, charge.id).await?.is_none() {
        open_for_charge(tx, &charge, &mut intent, dispute).await?;
        intents::save_intent(tx, &mut intent).await?;
    }
    Ok(())
}

/// Writes down how a dispute ended. One that was not known begins and ends here, since events come in any order.
pub(super) async fn close_chargeback(
    tx: &Tx,
    reference: Uuid,
    dispute: Dispute,
    won: bool,
) -> Result<(), Error> {
    let Some((charge, mut intent)) = lock_charge(tx, reference).await? else { return Ok(()) };
    let mut chargeback = match chargebacks::find(tx, charge.id).await? {
        Some(known) => known,
        None => open_for_charge(tx, &charge, &mut intent, dispute).await?,
    };
    if chargeback.state != State::Open {
        return Ok(());
    }
    chargeback.close(&mut intent, won, tx.now())?;
    chargebacks::save(tx, &chargeback).await?;
    let order = intent.order();
    if won {
        let (currency, amount) = (&intent.currency, chargeback.amount);
        let journal = ledger::chargeback_won(charge.id, order, currency, amount);
        journals::post_journal(tx, journal.as_slice()).await?;
    } else {
        bear_loss(tx, &intent, &chargeback).await?;
    }
    let still_disputed = chargebacks::is_any_open_of_order(tx, order).await?;
    events::chargeback_end(tx, &mut intent, &chargeback, still_disputed).await?;
    match intent.state {
        intent::State::Closed => refund_rest_of_closed(tx, &mut intent).await?,
        intent::State::Captured => return_excess(tx, &mut intent).await?,
        intent::State::Open
        | intent::State::MethodSaved
        | intent::State::Authorized
        | intent::State::Due => {}
    }
    intents::save_intent(tx, &mut intent).await?;
    lift_hold(tx, Hold::of_chargeback(order, charge.id, tx.now())).await?;
    if still_disputed {
        return Ok(());
    }
    lift_hold(tx, Hold::of_any_chargeback(order, tx.now())).await
}

/// Locks the payment of a charge, and before it that of its order where the charge pays a due: the disputes of an order
/// begin and end one after another.
async fn lock_charge(tx: &Tx, reference: Uuid) -> Result<Option<(Attempt, Intent)>, Error> {
    let found = attempts::find_attempt(&**tx, AttemptId::from_uuid(reference)).await?;
    let Some(charge) = found.filter(Attempt::makes_hold) else {
        return Ok(None);
    };
    let found = intents::find_intent(&**tx, charge.intent_id, None).await?;
    if found.pays_due() {
        intents::lock_of_order_if_any(tx, found.order()).await?;
    }
    let intent = intents::lock_intent(tx, charge.intent_id).await?;
    Ok(Some((charge, intent)))
}

async fn open_for_charge(
    tx: &Tx,
    charge: &Attempt,
    intent: &mut Intent,
    dispute: Dispute,
) -> Result<Chargeback, Error> {
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let hold = card_holds(&known).into_iter().find(|hold| hold.id == charge.id);
    let left = hold.map_or(0, |hold| hold.refundable());
    let chargeback = Chargeback::open(charge.id, intent, dispute, left, tx.now());
    chargebacks::insert(tx, &chargeback).await?;
    let (order, Chargeback { amount, fee, .. }) = (intent.order(), chargeback.clone());
    let journals = ledger::chargeback(charge.id, order, &intent.currency, amount, fee);
    journals::post_journal(tx, &journals).await?;
    // A charge of which nothing was captured is disputed as a whole.
    let disputed = if amount > 0 { amount } else { charge.amount };
    events::payment_event(tx, intent, events::DISPUTED, disputed, &chargeback.reason).await?;
    hold_payouts(tx, Hold::of_chargeback(order, charge.id, tx.now())).await?;
    Ok(chargeback)
}

/// The customer keeps the money: what is not split yet is gone, and all who earned give their part of the rest, the
/// provider's from the payout while it is not made.
async fn bear_loss(tx: &Tx, intent: &Intent, chargeback: &Chargeback) -> Result<(), Error> {
    if chargeback.amount == 0 {
        return Ok(());
    }
    let in_escrow = escrow_left(tx, intent).await?.clamp(0, chargeback.amount);
    let (provider, back) = give_back(tx, intent, in_escrow, chargeback.amount).await?;
    let (charge, order) = (chargeback.charge_id, intent.order());
    let journal = ledger::chargeback_lost(charge, order, provider, &intent.currency, back);
    journals::post_journal(tx, &[journal]).await?;
    take_from_payouts(tx, intent, back.parts.payable).await
}
