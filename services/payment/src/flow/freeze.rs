//! Holding payouts back and letting them go.

use super::{PAYOUT, Payments};
use crate::{
    domain::{
        Error,
        payout::{Event, State},
    },
    entity::{Intent, OrderId, Payout, PayoutId},
    events,
    repository::{intents, payouts},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Freezes or thaws the payouts of an order, those still to come included.
    pub async fn set_frozen(&self, order: OrderId, frozen: bool) -> Result<(), Error> {
        self.db
            .write(move |tx| async move {
                match intents::lock_order(&tx, order).await? {
                    Some(intent) => set_frozen(&tx, intent, frozen).await.map(drop),
                    // Nothing was paid, so that nothing will be paid out.
                    None => Ok(()),
                }
            })
            .await
    }

    /// Holds a payout back.
    pub async fn freeze(&self, id: PayoutId) -> Result<Payout, Error> {
        self.db
            .write(move |tx| async move {
                let payout = payouts::lock(&tx, id).await?;
                freeze(&tx, payout).await
            })
            .await
    }

    /// Pays a payout now.
    pub async fn release(&self, id: PayoutId) -> Result<Payout, Error> {
        self.db
            .write(move |tx| async move {
                let mut payout = payouts::lock(&tx, id).await?;
                let state = payout.state.transition(Event::Release)?;
                if matches!(payout.state, State::Paying | State::Paid) {
                    return Ok(());
                }
                payout.state = state;
                payout.due_at = payout.due_at.min(tx.now());
                timers::schedule(&tx, PAYOUT, id.uuid(), tx.now()).await?;
                payouts::save(&tx, payout).await.map(drop)
            })
            .await?;
        self.pay_out(id).await?;
        payouts::find(self.db.read(), id, payouts::Scope::default()).await
    }
}

/// Freezes or thaws what is not paid yet; what is paid stays paid.
pub(super) async fn set_frozen(tx: &Tx, mut intent: Intent, frozen: bool) -> Result<Intent, Error> {
    for payout in payouts::lock_of(tx, intent.id).await? {
        match (frozen, payout.state) {
            (true, State::Scheduled) => freeze(tx, payout).await.map(drop)?,
            (false, State::Frozen) => thaw(tx, payout).await?,
            _ => {}
        }
    }
    if intent.frozen == frozen {
        return Ok(intent);
    }
    intent.frozen = frozen;
    intents::save(tx, intent).await
}

async fn freeze(tx: &Tx, mut payout: Payout) -> Result<Payout, Error> {
    let state = payout.state.transition(Event::Freeze)?;
    if payout.state == state {
        return Ok(payout);
    }
    payout.state = state;
    timers::cancel(tx, PAYOUT, payout.id.uuid()).await?;
    let amount = payout.amount;
    events::payout(tx, &mut payout, events::PAYOUT_FROZEN, amount).await?;
    payouts::save(tx, payout).await
}

async fn thaw(tx: &Tx, mut payout: Payout) -> Result<(), Error> {
    payout.state = payout.state.transition(Event::Thaw)?;
    timers::schedule(tx, PAYOUT, payout.id.uuid(), payout.due_at.max(tx.now())).await?;
    payouts::save(tx, payout).await.map(drop)
}
