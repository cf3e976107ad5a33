//! The RPCs of payment: each reads its request, makes one call and converts the answer.

mod charge;
mod convert;
mod ledger;
mod payment;
mod payment_method;
mod payout;
mod psp_event;

use crate::flow::Payments;

/// Serves the RPCs of payment.
#[derive(Clone)]
pub struct Api {
    /// Moves the money.
    pub payments: Payments,
}
