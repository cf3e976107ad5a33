//! Disputes of charges at the customer's bank: the money leaves at once, and comes back or stays away.

use super::{
    effects::{refund_rest_of_closed, take_from_payouts},
    holds::{hold_payouts, lift_hold},
};
use crate::{
    domain::{
        Attempt, AttemptId, Chargeback, Error, Hold, Intent,
        attempt::AttemptKind,
        chargeback::{Dispute, State},
        ledger,
    },
    events,
    repository::{attempts, captures, chargebacks, intents, journals},
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
    let amount = chargeback.amount;
    if won {
        let (order, currency) = (intent.order(), &intent.currency);
        let journal = ledger::chargeback_won(charge.id, order, currency, amount);
        journals::post_journal(tx, journal.as_slice()).await?;
        events::payment_event(tx, &mut intent, events::CHARGEBACK_WON, amount, &chargeback.reason)
            .await?;
    } else {
        bear_loss(tx, &intent, &chargeback).await?;
        events::payment_event(tx, &mut intent, events::CHARGEBACK_LOST, amount, &chargeback.reason)
            .await?;
    }
    if intent.is_closed() {
        refund_rest_of_closed(tx, &mut intent).await?;
    }
    intents::save_intent(tx, &mut intent).await?;
    lift_hold(tx, Hold::of_chargeback(intent.order(), tx.now())).await
}

async fn lock_charge(tx: &Tx, reference: Uuid) -> Result<Option<(Attempt, Intent)>, Error> {
    let found = attempts::find_attempt(&**tx, AttemptId::from_uuid(reference)).await?;
    let Some(charge) = found.filter(|attempt| attempt.kind == AttemptKind::Authorize) else {
        return Ok(None);
    };
    let intent = intents::lock_intent(tx, charge.intent_id).await?;
    Ok(Some((charge, intent)))
}

async fn open_for_charge(
    tx: &Tx,
    charge: &Attempt,
    intent: &mut Intent,
    dispute: Dispute,
) -> Result<Chargeback, Error> {
    let chargeback = Chargeback::open(charge.id, intent, dispute, tx.now());
    chargebacks::insert(tx, &chargeback).await?;
    let (order, Chargeback { amount, fee, .. }) = (intent.order(), chargeback.clone());
    let journals = ledger::chargeback(charge.id, order, &intent.currency, amount, fee);
    journals::post_journal(tx, &journals).await?;
    // A charge of which nothing was captured is disputed as a whole.
    let disputed = if amount > 0 { amount } else { charge.amount };
    events::payment_event(tx, intent, events::DISPUTED, disputed, &chargeback.reason).await?;
    hold_payouts(tx, Hold::of_chargeback(order, tx.now())).await?;
    Ok(chargeback)
}

/// The customer keeps the money: all who earned give their part, the provider's from the payout while it is not made.
async fn bear_loss(tx: &Tx, intent: &Intent, chargeback: &Chargeback) -> Result<(), Error> {
    if chargeback.amount == 0 {
        return Ok(());
    }
    let capture = captures::find_capture(tx, intent.id).await?;
    let mut capture = capture.ok_or_else(|| kit::Error::internal("a loss without a capture"))?;
    let parts = capture.take_back(chargeback.amount);
    captures::save_capture(tx, &capture).await?;
    let (order, provider) = (intent.order(), capture.provider_id);
    let charge = chargeback.charge_id;
    let journal = ledger::chargeback_lost(charge, order, provider, &intent.currency, parts);
    journals::post_journal(tx, &[journal]).await?;
    take_from_payouts(tx, intent, parts.payable).await
}
