//! The RPCs of payment: each reads its request, makes one call and converts the answer.

mod charge;
mod convert;
mod due;
mod ledger;
mod payment;
mod payment_method;
mod payout;
mod psp_event;

use crate::{domain::UserId, flow::Payments};
use kit::Scope;

/// Serves the RPCs of payment.
#[derive(Clone)]
pub struct Api {
    /// Moves the money.
    pub payments: Payments,
}

/// The account to which a caller's scope is limited; none for operators.
fn account_of(scope: Scope) -> Option<UserId> {
    match scope {
        Scope::All => None,
        Scope::Account(id) => Some(UserId::from_uuid(id)),
    }
}
