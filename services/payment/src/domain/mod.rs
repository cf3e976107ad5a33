//! Every rule of payment: what may become of intents, attempts and payouts, who gets which part of the money, and what
//! the ledger says. Nothing here waits, reads a clock or knows the wire.

pub mod attempt;
pub mod capture;
pub mod card_hold;
pub mod chargeback;
pub mod commission;
pub mod decision;
pub mod due;
pub mod hold;
pub mod intent;
pub mod ledger;
pub mod method;
pub mod payout;
pub mod psp_event;
pub mod signature;

pub use attempt::Model as Attempt;
pub use capture::Model as Capture;
pub use chargeback::Model as Chargeback;
pub use due::Model as Due;
pub use hold::Model as Hold;
pub use intent::Model as Intent;
pub use method::Model as Method;
pub use payout::Model as Payout;

use kit::{Fault, Kind};
use std::time::Duration;

/// An order of the order service.
pub struct Order;
/// An account of the user service.
pub struct User;
/// A profile of the provider service.
pub struct Provider;

/// Names an attempt; the reference under which the payment provider knows it.
pub type AttemptId = kit::Id<Attempt>;
/// Names a due.
pub type DueId = kit::Id<Due>;
/// Names an intent.
pub type IntentId = kit::Id<Intent>;
/// Names a saved payment method.
pub type MethodId = kit::Id<Method>;
/// Names an order.
pub type OrderId = kit::Id<Order>;
/// Names a payout.
pub type PayoutId = kit::Id<Payout>;
/// Names a provider profile.
pub type ProviderId = kit::Id<Provider>;
/// Names an account.
pub type UserId = kit::Id<User>;

/// Most minor units an amount may have: a billion euros, far from the end of an `i64` however many are added up.
pub const MAX_AMOUNT: i64 = 100_000_000_000;

/// What payment refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such payment, or not the caller's.
    #[error("the payment does not exist")]
    PaymentNotFound,
    /// No such payment method, or not the caller's.
    #[error("the payment method does not exist")]
    MethodNotFound,
    /// The customer has as many payment methods as may be.
    #[error("there are too many payment methods: delete one first")]
    MethodLimit,
    /// No such payout, or not the caller's.
    #[error("the payout does not exist")]
    PayoutNotFound,
    /// The payment was given back and stays closed.
    #[error("the payment is closed")]
    Closed,
    /// The payment's state does not allow it.
    #[error("the payment is {0}")]
    State(&'static str),
    /// The payout's state does not allow it.
    #[error("the payout is {0}")]
    PayoutState(&'static str),
    /// More than was authorised.
    #[error("more would be captured than was authorised")]
    ExceedsAuthorization,
    /// Something else than an operator holds the payout back.
    #[error("the payout is held back: {0}")]
    PayoutHeld(String),
    /// No such due, or not the caller's.
    #[error("the due does not exist")]
    DueNotFound,
    /// The customer books nothing else before what is owed is paid.
    #[error("something is owed for an earlier order: pay it first, see GET /v1/me/dues")]
    DuesOpen,
    /// The due's state does not allow it.
    #[error("the due is {0}")]
    DueState(&'static str),
    /// More than is left of the capture.
    #[error("more would be refunded than is left: {refundable} minor units")]
    ExceedsCapture {
        /// What is left, in minor units.
        refundable: i64,
    },
    /// The customer's bank has the money, or looks at a dispute.
    #[error("the customer's bank has taken the money back, or looks at a dispute")]
    ChargedBack,
    /// The payment provider refused; the reason is a stable code.
    #[error("the payment provider refused: {0}")]
    Declined(String),
    /// The payment provider has not answered yet.
    #[error("the payment provider has not answered yet")]
    Pending,
    /// The signature of an event is wrong or too old.
    #[error("the signature is not valid")]
    Signature,
    /// No payment provider of that name.
    #[error("there is no such payment provider")]
    PspNotFound,
    /// Another call changed the row first; the work is done again.
    #[error("another call came first")]
    Raced,
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
}

impl Error {
    /// A wrong field.
    pub fn invalid(field: &str, problem: &str) -> Self {
        kit::Error::invalid(field, problem).into()
    }
}

kit::service_error!(Error);

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::PaymentNotFound => Kind::NotFound("PAYMENT_NOT_FOUND"),
            Self::MethodNotFound => Kind::NotFound("PAYMENT_METHOD_NOT_FOUND"),
            Self::MethodLimit => Kind::Precondition("PAYMENT_METHOD_LIMIT"),
            Self::PayoutNotFound => Kind::NotFound("PAYOUT_NOT_FOUND"),
            Self::Closed => Kind::Precondition("PAYMENT_CLOSED"),
            Self::State(_) => Kind::Precondition("PAYMENT_STATE"),
            Self::PayoutState(_) => Kind::Precondition("PAYOUT_STATE"),
            Self::ExceedsAuthorization => Kind::Precondition("CAPTURE_EXCEEDS_AUTHORIZATION"),
            Self::PayoutHeld(_) => Kind::Precondition("PAYOUT_HELD"),
            Self::DueNotFound => Kind::NotFound("DUE_NOT_FOUND"),
            Self::DuesOpen => Kind::Precondition("DUES_OPEN"),
            Self::DueState(_) => Kind::Precondition("DUE_STATE"),
            Self::ChargedBack => Kind::Precondition("CHARGED_BACK"),
            Self::ExceedsCapture { .. } => Kind::Precondition("REFUND_EXCEEDS_CAPTURE"),
            Self::Declined(_) => Kind::Precondition("PAYMENT_DECLINED"),
            Self::Pending => {
                Kind::Unavailable { reason: "PAYMENT_PENDING", retry_after: Duration::from_secs(1) }
            }
            Self::Signature => Kind::Denied("SIGNATURE_INVALID"),
            Self::PspNotFound => Kind::NotFound("PSP_NOT_FOUND"),
            Self::Raced => Kind::Conflict("VERSION_MISMATCH"),
            Self::Kit(error) => error.kind(),
        }
    }

    fn metadata(&self) -> std::collections::HashMap<String, String> {
        match self {
            Self::Declined(reason) => [("decline_reason".to_owned(), reason.clone())].into(),
            Self::ExceedsCapture { refundable } => {
                [("refundable_minor_units".to_owned(), refundable.to_string())].into()
            }
            Self::PayoutHeld(reasons) => [("holds".to_owned(), reasons.clone())].into(),
            Self::PaymentNotFound
            | Self::DueNotFound
            | Self::DuesOpen
            | Self::DueState(_)
            | Self::ChargedBack
            | Self::MethodNotFound
            | Self::MethodLimit
            | Self::PayoutNotFound
            | Self::Closed
            | Self::State(_)
            | Self::PayoutState(_)
            | Self::ExceedsAuthorization
            | Self::Pending
            | Self::Signature
            | Self::PspNotFound
            | Self::Raced => std::collections::HashMap::new(),
            Self::Kit(error) => error.metadata(),
        }
    }
}
