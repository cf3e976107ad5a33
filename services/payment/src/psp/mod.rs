//! Payment providers as payment sees them: systems elsewhere that may answer late, twice or not at all.

pub mod sandbox;

pub use crate::domain::{
    attempt::{PspAnswer, PspHold},
    method::Card,
};

use crate::domain::{AttemptId, ProviderId};
use async_trait::async_trait;
use uuid::Uuid;

/// A payment provider. Each call carries our own reference: repeating it with the same reference does nothing more and
/// gets the same answer.
#[async_trait]
pub trait Psp: Send + Sync {
    /// Its name in the path of its webhook.
    fn name(&self) -> &'static str;

    /// The card behind a token, or none when the token is not one of its own.
    async fn card(&self, token: &str) -> Result<Option<Card>, Unanswered>;

    /// Reserves money on a card.
    async fn authorize(&self, charge: AuthorizeRequest<'_>) -> Result<PspAnswer, Unanswered>;

    /// Hands over the customer's confirmation of a charge.
    async fn confirm(&self, charge: AttemptId, code: &str) -> Result<PspAnswer, Unanswered>;

    /// Reserves more on a charge, or beside it: then the answer names the second hold, which has the request's reference.
    async fn raise(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered>;

    /// Takes what is reserved, up to the amount, and frees the rest.
    async fn capture(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered>;

    /// Gives back what was taken.
    async fn refund(&self, step: FollowUpRequest) -> Result<PspAnswer, Unanswered>;

    /// Sees to it that nothing is reserved on a charge, now and later, also when it never heard of it.
    async fn cancel(&self, charge: AttemptId) -> Result<Cancelled, Unanswered>;

    /// Transfers money to a provider.
    async fn pay_out(&self, transfer: Transfer<'_>) -> Result<PspAnswer, Unanswered>;

    /// What became of a request, by our reference.
    async fn status(&self, reference: Uuid) -> Result<PspAnswer, Unanswered>;
}

/// The payment provider did not answer: whether it did what was asked is not known.
#[derive(Debug, thiserror::Error)]
#[error("the payment provider did not answer: {0}")]
pub struct Unanswered(pub String);

/// A request to reserve money.
#[derive(Clone, Copy)]
pub struct AuthorizeRequest<'a> {
    pub reference: AttemptId,
    pub token: &'a str,
    /// How much, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: &'a str,
    /// Whether the customer is not there to confirm it.
    pub off_session: bool,
}

/// A request that acts on a charge.
#[derive(Clone, Copy, Debug)]
pub struct FollowUpRequest {
    /// Our reference of the request.
    pub reference: AttemptId,
    /// Our reference of the charge.
    pub charge: AttemptId,
    /// How much, in minor units of the charge's currency.
    pub amount: i64,
}

/// A request to pay a provider.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    pub reference: Uuid,
    /// Who gets it.
    pub provider: ProviderId,
    /// How much, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: &'a str,
}

/// What became of a request to cancel a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing was reserved, and nothing will be.
    Empty,
    /// What was reserved is free again.
    Held,
    /// The charge cannot be cancelled yet: its outcome is still open.
    NotYet,
}
