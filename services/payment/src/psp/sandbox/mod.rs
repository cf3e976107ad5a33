//! The sandbox: a payment provider for development and tests. It behaves like a system elsewhere: it keeps its own
//! durable state, which no transaction of payment covers, and reports late outcomes through the webhook.

mod cards;
mod courier;
mod entity;
mod store;

use super::{
    AuthorizeRequest, Cancelled, Card, FollowUpRequest, Psp, PspAnswer, PspHold, Transfer,
    Unanswered,
};
use crate::domain::{
    AttemptId,
    attempt::{CONFIRMATION_FAILED, Signal},
};
use async_trait::async_trait;
use cards::{Behaviour, OperationKind};
use entity::{charge, operation};
use kit::Db;
use sea_orm::ActiveValue::Set;
use std::future::Future;
use store::Store;
use tokio::sync::Notify;
use uuid::Uuid;

pub use courier::{Courier, Post};

/// The sandbox's name.
pub const NAME: &str = "sandbox";
/// The code that confirms a charge.
pub const CONFIRMATION_CODE: &str = "123456";
/// Transfers below this many minor units are refused.
const MIN_TRANSFER: i64 = 100;

pub struct Sandbox {
    store: Store,
    confirmation_url: String,
    late: Notify,
}

impl Sandbox {
    /// A sandbox that keeps its state in `db`. Customers confirm at `confirmation_url`, to which the charge is added.
    pub fn new(db: Db, confirmation_url: String) -> Self {
        Self { store: Store::new(db), confirmation_url, late: Notify::new() }
    }

    /// What the sandbox says of a charge as it stands.
    fn answer(&self, charge: &charge::Model) -> PspAnswer {
        match charge.state.as_str() {
            charge::LOST => PspAnswer::plain(Signal::NoAnswer),
            charge::PENDING => PspAnswer::plain(Signal::Pending),
            charge::CONFIRM => PspAnswer {
                confirmation_url: format!("{}{}", self.confirmation_url, charge.reference),
                ..PspAnswer::plain(Signal::ConfirmationRequired)
            },
            charge::AUTHORIZED | charge::CAPTURED => PspAnswer {
                hold: Some(PspHold { expires_at: charge.expires_at }),
                ..PspAnswer::plain(Signal::Succeeded)
            },
            _ => PspAnswer::declined(&charge.reason),
        }
    }

    async fn charge(&self, reference: AttemptId) -> Result<charge::Model, Unanswered> {
        let found = self.store.charge(reference.uuid()).await?;
        found.ok_or_else(|| Unanswered("the charge is not known".to_owned()))
    }

    async fn operate(
        &self,
        kind: OperationKind,
        step: FollowUpRequest,
    ) -> Result<PspAnswer, Unanswered> {
        let (done, has_events) = is_elsewhere(self.store.clone().operate(kind, step)).await?;
        if has_events {
            self.late.notify_one();
        }
        Ok(operation_answer(&done))
    }
}

/// Runs the sandbox's work to its end, as a system elsewhere does: a caller that stops waiting does not stop it.
async fn is_elsewhere<T: Send + 'static>(
    work: impl Future<Output = Result<T, Unanswered>> + Send + 'static,
) -> Result<T, Unanswered> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Unanswered(error.to_string())))
}

#[async_trait]
impl Psp for Sandbox {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn card(&self, token: &str) -> Result<Option<Card>, Unanswered> {
        Ok(cards::card_of_token(token, self.store.db.clock().now()))
    }

    async fn authorize(&self, charge: AuthorizeRequest<'_>) -> Result<PspAnswer, Unanswered> {
        let behaviour = Behaviour::of(charge.token);
        let new = behaviour.new_charge(charge, self.store.db.clock().now());
        let first = self.store.insert(new.clone()).await?;
        if first && behaviour.times_out() {
            return Err(Unanswered("timed out".to_owned()));
        }
        if first {
            if new.settles_at.is_some() {
                self.late.notify_one();
            }
            return Ok(self.answer(&new));
        }
        // The call that was lost gets through when it is repeated.
        self.store.decide(new.reference, charge::LOST, charge::AUTHORIZED, "").await?;
        Ok(self.answer(&self.charge(charge.reference).await?))
    }

    async fn confirm(&self, charge: AttemptId, code: &str) -> Result<PspAnswer, Unanswered> {
        let (state, reason) = match code {
            CONFIRMATION_CODE => (charge::AUTHORIZED, ""),
            _ => (charge::DECLINED, CONFIRMATION_FAILED),
        };
        self.store.decide(charge.uuid(), charge::CONFIRM, state, reason).await?;
        Ok(self.answer(&self.charge(charge).await?))
    }

    async fn raise(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered> {
        match is_elsewhere(self.store.clone().make_second_hold(step)).await? {
            Some(second) => Ok(self.answer(&second)),
            None => self.operate(OperationKind::Raise, step).await,
        }
    }

    async fn capture(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered> {
        let answer = self.operate(OperationKind::Capture, step).await?;
        Ok(PspAnswer { fee: fee_of(step.amount), ..answer })
    }

    async fn refund(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered> {
        let behaviour = Behaviour::of(&self.charge(step.charge).await?.token);
        if behaviour == Behaviour::RefundFailsOnce && self.store.first_call(step).await? {
            return Err(Unanswered("out of order".to_owned()));
        }
        self.operate(OperationKind::Refund, step).await
    }

    async fn cancel(&self, charge: AttemptId) -> Result<Cancelled, Unanswered> {
        // A charge that has not come yet must find that it was cancelled.
        let now = self.store.db.clock().now();
        let unknown = AuthorizeRequest {
            reference: charge,
            token: "",
            amount: 0,
            currency: "",
            off_session: false,
        };
        let unknown = Behaviour::Cancelled.new_charge(unknown, now);
        if self.store.insert(unknown).await? {
            return Ok(Cancelled::Empty);
        }
        is_elsewhere(self.store.clone().cancel(charge.uuid())).await
    }

    async fn pay_out(&self, transfer: Transfer<'_>) -> Result<PspAnswer, Unanswered> {
        let refused = transfer.amount < MIN_TRANSFER;
        let (state, reason) = match refused {
            false => (operation::DONE, ""),
            true => (operation::REFUSED, "AMOUNT_TOO_SMALL"),
        };
        let row = operation::ActiveModel {
            reference: Set(transfer.reference),
            kind: Set("PAYOUT".to_owned()),
            payee: Set(Some(transfer.provider.uuid())),
            currency: Set(transfer.currency.to_owned()),
            amount: Set(transfer.amount),
            state: Set(state.to_owned()),
            reason: Set(reason.to_owned()),
        };
        let done = self.store.transfer(row).await?;
        Ok(operation_answer(&done))
    }

    async fn status(&self, reference: Uuid) -> Result<PspAnswer, Unanswered> {
        if let Some(charge) = self.store.charge(reference).await? {
            return Ok(self.answer(&charge));
        }
        Ok(match self.store.operation(reference).await? {
            Some(done) => operation_answer(&done),
            None => PspAnswer::plain(Signal::NoAnswer),
        })
    }
}

fn operation_answer(done: &operation::Model) -> PspAnswer {
    match done.state.as_str() {
        operation::DONE => {
            let fee =
                if done.kind == OperationKind::Capture.name() { fee_of(done.amount) } else { 0 };
            PspAnswer { fee, ..PspAnswer::plain(Signal::Succeeded) }
        }
        operation::REFUSED => PspAnswer::declined(&done.reason),
        _ => PspAnswer::plain(Signal::NoAnswer),
    }
}

/// What the sandbox takes for a capture: 1.4 % and 25 minor units, as far as the amount reaches.
fn fee_of(amount: i64) -> i64 {
    (amount / 1_000 * 14 + 25).min(amount)
}
