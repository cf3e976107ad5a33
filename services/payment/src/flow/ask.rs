//! Asking the payment provider, with patience but not without end.

use super::Payments;
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal},
    },
    entity::{Attempt, AttemptId, Intent},
    psp::{Answer, Cancelled, Card, Charge, Step, Unanswered},
    repository::methods,
};
use kit::{program::crash, rpc::context::Context};
use std::future::Future;

impl Payments {
    /// Waits for the payment provider as long as the settings and the request allow.
    pub(super) async fn patiently<T>(
        &self,
        call: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let limit = Context::current().time_left(self.config.psp_timeout());
        let answer = tokio::time::timeout(limit, call).await;
        answer.unwrap_or_else(|_| Err(Unanswered("it took too long".to_owned())))
    }

    /// Sends an attempt, and asks what became of it when no answer comes.
    pub(super) async fn ask(&self, intent: &Intent, attempt: &Attempt) -> Result<Answer, Error> {
        let token = self.token(attempt).await?;
        Ok(self.ask_with(intent, attempt, &token).await)
    }

    /// As [`Payments::ask`], when the card's token is at hand.
    pub(super) async fn ask_with(&self, intent: &Intent, attempt: &Attempt, token: &str) -> Answer {
        crash::point("payment.asking");
        let answer = self.patiently(self.send(intent, attempt, token)).await;
        crash::point("payment.answered");
        match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, attempt.id = %attempt.id, "no answer to a request for payment");
                self.status(attempt.id).await.unwrap_or(Answer::plain(Signal::NoAnswer))
            }
        }
    }

    /// Asks what became of an attempt, and sends it again under the same reference when the payment provider has not
    /// heard of it.
    pub(super) async fn resolve(
        &self,
        intent: &Intent,
        attempt: &Attempt,
    ) -> Result<Answer, Error> {
        match self.status(attempt.id).await {
            Err(_) => Ok(Answer::plain(Signal::NoAnswer)),
            Ok(answer) if answer.signal == Signal::NoAnswer => self.ask(intent, attempt).await,
            Ok(answer) => Ok(answer),
        }
    }

    /// Hands over the customer's confirmation.
    pub(super) async fn confirm(&self, attempt: AttemptId, code: &str) -> Answer {
        match self.patiently(self.psp.confirm(attempt, code)).await {
            Ok(answer) => answer,
            Err(_) => self.status(attempt).await.unwrap_or(Answer::plain(Signal::NoAnswer)),
        }
    }

    /// Sees to it that a charge reserves nothing.
    pub(super) async fn cancel(&self, attempt: AttemptId) -> Answer {
        Answer::plain(match self.patiently(self.psp.cancel(attempt)).await {
            Ok(Cancelled::Empty) => Signal::CancelledEmpty,
            Ok(Cancelled::Held) => Signal::CancelledHeld,
            Ok(Cancelled::NotYet) | Err(_) => Signal::NoAnswer,
        })
    }

    /// The card behind a token of the payment provider.
    pub async fn card(&self, token: &str) -> Result<Card, Error> {
        match self.patiently(self.psp.card(token)).await {
            Ok(Some(card)) => Ok(card),
            Ok(None) => Err(Error::invalid("token", "is not one of the payment provider's")),
            Err(_) => Err(Error::Pending),
        }
    }

    async fn status(&self, attempt: AttemptId) -> Result<Answer, Unanswered> {
        self.patiently(self.psp.status(attempt.uuid())).await
    }

    async fn send(
        &self,
        intent: &Intent,
        attempt: &Attempt,
        token: &str,
    ) -> Result<Answer, Unanswered> {
        let Attempt { id: reference, amount, .. } = *attempt;
        let step = || {
            let charge =
                attempt.charge_id.ok_or_else(|| Unanswered("there is no charge".to_owned()))?;
            Ok::<_, Unanswered>(Step { reference, charge, amount })
        };
        match attempt.kind {
            Kind::Authorize => {
                let currency = &intent.currency;
                self.psp.authorize(Charge { reference, token, amount, currency }).await
            }
            Kind::Raise => self.psp.raise(step()?).await,
            Kind::Capture => self.psp.capture(step()?).await,
            Kind::Refund => self.psp.refund(step()?).await,
        }
    }

    async fn token(&self, attempt: &Attempt) -> Result<String, Error> {
        let Some(method) = attempt.method_id.filter(|_| attempt.kind == Kind::Authorize) else {
            return Ok(String::new());
        };
        let found = methods::used(self.db.read(), method).await?;
        Ok(found.map(|method| method.token).unwrap_or_default())
    }
}
