//! What can go wrong, in the words of the contracts.

use kit::{Fault, Kind, envelope::EnvelopeError};

/// A failure of child_assistance.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The child is absent, or the caller is no guardian of it.
    #[error("child does not exist")]
    ChildNotFound,
    /// The adult is absent, or the caller is no guardian of their child.
    #[error("adult does not exist")]
    AdultNotFound,
    #[error("release does not exist")]
    ReleaseNotFound,
    /// The invitation is used up, out of date, or never was.
    #[error("invitation does not exist")]
    InvitationNotFound,
    /// The guardian is told, and does not decide.
    #[error("only a guardian who manages the child may do this")]
    GuardianRight,
    #[error("another guardian must manage the child first")]
    LastGuardian,
    /// Another thing has the id that was chosen.
    #[error("{1} exists already: choose another id")]
    Exists(&'static str, &'static str),
    /// As many as there may be: of what, and how many.
    #[error("there are {1} {0} already, which is the most: end or remove some first")]
    TooMany(&'static str, u64),
    #[error("the child is in the care of an order that runs: end that first")]
    ChildInCare,
    #[error(
        "what is known of the children can be read from a day before the start until all are fetched"
    )]
    CareClosed,
    /// Where the child is does not allow it.
    #[error("where the child is does not allow this: {0}")]
    ChildState(&'static str),
    /// The child is not handed out. The guardians are told.
    #[error(transparent)]
    PickupRefused(#[from] PickupRefusal),
    /// What every vertical can meet.
    #[error(transparent)]
    Vertical(#[from] vertical::Error),
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
}

/// Why a child is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickupRefusal {
    /// The adult is not one of the child's.
    #[error(
        "this adult is not authorised for the child: do not hand it over, its guardians are told"
    )]
    AdultUnknown,
    /// The adult may not any more, or not now.
    #[error(
        "this adult is not authorised any more or at this time: do not hand the child over, its guardians are told"
    )]
    AdultRevoked,
    #[error("the code is wrong: do not hand the child over")]
    CodeWrong,
    #[error(
        "wrong codes have locked the hand-out by code: take a photo ID, which a guardian approves"
    )]
    CodeLocked,
}

impl PickupRefusal {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AdultUnknown => "ADULT_UNKNOWN",
            Self::AdultRevoked => "ADULT_REVOKED",
            Self::CodeWrong => "CODE_WRONG",
            Self::CodeLocked => "CODE_LOCKED",
        }
    }
}

impl Error {
    /// A wrong field.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Kit(kit::Error::invalid(field, problem))
    }
}

kit::service_error!(Error);

impl From<EnvelopeError> for Error {
    fn from(error: EnvelopeError) -> Self {
        Self::Kit(error.into())
    }
}

/// A failure within what every vertical does.
impl From<Error> for vertical::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Vertical(error) => error,
            other => Self::Kit(other.into()),
        }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::ChildNotFound => Kind::NotFound("CHILD_NOT_FOUND"),
            Self::AdultNotFound => Kind::NotFound("ADULT_NOT_FOUND"),
            Self::ReleaseNotFound => Kind::NotFound("RELEASE_NOT_FOUND"),
            Self::InvitationNotFound => Kind::NotFound("INVITATION_NOT_FOUND"),
            Self::GuardianRight => Kind::Precondition("GUARDIAN_RIGHT"),
            Self::LastGuardian => Kind::Precondition("LAST_GUARDIAN"),
            Self::Exists(reason, _) => Kind::Exists(reason),
            Self::TooMany(..) => Kind::Precondition("TOO_MANY"),
            Self::ChildInCare => Kind::Precondition("CHILD_IN_CARE"),
            Self::CareClosed => Kind::Precondition("CARE_CLOSED"),
            Self::ChildState(_) => Kind::Precondition("CHILD_STATE"),
            Self::PickupRefused(refusal) => Kind::Denied(refusal.code()),
            Self::Vertical(error) => error.kind(),
            Self::Kit(error) => error.kind(),
        }
    }
}
