//! The rules of accounts, without clock, chance or input and output: times and random bytes come in as arguments.

pub mod account;
pub mod address;
pub mod code;
pub mod form;
pub mod mask;
pub mod password;
pub mod records;
pub mod secret;
pub mod session;
pub mod throttle;

use account::Status;
use kit::rpc::error::{Fault, Kind};
use std::{collections::HashMap, time::Duration};

pub use records::{
    address::Model as Address, consent::Model as Consent, session::Model as Session,
    user::Model as User,
};

/// Id of an account.
pub type UserId = kit::Id<User>;
/// Id of a session.
pub type SessionId = kit::Id<Session>;
/// Id of a kept address.
pub type AddressId = kit::Id<Address>;

/// Why a request about accounts is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No such account, or none that the caller may see.
    #[error("the account does not exist")]
    UserNotFound,
    /// No such address of the caller.
    #[error("the address does not exist")]
    AddressNotFound,
    /// The account keeps as many addresses as it may.
    #[error("an account keeps at most {0} addresses")]
    AddressLimit(u64),
    /// Unknown address, wrong password or closed account: never said which.
    #[error("the e-mail address or the password is wrong")]
    CredentialsInvalid,
    /// The refresh token is unknown, spent, expired or its session has ended.
    #[error("the refresh token is not valid: sign in again")]
    RefreshTokenInvalid,
    /// The account of a token that is still valid has been closed.
    #[error("the session has ended: sign in again")]
    SessionRevoked,
    /// The code is unknown, used, expired or was guessed at too often.
    #[error("the code is not valid: ask for a new one")]
    CodeInvalid,
    /// The account has not asked for such a code.
    #[error("the account has not asked for a code")]
    CodeNotRequested,
    /// An account that an operator makes has an address that is taken.
    #[error("the e-mail address has an account already")]
    EmailTaken,
    /// The address of a registration has an account, on an installation that says so.
    #[error("Email already registered")]
    EmailRegistered,
    /// An operator asks for a role beside that one.
    #[error("an operator's account cannot take on another role: use an account of its own for it")]
    OperatorRole,
    /// An operator would suspend their own account.
    #[error("operators cannot suspend their own account: another operator can")]
    SelfSuspension,
    /// Afterwards no operator could sign in.
    #[error("this is the last active operator: make another one before")]
    LastOperator,
    /// The account's status does not allow it.
    #[error("{} account cannot be {action}", .status.described())]
    Refused {
        status: Status,
        /// What was to be done, as a participle.
        action: &'static str,
    },
    /// Too many failures: wait.
    #[error("too many attempts: wait before you try again")]
    TooManyAttempts {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Too many passwords wait to be hashed.
    #[error("too many passwords wait to be hashed")]
    HashingBusy,
    /// More requests for mail wait than are worth keeping.
    #[error("the service is overloaded")]
    Overloaded,
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
}

impl Error {
    /// The `error` of RFC 6749 §5.2 for a grant that was refused.
    pub const fn oauth(&self) -> Option<&'static str> {
        match self {
            Self::CredentialsInvalid | Self::RefreshTokenInvalid => Some("invalid_grant"),
            _ => None,
        }
    }
}

kit::service_error!(Error);

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid { field, .. } => Kind::Invalid { field: (*field).to_owned() },
            Self::UserNotFound => Kind::NotFound("USER_NOT_FOUND"),
            Self::AddressNotFound => Kind::NotFound("ADDRESS_NOT_FOUND"),
            Self::AddressLimit(_) => Kind::Precondition("ADDRESS_LIMIT"),
            Self::CredentialsInvalid => Kind::Unauthenticated("CREDENTIALS_INVALID"),
            Self::RefreshTokenInvalid => Kind::Unauthenticated("REFRESH_TOKEN_INVALID"),
            Self::SessionRevoked => Kind::Unauthenticated("SESSION_REVOKED"),
            Self::CodeInvalid => Kind::Precondition("CODE_INVALID"),
            Self::CodeNotRequested => Kind::Precondition("CODE_NOT_REQUESTED"),
            Self::EmailTaken => Kind::Exists("EMAIL_TAKEN"),
            Self::EmailRegistered => Kind::Precondition("EMAIL_REGISTERED"),
            Self::OperatorRole => Kind::Precondition("OPERATOR_ROLE"),
            Self::SelfSuspension => Kind::Precondition("SELF_SUSPENSION"),
            Self::LastOperator => Kind::Precondition("LAST_OPERATOR"),
            Self::Refused { .. } => Kind::Precondition("USER_STATE"),
            Self::TooManyAttempts { retry_after } => {
                Kind::Exhausted { reason: "TOO_MANY_ATTEMPTS", retry_after: *retry_after }
            }
            Self::HashingBusy => {
                Kind::Unavailable { reason: "HASHING_BUSY", retry_after: Duration::from_secs(1) }
            }
            Self::Overloaded => {
                Kind::Exhausted { reason: "OVERLOADED", retry_after: Duration::from_secs(1) }
            }
            Self::Kit(error) => error.kind(),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Refused { status, .. } => {
                [("status".to_owned(), status.name().to_owned())].into()
            }
            Self::Kit(error) => error.metadata(),
            _ => HashMap::new(),
        }
    }
}
