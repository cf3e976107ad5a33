//! Finishing what was asked of the payment provider: by the timer, after a crash, after a void.

use super::{Payments, SETTLE};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal},
    },
    entity::{Attempt, Intent, IntentId},
    psp::Answer,
    repository::{attempts, intents},
};
use chrono::Duration;
use kit::messaging::timers;

/// How long an attempt may be without an answer before the sweep believes that whoever made it is gone.
const FORGOTTEN_AFTER: Duration = Duration::seconds(30);

impl Payments {
    /// Asks for the outcome of every attempt of a payment that has none, and frees what nobody wants any more.
    pub async fn settle(&self, intent: IntentId) -> Result<(), Error> {
        let intent = intents::find(self.db.read(), intent, None).await?;
        for attempt in attempts::of_intent(self.db.read(), intent.id).await? {
            if attempt.state.is_unsettled() {
                self.settle_one(&intent, attempt).await?;
            }
        }
        Ok(())
    }

    async fn settle_one(&self, intent: &Intent, mut attempt: Attempt) -> Result<(), Error> {
        let late = self.db.clock().now() >= attempt.deadline_at;
        if attempt.state.is_open() && attempt.kind == Kind::Authorize && late {
            let given_up =
                Answer { reason: "PAYMENT_TIMED_OUT".to_owned(), ..Answer::plain(Signal::GiveUp) };
            (_, attempt) = self.apply(intent.id, attempt.id, given_up).await?;
        }
        let answer = match attempt.state.is_open() {
            true => self.resolve(intent, &attempt).await?,
            false => self.cancel(attempt.id).await,
        };
        self.apply(intent.id, attempt.id, answer).await?;
        Ok(())
    }

    /// Sets the timer for attempts whose process stopped between the question and the answer.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let before = self.db.clock().now() - FORGOTTEN_AFTER;
        let forgotten = attempts::forgotten(self.db.read(), before).await?;
        let count = forgotten.len();
        for attempt in forgotten {
            let intent = attempt.intent_id.uuid();
            let set = self.db.write(move |tx| async move {
                timers::schedule(&tx, SETTLE, intent, tx.now()).await
            });
            set.await?;
        }
        Ok(count)
    }
}
