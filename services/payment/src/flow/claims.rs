//! Claims: what the customer says is damaged holds its amount of the provider's payout back, and no more. The payout is split:
//! what is paid, and one payout with the sum of the open claims, as far as there is so much.

use super::{
    PAYOUT, Payments,
    effects::{insert_payout, schedule_or_freeze},
    holds::thaw,
};
use crate::{
    domain::{
        Error, Hold, OrderId, Payout, PayoutId,
        payout::{FREED, HELD, State},
    },
    repository::{holds, intents, payouts},
};
use kit::{Tx, messaging::timers};
use uuid::Uuid;

impl Payments {
    /// Holds back what a claim about an order is about, now or when the payout comes; without an amount the claim is over.
    pub async fn set_claim(
        &self,
        order: OrderId,
        claim: Uuid,
        amount: Option<(i64, String)>,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        // A capture locks the payment as well, so that its payout is scheduled before or after this.
        let intent = intents::lock_of_order_if_any(&tx, order).await?;
        let changed = match amount {
            Some((minor_units, currency)) => {
                if let Some(intent) = &intent {
                    intent.check_currency(&currency)?;
                }
                holds::insert(&tx, Hold::of_claim(order, claim, minor_units, tx.now())).await?
            }
            None => holds::delete(&tx, &Hold::of_claim(order, claim, 0, tx.now())).await?,
        };
        if changed {
            split_by_claims(&tx, order).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Has the payouts of an order hold back what its open claims are about.
pub(super) async fn split_by_claims(tx: &Tx, order: OrderId) -> Result<(), Error> {
    let claimed = holds::sum_of_claims(tx, order).await?;
    let mut payouts = payouts::lock_of_order(tx, order).await?;
    let Some(main) = payouts.iter().position(Payout::is_main) else { return Ok(()) };
    let mut main = payouts.remove(main);
    let held = payouts.iter().position(|payout| payout.kind == HELD && payout.is_unpaid());
    let held = held.map(|held| payouts.remove(held));
    let held_now = held.as_ref().map_or(0, |held| held.amount);
    let most = if main.is_unpaid() { main.amount + held_now } else { held_now };
    let target = claimed.min(most);
    if target > held_now {
        return hold_more(tx, &mut main, held, target - held_now).await;
    }
    let Some(mut held) = held.filter(|_| target < held_now) else { return Ok(()) };
    let free = held_now - target;
    if main.is_unpaid() {
        move_amount(tx, &mut held, &mut main, free).await
    } else if target == 0 {
        pay_held(tx, &mut held).await
    } else {
        let freed = payouts.into_iter().find(|it| it.kind == FREED && it.is_unpaid());
        free_part(tx, &mut held, freed, free).await
    }
}

/// Takes `amount` from the payout of an order into the one that is held.
async fn hold_more(
    tx: &Tx,
    main: &mut Payout,
    held: Option<Payout>,
    amount: i64,
) -> Result<(), Error> {
    match held {
        Some(mut held) => move_amount(tx, main, &mut held, amount).await,
        None => {
            let mut held = main.part(PayoutId::new(tx.clock()), HELD, amount, tx.now());
            take(tx, main, amount).await?;
            insert_payout(tx, &mut held).await
        }
    }
}

/// Moves `amount` from one payout to another that is not paid either.
async fn move_amount(
    tx: &Tx,
    from: &mut Payout,
    to: &mut Payout,
    amount: i64,
) -> Result<(), Error> {
    take(tx, from, amount).await?;
    give(tx, to, amount).await
}

async fn take(tx: &Tx, payout: &mut Payout, amount: i64) -> Result<(), Error> {
    payout.take_back(amount);
    if payout.state == State::Cancelled {
        timers::cancel_timer(tx, PAYOUT, payout.id.uuid()).await?;
    }
    payouts::save_payout(tx, payout).await
}

async fn give(tx: &Tx, payout: &mut Payout, amount: i64) -> Result<(), Error> {
    let was_cancelled = payout.state == State::Cancelled;
    payout.give_back(amount);
    payouts::save_payout(tx, payout).await?;
    if was_cancelled { schedule_or_freeze(tx, payout).await } else { Ok(()) }
}

/// No claim is left and the rest was paid: what was held is paid as well, unless something else holds it.
async fn pay_held(tx: &Tx, held: &mut Payout) -> Result<(), Error> {
    if held.state == State::Frozen && holds::list_of_payout(&**tx, held).await?.is_empty() {
        thaw(tx, held).await?;
    }
    Ok(())
}

/// The rest was paid, and other claims go on: what this one held is paid on its own.
async fn free_part(
    tx: &Tx,
    held: &mut Payout,
    freed: Option<Payout>,
    amount: i64,
) -> Result<(), Error> {
    match freed {
        Some(mut freed) => move_amount(tx, held, &mut freed, amount).await,
        None => {
            let mut freed = held.part(PayoutId::new(tx.clock()), FREED, amount, tx.now());
            take(tx, held, amount).await?;
            insert_payout(tx, &mut freed).await
        }
    }
}
