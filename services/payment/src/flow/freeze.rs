//! Holding payouts back and letting them go.

use super::{PAYOUT, Payments};
use crate::{
    domain::{
        Error, Intent, OrderId, Payout, PayoutId,
        payout::{Event, State},
    },
    events,
    repository::{intents, payouts},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Freezes or thaws the payouts of an order, those still to come included.
    pub async fn set_frozen(&self, order: OrderId, frozen: bool) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        // An order without a payment has nothing to pay out.
        if let Some(mut intent) = intents::lock_of_order_if_any(&tx, order).await? {
            set_frozen(&tx, &mut intent, frozen).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Holds a payout back.
    pub async fn freeze_payout(&self, id: PayoutId) -> Result<Payout, Error> {
        let tx = self.db.begin().await?;
        let mut payout = payouts::lock(&tx, id).await?;
        freeze(&tx, &mut payout).await?;
        tx.commit().await?;
        Ok(payout)
    }

    /// Pays a payout now.
    pub async fn release_payout(&self, id: PayoutId) -> Result<Payout, Error> {
        let tx = self.db.begin().await?;
        let mut payout = payouts::lock(&tx, id).await?;
        payout.release(tx.now())?;
        if payout.state == State::Scheduled {
            timers::schedule(&tx, PAYOUT, id.uuid(), tx.now()).await?;
            payouts::save(&tx, &mut payout).await?;
        }
        tx.commit().await?;
        self.pay_out(id).await?;
        payouts::find(self.db.connection(), id, payouts::Scope::default()).await
    }
}

/// Freezes or thaws what is not paid yet; what is paid stays paid.
pub(super) async fn set_frozen(tx: &Tx, intent: &mut Intent, frozen: bool) -> Result<(), Error> {
    for mut payout in payouts::lock_of_intent(tx, intent.id).await? {
        match (frozen, payout.state) {
            (true, State::Scheduled) => freeze(tx, &mut payout).await?,
            (false, State::Frozen) => thaw(tx, &mut payout).await?,
            _ => {}
        }
    }
    if intent.frozen == frozen {
        return Ok(());
    }
    intent.frozen = frozen;
    intents::save(tx, intent).await
}

async fn freeze(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    if !payout.act(Event::Freeze)? {
        return Ok(());
    }
    timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
    let amount = payout.amount;
    events::payout(tx, payout, events::PAYOUT_FROZEN, amount).await?;
    payouts::save(tx, payout).await
}

async fn thaw(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    payout.act(Event::Thaw)?;
    timers::schedule(tx, PAYOUT, payout.id.uuid(), payout.due_at.max(tx.now())).await?;
    payouts::save(tx, payout).await
}
