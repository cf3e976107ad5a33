//! Adding to what is authorised, and taking that back.

use super::{Payments, SETTLE, attempt::open_step, secure::lower_hold};
use crate::{
    domain::{
        Attempt, AttemptId, Error, Intent, OrderId,
        attempt::{AttemptKind, State},
        card_hold::{CardHold, card_holds, current_hold, hold_to_raise},
        intent,
    },
    repository::{attempts, captures, intents},
};
use kit::{Tx, messaging::timers};

/// Why a raise is given back: what it was for did not come to be.
const NOT_NEEDED: &str = "NOT_NEEDED";

/// A request to add to what is authorised for an order.
pub struct RaiseRequest {
    pub currency: String,
    /// How much, in minor units.
    pub amount: i64,
    /// Names the step.
    pub key: String,
    /// The customer's confirmation of it, or empty.
    pub confirmation: String,
}

/// What became of a raise, with the payment as it is then.
pub struct RaiseOutcome {
    pub intent: Intent,
    /// Where the customer confirms it; none when it is authorised.
    pub confirmation_url: Option<String>,
}

impl Payments {
    /// Adds to the authorised amount of an order. A raise that the customer has to confirm waits for the same request with
    /// their confirmation, or until it is given back.
    pub async fn raise_authorization(
        &self,
        order: OrderId,
        request: RaiseRequest,
    ) -> Result<RaiseOutcome, Error> {
        let RaiseRequest { currency, amount, key, confirmation } = request;
        let tx = self.db.begin().await?;
        let intent = intents::lock_of_order(&tx, order).await?;
        intent.check_currency(&currency)?;
        let attempt = find_or_open_raise(&tx, &intent, amount, &key).await?;
        tx.commit().await?;
        let is_confirmed = attempt.state == State::ConfirmationRequired && !confirmation.is_empty();
        let (intent, attempt) = match is_confirmed {
            true => {
                let answer = self.confirm_charge(attempt.id, &confirmation).await;
                self.apply_answer(intent.id, attempt.id, answer).await?
            }
            false => self.run_attempt(intent, attempt).await?,
        };
        match attempt.state {
            State::Succeeded => Ok(RaiseOutcome { intent, confirmation_url: None }),
            _ if attempt.was_renewed() => Ok(RaiseOutcome { intent, confirmation_url: None }),
            State::ConfirmationRequired => {
                Ok(RaiseOutcome { intent, confirmation_url: Some(attempt.confirmation_url) })
            }
            State::Failed | State::Abandoned | State::Returning | State::Returned => {
                Err(Error::Declined(attempt.reason))
            }
            State::Unknown
            | State::Pending
            | State::Releasing
            | State::Released
            | State::Reversed => Err(Error::Pending),
        }
    }

    /// Gives back what a step has added to the authorised amount of an order, and what it may still add.
    pub async fn release_raise(&self, order: OrderId, key: &str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let Some(mut intent) = intents::lock_of_order_if_any(&tx, order).await? else {
            return Ok(());
        };
        let is_settled = intent.state != intent::State::Authorized
            || captures::find_capture(&tx, intent.id).await?.is_some();
        if is_settled {
            return Ok(());
        }
        let known = attempts::list_of_intent(&*tx, intent.id).await?;
        let Some(raise) = raises_of(&known, key).last().cloned() else {
            let is_first =
                known.iter().any(|it| it.kind == AttemptKind::Authorize && it.key == key);
            drop(tx);
            return match is_first {
                // The step began the payment of an order that had cost nothing.
                true => self.release_authorization(order, key).await,
                false => Ok(()),
            };
        };
        self.give_raise_back(&tx, &mut intent, &known, raise).await?;
        timers::schedule_timer(&tx, SETTLE, intent.id.uuid(), tx.now()).await?;
        intents::save_intent(&tx, &mut intent).await?;
        tx.commit().await?;
        if let Err(error) = self.settle(intent.id).await {
            tracing::warn!(%error, payment.id = %intent.id, "cannot give a raise back yet; the timer goes on");
        }
        Ok(())
    }

    async fn give_raise_back(
        &self,
        tx: &Tx,
        intent: &mut Intent,
        known: &[Attempt],
        mut raise: Attempt,
    ) -> Result<(), Error> {
        let made = match raise.charge_id {
            Some(raised) if !raise.separate => raised,
            Some(_) | None => raise.id,
        };
        let current = current_hold(known, made);
        let hold = card_holds(known).into_iter().find(|it| it.id == current && it.is_free());
        match hold {
            _ if raise.state != State::Succeeded && !raise.was_renewed() => give_up(&mut raise),
            // It is captured already: what is not needed goes back when the order is settled.
            None => return Ok(()),
            Some(second) if raise.separate => {
                intent.lower_authorization(raise.amount);
                release_second_hold(tx, &mut raise, second.id).await?;
            }
            Some(hold) => {
                intent.lower_authorization(raise.amount);
                raise.forget_raise(NOT_NEEDED);
                let lowered = CardHold { amount: hold.amount - raise.amount, ..hold };
                let deadline = tx.now() + self.config.pending_deadline();
                lower_hold(tx, intent, &lowered, deadline).await?;
            }
        }
        attempts::save_attempt(tx, &mut raise).await
    }
}

fn give_up(attempt: &mut Attempt) {
    if attempt.give_up() {
        NOT_NEEDED.clone_into(&mut attempt.reason);
    }
}

/// Frees the hold that a raise made beside the first one, or the one that took its place.
async fn release_second_hold(tx: &Tx, raise: &mut Attempt, hold: AttemptId) -> Result<(), Error> {
    if raise.id == hold {
        give_up(raise);
        return Ok(());
    }
    NOT_NEEDED.clone_into(&mut raise.reason);
    let Some(mut renewed) = attempts::find_attempt(&**tx, hold).await? else { return Ok(()) };
    give_up(&mut renewed);
    attempts::save_attempt(tx, &mut renewed).await
}

/// Whether a raise was given up before it was known what became of it.
fn was_given_up(raise: &Attempt) -> bool {
    let is_over = matches!(
        raise.state,
        State::Abandoned | State::Failed | State::Returning | State::Returned
    );
    is_over && raise.reason == NOT_NEEDED
}

/// The raise of a step. One that was given back or given up, or was not confirmed, is made anew.
pub(super) async fn find_or_open_raise(
    tx: &Tx,
    intent: &Intent,
    amount: i64,
    key: &str,
) -> Result<Attempt, Error> {
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    let before: Vec<_> = raises_of(&known, key).collect();
    let key = match before.last() {
        None => key.to_owned(),
        Some(last) if last.was_given_back() || last.was_not_confirmed() || was_given_up(last) => {
            format!("{key}{AGAIN}{}", before.len())
        }
        Some(same) if same.amount == amount => return Ok((*same).clone()),
        Some(_) => return Err(kit::Error::KeyReused.into()),
    };
    intent.check_increment()?;
    let holds = card_holds(&known);
    let hold = hold_to_raise(&holds).ok_or(Error::State("not authorised on a card"))?;
    open_step(tx, intent, hold.id, AttemptKind::Raise, &key, amount).await
}

/// Stands between the key of a step and the number of its raises that came to nothing.
const AGAIN: &str = "#";

/// The raises of a step, oldest first: those before the last came to nothing.
fn raises_of<'a>(known: &'a [Attempt], key: &'a str) -> impl Iterator<Item = &'a Attempt> {
    known.iter().filter(move |attempt| {
        let is_again = attempt.key.strip_prefix(key).is_some_and(|rest| rest.starts_with(AGAIN));
        attempt.kind == AttemptKind::Raise && (attempt.key == key || is_again)
    })
}
