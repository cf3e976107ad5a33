//! Holds that run out. A payment provider lets go of what it reserves after some days; before that the money is reserved
//! anew as long as the work is ahead, and taken into escrow once it is done, to be split when that is decided.

use super::{HOLD, Payments, SETTLE, attempt::open_step, effects::schedule_next_try};
use crate::{
    domain::{
        Attempt, AttemptId, Error, Intent, OrderId,
        attempt::AttemptKind,
        card_hold::{CardHold, SECURED_BEFORE, card_holds},
        intent::State,
    },
    events,
    repository::{attempts, captures, intents},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Tx, messaging::timers};

/// Why a hold is renewed: it runs out.
const RUNS_OUT: &str = "runs_out";
/// Why a hold is renewed: less is to be reserved.
const LOWERED: &str = "lowered";
/// How long after it was said that a hold runs out it is said again, as long as nothing is done about it.
const SAID_AGAIN_AFTER: Duration = Duration::hours(1);

impl Payments {
    /// Tells order that a hold runs out soon, for the timer of the hold.
    pub async fn announce_expiry(&self, id: AttemptId) -> Result<(), Error> {
        let found = attempts::find_attempt(self.db.connection(), id).await?;
        let Some(found) = found else { return Ok(()) };
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_intent(&tx, found.intent_id).await?;
        let Some(hold) = find_free_hold(&tx, &intent, id).await? else { return Ok(()) };
        let Some(expiry) = hold.expires_at.filter(|expiry| *expiry > tx.now()) else {
            return Ok(());
        };
        if !hold.runs_out(tx.now()) {
            return Ok(());
        }
        events::hold_expiring(&tx, &mut intent, hold.amount, expiry).await?;
        intents::save_intent(&tx, &mut intent).await?;
        timers::schedule_timer(&tx, HOLD, id.uuid(), tx.now() + SAID_AGAIN_AFTER).await?;
        Ok(tx.commit().await?)
    }

    /// Sees to it that what an order has reserved does not run out: it is captured into escrow, or reserved anew. Holds that
    /// live longer stay as they are.
    pub async fn secure(&self, order: OrderId, capture: bool) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let intent = intents::lock_of_order(&tx, order).await?;
        if !may_be_secured(&tx, &intent).await? {
            return Ok(());
        }
        let known = attempts::list_of_intent(&*tx, intent.id).await?;
        let expiring = card_holds(&known).into_iter().filter(|hold| hold.runs_out(tx.now()));
        let deadline = tx.now() + self.config.pending_deadline();
        for hold in expiring {
            if capture {
                capture_into_escrow(&tx, &intent, &hold).await?;
            } else {
                renew(&tx, &intent, &hold, RUNS_OUT, deadline).await?;
            }
        }
        tx.commit().await?;
        if let Err(error) = self.settle(intent.id).await {
            tracing::warn!(%error, payment.id = %intent.id, "cannot secure what is reserved yet; the timer goes on");
        }
        Ok(())
    }
}

/// Has order told in time that a hold runs out. What pays a due is captured at once.
pub(super) async fn watch_hold(tx: &Tx, intent: &Intent, hold: &Attempt) -> Result<(), Error> {
    match hold.expires_at {
        Some(expiry) if !intent.pays_due() => {
            let due = expiry - SECURED_BEFORE;
            Ok(timers::schedule_timer(tx, HOLD, hold.id.uuid(), due).await?)
        }
        Some(_) | None => Ok(()),
    }
}

/// Has less reserved than `hold` does, whose amount was lowered. Until that has succeeded the payment provider reserves
/// what it did before, which the capture frees in the end.
pub(super) async fn lower_hold(
    tx: &Tx,
    intent: &Intent,
    hold: &CardHold,
    deadline: DateTime<Utc>,
) -> Result<(), Error> {
    renew(tx, intent, hold, LOWERED, deadline).await
}

/// A hold that is to take the place of another has the money: the other one is freed. Where the payment went on meanwhile,
/// or more is reserved by now, it is the new one that is freed.
pub(super) async fn replace_hold(tx: &Tx, intent: &Intent, new: &mut Attempt) -> Result<(), Error> {
    let old = match new.charge_id {
        Some(old) if may_be_secured(tx, intent).await? => find_free_hold(tx, intent, old).await?,
        Some(_) | None => None,
    };
    let Some(old) = old.filter(|old| old.amount <= new.amount) else {
        new.give_up();
        return Ok(());
    };
    if let Some(mut old) = attempts::find_attempt(&**tx, old.id).await?
        && old.give_way()
    {
        schedule_next_try(tx, &mut old).await?;
        attempts::save_attempt(tx, &mut old).await?;
    }
    watch_hold(tx, intent, new).await
}

/// A hold that runs out is not reserved anew: its money is taken before it is gone.
pub(super) async fn capture_instead(
    tx: &Tx,
    intent: &Intent,
    renewal: &Attempt,
) -> Result<(), Error> {
    if renewal.note != RUNS_OUT || !may_be_secured(tx, intent).await? {
        return Ok(());
    }
    let Some(old) = renewal.charge_id else { return Ok(()) };
    match find_free_hold(tx, intent, old).await? {
        Some(old) => capture_into_escrow(tx, intent, &old).await,
        None => Ok(()),
    }
}

/// Whether money is reserved and order has not said yet how much of it is to be captured.
async fn may_be_secured(tx: &Tx, intent: &Intent) -> Result<bool, Error> {
    let is_reserved = intent.state == State::Authorized && !intent.pays_due();
    Ok(is_reserved && captures::find_capture(tx, intent.id).await?.is_none())
}

async fn find_free_hold(
    tx: &Tx,
    intent: &Intent,
    id: AttemptId,
) -> Result<Option<CardHold>, Error> {
    if intent.state != State::Authorized {
        return Ok(None);
    }
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    Ok(card_holds(&known).into_iter().find(|hold| hold.id == id && hold.is_free()))
}

pub(super) async fn capture_into_escrow(
    tx: &Tx,
    intent: &Intent,
    hold: &CardHold,
) -> Result<(), Error> {
    let key = format!("escrow:{}", hold.id);
    open_step(tx, intent, hold.id, AttemptKind::Capture, &key, hold.amount).await?;
    Ok(timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?)
}

/// Reserves anew what a hold reserves. What was asked before is not asked again.
async fn renew(
    tx: &Tx,
    intent: &Intent,
    hold: &CardHold,
    note: &str,
    deadline: DateTime<Utc>,
) -> Result<(), Error> {
    let renewal = intent.renewal(hold, note, tx.now(), deadline);
    if attempts::insert_attempt(tx, &renewal).await? {
        timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
    }
    Ok(())
}
