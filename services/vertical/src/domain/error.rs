//! What can go wrong, in the words of the contracts.

use kit::{Fault, Kind};

/// A failure of a vertical.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The order is absent, or the caller is no party to it.
    #[error("order does not exist")]
    OrderNotFound,
    /// What belongs to an order is absent, or the caller is no party to it: the reason, and what it is.
    #[error("{1} does not exist")]
    RecordNotFound(&'static str, &'static str),
    /// The order's state does not allow it.
    #[error("the state of the order does not allow this: {0}")]
    OrderState(&'static str),
    /// A delivery of the order is being written, or its end.
    #[error(
        "the work is being delivered or broken off: repeat the call in a minute, or ask for rework"
    )]
    DeliveryBegun,
    /// The vertical refuses what was asked, for a reason of its own.
    #[error("{1}")]
    Refused(&'static str, String),
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
            Self::OrderNotFound => Kind::NotFound("ORDER_NOT_FOUND"),
            Self::RecordNotFound(reason, _) => Kind::NotFound(reason),
            Self::OrderState(_) => Kind::Precondition("ORDER_STATE"),
            Self::DeliveryBegun => Kind::Conflict("DELIVERY_BEGUN"),
            Self::Refused(reason, _) => Kind::Precondition(reason),
            Self::Kit(error) => error.kind(),
        }
    }
}
