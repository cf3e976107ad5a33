//! What other services do after an order has changed.

use super::{CaptureTerms, ProviderId};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What another service is to do once its change is committed. Each can be done again without harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SideEffect {
    /// Give back what was authorised or captured.
    Void { reason: String },
    /// Capture money; what is authorised beyond it goes back.
    Capture(CaptureTerms),
    /// Give captured money back.
    Refund {
        /// How much, in minor units.
        amount: i64,
        /// Names the step.
        step: String,
        reason: String,
    },
    /// Give back what an attempt has authorised, and keep its payment method.
    ReleaseAuthorization { attempt_key: String },
    /// Give back what was authorised for a change that did not come to be.
    ReleaseRaise { change: Uuid },
    /// Keep what is reserved from running out: capture it into escrow, or reserve it anew.
    SecurePayment { capture: bool },
    /// Freeze or thaw the payout.
    Freeze {
        /// Freeze, or thaw.
        frozen: bool,
    },
    /// Hold that much of the payouts back for a claim.
    HoldClaim { claim: Uuid, amount: i64 },
    /// End what is held back for a claim.
    EndClaim { claim: Uuid },
    /// Free the time of every provider, for good.
    Release {
        /// The only provider to free. Rows of the time before rounds name one; new ones use `ReleaseProvider`.
        provider_id: Option<ProviderId>,
    },
    /// Free the time that a provider has held since a round of the search.
    ReleaseProvider {
        /// The provider's profile.
        provider_id: ProviderId,
        round: i32,
    },
    /// The work is done: the provider may do another exclusive job, and has the rest of the time back.
    FinishJob {
        /// The provider's profile.
        provider_id: ProviderId,
        round: i32,
    },
    /// Tell the vertical how the order stands by the time it is told.
    #[serde(rename = "tell")]
    TellVertical,
}

impl SideEffect {
    /// Whether it has provider free time that it keeps for the order.
    pub const fn frees_time(&self) -> bool {
        matches!(self, Self::Release { .. } | Self::ReleaseProvider { .. } | Self::FinishJob { .. })
    }
}
