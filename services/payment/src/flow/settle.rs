//! Finishing what was asked of the payment provider: by the timer, after a crash, after a void.

use super::{Payments, SETTLE};
use crate::{
    domain::{
        Attempt, Error, Intent, IntentId,
        attempt::{AttemptKind, PspAnswer, Signal},
    },
    repository::{attempts, intents},
};
use chrono::Duration;
use kit::messaging::timers;
use std::collections::HashSet;

/// How long an attempt may be without an answer before the sweep takes it that the process which made it is gone.
const FORGOTTEN_AFTER: Duration = Duration::seconds(30);

impl Payments {
    /// Asks for the outcome of every attempt of a payment that has none, and frees what is not wanted any more.
    pub async fn settle(&self, intent: IntentId) -> Result<(), Error> {
        let intent = intents::find_intent(self.db.connection(), intent, None).await?;
        let mut seen = HashSet::new();
        loop {
            let known = attempts::list_of_intent(self.db.connection(), intent.id).await?;
            let unsettled = known.into_iter().filter(|attempt| attempt.state.is_unsettled());
            // An outcome may open the next step.
            let new: Vec<_> = unsettled.filter(|attempt| seen.insert(attempt.id)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for attempt in new {
                self.settle_attempt(&intent, attempt).await?;
            }
        }
    }

    /// `attempt` was read before: whether it is given up for being late is decided under the lock of its payment, where an
    /// outcome that came meanwhile counts.
    pub(super) async fn settle_attempt(
        &self,
        intent: &Intent,
        mut attempt: Attempt,
    ) -> Result<(), Error> {
        let late = self.db.clock().now() >= attempt.deadline_at;
        let may_be_late = matches!(attempt.kind, AttemptKind::Authorize | AttemptKind::Renew);
        if attempt.state.is_open() && may_be_late && late {
            let reason = "PAYMENT_TIMED_OUT".to_owned();
            let timed_out = PspAnswer { reason, ..PspAnswer::plain(Signal::TimedOut) };
            (_, attempt) = self.apply_answer(intent.id, attempt.id, timed_out).await?;
        }
        let answer = if attempt.state.is_open() {
            self.resolve_attempt(intent, &attempt).await?
        } else if attempt.state.is_unsettled() {
            self.cancel_charge(attempt.id).await
        } else {
            return Ok(());
        };
        self.apply_answer(intent.id, attempt.id, answer).await?;
        Ok(())
    }

    /// Sets the timer for attempts whose process stopped between the question and the answer.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let before = self.db.clock().now() - FORGOTTEN_AFTER;
        let forgotten = attempts::list_forgotten(self.db.connection(), before).await?;
        for attempt in &forgotten {
            let tx = self.db.begin().await?;
            timers::schedule_timer(&tx, SETTLE, attempt.intent_id.uuid(), tx.now()).await?;
            tx.commit().await?;
        }
        Ok(forgotten.len())
    }
}
