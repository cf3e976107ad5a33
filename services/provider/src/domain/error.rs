//! What can go wrong, in the words of the contract.

use super::{document, profile};
use kit::{Fault, Kind};
use sea_orm::ActiveEnum;
use std::{collections::HashMap, time::Duration};

/// A failure of provider.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile is absent, or not the caller's to see.
    #[error("provider does not exist")]
    ProviderNotFound,
    /// The account has a profile.
    #[error("the account has a profile already")]
    ProviderExists,
    /// The profile's state does not allow it.
    #[error("cannot {} a profile in {}", action.name(), state.to_value())]
    ProviderState {
        /// Where it stands.
        state: profile::State,
        /// What was asked.
        action: profile::ProfileAction,
    },
    /// No block of the profile has this reason.
    #[error("no block with this reason holds the profile")]
    BlockNotFound,
    /// Only the suspension of the account holds the profile.
    #[error("the account is suspended: reinstate it to lift this block")]
    AccountSuspended,
    /// The background check found nothing clear.
    #[error("the background check is not clear")]
    BackgroundCheckNotClear,
    /// The document is absent, or not the caller's to see.
    #[error("document does not exist")]
    DocumentNotFound,
    /// The document's state does not allow it.
    #[error("cannot {} a document in {}", action.name(), state.to_value())]
    DocumentState {
        /// Where it stands.
        state: document::State,
        /// What was asked.
        action: document::DocumentAction,
    },
    /// The offering is absent, or not the caller's to see.
    #[error("offering does not exist")]
    OfferingNotFound,
    /// The provider offers this vertical.
    #[error("the provider has an offering in this vertical already")]
    OfferingExists,
    /// The time off is absent, or not the caller's to see.
    #[error("time off does not exist")]
    TimeOffNotFound,
    /// The member is absent, or not the caller's to see.
    #[error("member does not exist")]
    MemberNotFound,
    /// The vehicle is absent, or not the caller's to see.
    #[error("vehicle does not exist")]
    AssetNotFound,
    /// The vehicle takes no jobs.
    #[error("the vehicle is not active")]
    AssetInactive,
    /// The profile takes no bookings.
    #[error("the profile takes no bookings in its state")]
    NotActive,
    /// An order of the provider runs.
    #[error("an order is running: finish it first")]
    RunningOrder,
    /// The profile has as many entries as it may have.
    #[error("the profile has {0} entries of this kind already")]
    TooMany(u64),
    /// The provider cannot take the job.
    #[error("the provider cannot take this job")]
    NotEligible(Vec<String>),
    /// The time is held for another order.
    #[error("the time is taken")]
    SlotTaken,
    /// The provider, a member or a vehicle does another exclusive job.
    #[error("the provider does another job at the moment")]
    DriverBusy,
    /// Nothing is reserved for the order.
    #[error("reservation does not exist")]
    ReservationNotFound,
    /// The order let go of the provider before.
    #[error("the order has let go of this provider")]
    ReservationReleased,
    /// The order holds another window of the provider.
    #[error("the order holds another window of this provider")]
    ReservationDiffers,
    /// The order has no track that the caller may see.
    #[error("track does not exist")]
    TrackNotFound,
    /// The provider of the order has not set off.
    #[error("the provider has not set off yet")]
    NotDeparted,
    /// The account has as many streams open as it may.
    #[error("the account has too many streams open")]
    TooManyStreams,
    /// A device sends batches too often.
    #[error("positions come in at most 30 batches a minute: put more positions into each")]
    TooManyBatches,
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
}

impl Error {
    /// A wrong field.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Kit(kit::Error::invalid(field, problem))
    }
}

kit::service_error!(Error);

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::ProviderNotFound => Kind::NotFound("PROVIDER_NOT_FOUND"),
            Self::ProviderExists => Kind::Exists("PROVIDER_EXISTS"),
            Self::ProviderState { .. } => Kind::Precondition("PROVIDER_STATE"),
            Self::BlockNotFound => Kind::NotFound("BLOCK_NOT_FOUND"),
            Self::AccountSuspended => Kind::Precondition("ACCOUNT_SUSPENDED"),
            Self::BackgroundCheckNotClear => Kind::Precondition("BACKGROUND_CHECK_NOT_CLEAR"),
            Self::DocumentNotFound => Kind::NotFound("DOCUMENT_NOT_FOUND"),
            Self::DocumentState { .. } => Kind::Precondition("DOCUMENT_STATE"),
            Self::OfferingNotFound => Kind::NotFound("OFFERING_NOT_FOUND"),
            Self::OfferingExists => Kind::Exists("OFFERING_EXISTS"),
            Self::TimeOffNotFound => Kind::NotFound("TIME_OFF_NOT_FOUND"),
            Self::MemberNotFound => Kind::NotFound("MEMBER_NOT_FOUND"),
            Self::AssetNotFound => Kind::NotFound("ASSET_NOT_FOUND"),
            Self::AssetInactive => Kind::Precondition("ASSET_INACTIVE"),
            Self::NotActive => Kind::Precondition("NOT_ACTIVE"),
            Self::RunningOrder => Kind::Precondition("RUNNING_ORDER"),
            Self::TooMany(_) => Kind::Precondition("TOO_MANY"),
            Self::NotEligible(_) => Kind::Precondition("PROVIDER_NOT_ELIGIBLE"),
            Self::SlotTaken => Kind::Conflict("SLOT_TAKEN"),
            Self::DriverBusy => Kind::Conflict("DRIVER_BUSY"),
            Self::ReservationNotFound => Kind::NotFound("RESERVATION_NOT_FOUND"),
            Self::ReservationReleased => Kind::Precondition("RESERVATION_RELEASED"),
            Self::ReservationDiffers => Kind::Precondition("RESERVATION_DIFFERS"),
            Self::TrackNotFound => Kind::NotFound("TRACK_NOT_FOUND"),
            Self::NotDeparted => Kind::Precondition("ORDER_STATE"),
            Self::TooManyStreams => {
                Kind::Exhausted { reason: "TOO_MANY_STREAMS", retry_after: Duration::from_secs(60) }
            }
            Self::TooManyBatches => {
                Kind::Exhausted { reason: "TOO_MANY_BATCHES", retry_after: Duration::from_secs(10) }
            }
            Self::Kit(error) => error.kind(),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::NotEligible(causes) => HashMap::from([("causes".to_owned(), causes.join(","))]),
            Self::ProviderState { state, .. } => {
                HashMap::from([("allowed_actions".to_owned(), state.allowed_actions().join(","))])
            }
            _ => HashMap::new(),
        }
    }
}
