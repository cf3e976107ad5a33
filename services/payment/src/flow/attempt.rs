//! The step that all payments share: an attempt is opened, the payment provider is asked, its answer is written down.

use super::{Payments, effects, giving_back::refund_rest_of_closed, split::advance_capture};
use crate::{
    domain::{
        Attempt, AttemptId, Error, Intent, IntentId,
        attempt::{AttemptKind, PspAnswer, Signal},
    },
    psp::{AuthorizeRequest, Cancelled, Card, FollowUpRequest, Unanswered},
    repository::{attempts, intents, methods},
};
use kit::{Tx, program::crash, rpc::context::Context};
use std::future::Future;

/// Opens a further step on a hold of a payment.
pub(super) async fn open_step(
    tx: &Tx,
    intent: &Intent,
    hold: AttemptId,
    kind: AttemptKind,
    key: &str,
    amount: i64,
) -> Result<Attempt, Error> {
    let attempt = intent.step(hold, kind, key, amount, tx.now());
    attempts::insert_attempt(tx, &attempt).await?;
    Ok(attempt)
}

/// Writes down an answer and what follows from it, whichever way it came: as a reply, by a poll or as an event. An answer
/// that is older than what is known changes nothing.
pub(super) async fn apply_answer(
    tx: &Tx,
    intent: IntentId,
    attempt: AttemptId,
    answer: PspAnswer,
) -> Result<(Intent, Attempt), Error> {
    let mut intent = intents::lock_intent(tx, intent).await?;
    let mut attempt =
        attempts::find_attempt(&**tx, attempt).await?.ok_or(Error::PaymentNotFound)?;
    let before = attempt.state;
    if !attempt.take_answer(answer) {
        if before.is_unsettled() {
            effects::schedule_next_try(tx, &mut attempt).await?;
            attempts::save_attempt(tx, &mut attempt).await?;
        }
        return Ok((intent, attempt));
    }
    effects::take_effect(tx, &mut intent, &mut attempt, before).await?;
    if attempt.state.is_unsettled() {
        if !attempt.state.is_open() {
            // Money is to be given back: at once.
            attempt.tries = 0;
        }
        effects::schedule_next_try(tx, &mut attempt).await?;
    }
    attempts::save_attempt(tx, &mut attempt).await?;
    if attempt.kind == AttemptKind::Capture && !attempt.state.is_open() {
        match intent.is_closed() {
            true => refund_rest_of_closed(tx, &mut intent).await?,
            false => advance_capture(tx, &mut intent).await?,
        }
    }
    intents::save_intent(tx, &mut intent).await?;
    Ok((intent, attempt))
}

impl Payments {
    /// Asks the payment provider for the outcome of an attempt that is open, and writes its answer down. What it does
    /// not answer, the timer asks again.
    pub(super) async fn run_attempt(
        &self,
        intent: Intent,
        attempt: Attempt,
    ) -> Result<(Intent, Attempt), Error> {
        if !attempt.state.is_open() {
            return Ok((intent, attempt));
        }
        // What was just written down is sent; of an older one the provider is asked first what became of it.
        let answer = match attempt.tries {
            0 => self.send_attempt(&intent, &attempt).await?,
            _ => self.resolve_attempt(&intent, &attempt).await?,
        };
        self.apply_answer(intent.id, attempt.id, answer).await
    }

    /// Writes down an answer and what follows from it.
    pub(super) async fn apply_answer(
        &self,
        intent: IntentId,
        attempt: AttemptId,
        answer: PspAnswer,
    ) -> Result<(Intent, Attempt), Error> {
        let tx = self.db.begin().await?;
        let applied = apply_answer(&tx, intent, attempt, answer).await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Sends an attempt, and asks what became of it when no answer comes.
    async fn send_attempt(&self, intent: &Intent, attempt: &Attempt) -> Result<PspAnswer, Error> {
        let token = self.find_token(attempt).await?;
        Ok(self.send_with_token(intent, attempt, &token).await)
    }

    /// As [`Payments::send_attempt`], when the card's token is at hand.
    pub(super) async fn send_with_token(
        &self,
        intent: &Intent,
        attempt: &Attempt,
        token: &str,
    ) -> PspAnswer {
        crash::crash_point("payment.asking");
        let answer = self.within_time(self.call_psp(intent, attempt, token)).await;
        crash::crash_point("payment.answered");
        match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(
                    %error,
                    attempt.id = %attempt.id,
                    "the payment provider did not answer; it is asked what became of the attempt"
                );
                self.ask_status(attempt.id).await.unwrap_or(PspAnswer::plain(Signal::NoAnswer))
            }
        }
    }

    /// Asks what became of an attempt, and sends it again under the same reference when the payment provider has not
    /// heard of it.
    pub(super) async fn resolve_attempt(
        &self,
        intent: &Intent,
        attempt: &Attempt,
    ) -> Result<PspAnswer, Error> {
        match self.ask_status(attempt.id).await {
            Err(_) => Ok(PspAnswer::plain(Signal::NoAnswer)),
            Ok(answer) if answer.signal == Signal::NoAnswer => {
                self.send_attempt(intent, attempt).await
            }
            Ok(answer) => Ok(answer),
        }
    }

    /// Hands over the customer's confirmation of a charge.
    pub(super) async fn confirm_charge(&self, charge: AttemptId, code: &str) -> PspAnswer {
        match self.within_time(self.psp.confirm(charge, code)).await {
            Ok(answer) => answer,
            Err(_) => self.ask_status(charge).await.unwrap_or(PspAnswer::plain(Signal::NoAnswer)),
        }
    }

    /// Voids the charge at the payment provider, so that it reserves nothing.
    pub(super) async fn cancel_charge(&self, charge: AttemptId) -> PspAnswer {
        PspAnswer::plain(match self.within_time(self.psp.cancel(charge)).await {
            Ok(Cancelled::Empty) => Signal::CancelledEmpty,
            Ok(Cancelled::Held) => Signal::CancelledHeld,
            Ok(Cancelled::NotYet) | Err(_) => Signal::NoAnswer,
        })
    }

    /// The card behind a token of the payment provider.
    pub async fn find_card(&self, token: &str) -> Result<Card, Error> {
        match self.within_time(self.psp.card(token)).await {
            Ok(Some(card)) => Ok(card),
            Ok(None) => Err(Error::invalid("token", "is not one of the payment provider's")),
            Err(_) => Err(Error::Pending),
        }
    }

    /// Waits for the payment provider as long as the settings and the request allow.
    pub(super) async fn within_time<T>(
        &self,
        call: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let limit = Context::current().time_left(self.config.psp_timeout());
        let answer = tokio::time::timeout(limit, call).await;
        answer.unwrap_or_else(|_| Err(Unanswered("it took too long".to_owned())))
    }

    async fn ask_status(&self, attempt: AttemptId) -> Result<PspAnswer, Unanswered> {
        self.within_time(self.psp.status(attempt.uuid())).await
    }

    async fn call_psp(
        &self,
        intent: &Intent,
        attempt: &Attempt,
        token: &str,
    ) -> Result<PspAnswer, Unanswered> {
        let Attempt { id: reference, amount, .. } = *attempt;
        match attempt.kind {
            AttemptKind::Authorize | AttemptKind::Renew => {
                let currency = &intent.currency;
                let off_session = attempt.kind == AttemptKind::Renew;
                let asked = AuthorizeRequest { reference, token, amount, currency, off_session };
                self.psp.authorize(asked).await
            }
            AttemptKind::Raise => self.psp.raise(step_on_charge(attempt)?).await,
            AttemptKind::Capture => self.psp.capture(step_on_charge(attempt)?).await,
            AttemptKind::Refund => self.psp.refund(step_on_charge(attempt)?).await,
        }
    }

    async fn find_token(&self, attempt: &Attempt) -> Result<String, Error> {
        // Only what reserves money anew names a method.
        let Some(method) = attempt.method_id else { return Ok(String::new()) };
        let found = methods::find_used(self.db.connection(), method).await?;
        Ok(found.map(|method| method.token).unwrap_or_default())
    }
}

fn step_on_charge(attempt: &Attempt) -> Result<FollowUpRequest, Unanswered> {
    let Attempt { id: reference, charge_id, amount, .. } = *attempt;
    let charge = charge_id.ok_or_else(|| Unanswered("the attempt names no charge".to_owned()))?;
    Ok(FollowUpRequest { reference, charge, amount })
}
