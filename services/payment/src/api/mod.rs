//! The RPCs of payment: each reads its request, makes one call and converts the answer.

mod charge;
mod convert;
mod due;
mod ledger;
mod payment;
mod payment_method;
mod payout;
mod psp_event;

use crate::{domain::Error, flow::Payments};

/// Serves the RPCs of payment.
#[derive(Clone)]
pub struct Api {
    /// Moves the money.
    pub payments: Payments,
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        kit::rpc::error::status_of(&error)
    }
}
