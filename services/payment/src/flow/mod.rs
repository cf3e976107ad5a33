//! The steps that move money. Each has the same shape: write down what will be asked, ask the payment provider outside
//! any transaction, write down the answer ([`attempt`]). When a process dies in between, [`settle`] finds the step and finishes
//! it.

mod attempt;
mod authorize;
mod capture;
mod chargeback;
mod claims;
mod dues;
mod effects;
mod giving_back;
mod holds;
mod payout;
mod psp_event;
#[cfg(test)]
mod races;
mod raise;
mod refund;
mod secure;
mod settle;
mod split;
mod void;

pub use crate::domain::card_hold::HOLD;
pub use authorize::{AuthorizationOutcome, AuthorizationStatus};
pub use dues::open_due_payment;
pub use holds::{hold_payouts, lift_hold};
pub use raise::{RaiseOutcome, RaiseRequest};
pub use refund::{RefundAmount, RefundRequest, open_refund};

use crate::{Config, psp::Psp, repository::fast_path::FastPath};
use kit::Db;
use std::sync::Arc;

/// The timer that finishes what was asked of the payment provider; its aggregate is the intent.
pub const SETTLE: &str = "settle";
/// The timer that makes a payout; its aggregate is the payout.
pub const PAYOUT: &str = "payout";

/// The timer of a due that is to be paid by now; its aggregate is the due.
pub const DUE: &str = "due";

/// Moves the money of orders.
#[derive(Clone)]
pub struct Payments {
    pub db: Db,
    /// The payment provider.
    pub psp: Arc<dyn Psp>,
    pub config: Arc<Config>,
    fast_path: FastPath,
}

impl Payments {
    /// The payments in `db`, made through `psp`.
    pub fn new(db: Db, psp: Arc<dyn Psp>, config: Arc<Config>) -> Self {
        let fast_path = FastPath::new(&db, config.pending_deadline());
        Self { db, psp, config, fast_path }
    }
}
