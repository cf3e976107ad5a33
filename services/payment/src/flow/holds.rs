//! Holding payouts back and letting them go. Each reason is a hold of its own; a payout is frozen while it has one.

use super::{PAYOUT, Payments, claims::split_by_claims};
use crate::{
    domain::{
        Error, Hold, OrderId, Payout, PayoutId, UserId,
        payout::{PayoutEvent, State},
    },
    events,
    repository::{
        holds, intents,
        payouts::{self, PayoutFilter},
    },
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Holds the payouts of an order back for its dispute, those still to come included, or ends that.
    pub async fn set_disputed(&self, order: OrderId, disputed: bool) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        // A capture locks the payment as well, so that its payout is scheduled before or after this.
        intents::lock_of_order_if_any(&tx, order).await?;
        let hold = Hold::of_dispute(order, tx.now());
        match disputed {
            true => hold_payouts(&tx, hold).await?,
            false => lift_hold(&tx, hold).await?,
        }
        Ok(tx.commit().await?)
    }

    /// Holds a payout back until an operator releases it.
    pub async fn freeze_payout(
        &self,
        id: PayoutId,
        operator: UserId,
    ) -> Result<(Payout, Vec<Hold>), Error> {
        let tx = self.db.begin().await?;
        let mut payout = payouts::lock_payout(&tx, id).await?;
        payout.state.transition(PayoutEvent::Freeze)?;
        holds::insert(&tx, Hold::of_operator(id, operator, tx.now())).await?;
        freeze(&tx, &mut payout).await?;
        let holds = holds::list_of_payout(&*tx, &payout).await?;
        tx.commit().await?;
        Ok((payout, holds))
    }

    /// Ends the hold of operators and pays a payout now, unless something else holds it. A payout that failed waits for
    /// no claim that was opened since: what the open claims of its order are about is split off first.
    pub async fn release_payout(
        &self,
        id: PayoutId,
        operator: UserId,
    ) -> Result<(Payout, Vec<Hold>), Error> {
        let tx = self.db.begin().await?;
        let order = payouts::find_payout(&*tx, id, PayoutFilter::default()).await?.order_id;
        // Claims change the payouts of an order under the lock of its payment.
        intents::lock_of_order_if_any(&tx, order).await?;
        let payouts = payouts::lock_of_order(&tx, order).await?;
        let payout = payouts.into_iter().find(|payout| payout.id == id);
        let mut payout = payout.ok_or(Error::PayoutNotFound)?;
        let lifted = holds::delete(&tx, &Hold::of_operator(id, operator, tx.now())).await?;
        let others = holds::list_of_payout(&*tx, &payout).await?;
        if payout.state == State::Frozen && !others.is_empty() {
            if lifted {
                tx.commit().await?;
                return Ok((payout, others));
            }
            let reasons: Vec<_> = others.iter().map(|hold| hold.reason.name()).collect();
            return Err(Error::PayoutHeld(reasons.join(", ")));
        }
        payout.release(tx.now())?;
        if payout.state == State::Scheduled {
            timers::schedule_timer(&tx, PAYOUT, id.uuid(), tx.now()).await?;
            payouts::save_payout(&tx, &mut payout).await?;
            split_by_claims(&tx, order).await?;
        }
        tx.commit().await?;
        self.pay_out(id).await?;
        let db = self.db.connection();
        let payout = payouts::find_payout(db, id, PayoutFilter::default()).await?;
        let holds = holds::list_of_payout(db, &payout).await?;
        Ok((payout, holds))
    }
}

/// Holds payouts back that are not paid yet; what is paid stays paid.
pub async fn hold_payouts(tx: &Tx, hold: Hold) -> Result<(), Error> {
    let subject = hold.subject;
    if !holds::insert(tx, hold).await? {
        return Ok(());
    }
    for mut payout in payouts::lock_of_subject(tx, subject).await? {
        freeze(tx, &mut payout).await?;
    }
    Ok(())
}

/// Ends a hold. The payouts that it was about go on unless something else holds them.
pub async fn lift_hold(tx: &Tx, hold: Hold) -> Result<(), Error> {
    if !holds::delete(tx, &hold).await? {
        return Ok(());
    }
    for mut payout in payouts::lock_of_subject(tx, hold.subject).await? {
        if payout.state == State::Frozen && holds::list_of_payout(&**tx, &payout).await?.is_empty()
        {
            thaw(tx, &mut payout).await?;
        }
    }
    Ok(())
}

/// Holds back a payout that a hold is about.
pub(super) async fn freeze(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    if !payout.act(PayoutEvent::Freeze)? {
        return Ok(());
    }
    timers::cancel_timer(tx, PAYOUT, payout.id.uuid()).await?;
    let amount = payout.amount;
    events::payout_event(tx, payout, events::PAYOUT_FROZEN, amount).await?;
    payouts::save_payout(tx, payout).await
}

pub(super) async fn thaw(tx: &Tx, payout: &mut Payout) -> Result<(), Error> {
    payout.act(PayoutEvent::Thaw)?;
    timers::schedule_timer(tx, PAYOUT, payout.id.uuid(), payout.due_at.max(tx.now())).await?;
    payouts::save_payout(tx, payout).await
}
