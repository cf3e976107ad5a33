//! The steps that move money. Each has the same shape: write down what will be asked, ask the payment provider outside
//! any transaction, write down the answer. Whatever happens in between, [`settle`] finds it and finishes it.

mod apply;
mod ask;
mod authorize;
mod capture;
mod first;
mod freeze;
mod payout;
mod psp_event;
mod refund;
mod settle;
mod void;

pub use authorize::{Outcome, Verdict};
pub use capture::Settlement;
pub use refund::{Refunding, begin_refund};

use crate::{
    Config,
    domain::intent,
    entity::{Intent, IntentId, OrderId, UserId},
    psp::Psp,
    repository::intents,
};
use chrono::{DateTime, Utc};
use first::First;
use kit::{Db, Tx};
use std::sync::Arc;

/// The timer that finishes what was asked of the payment provider; its aggregate is the intent.
pub const SETTLE: &str = "settle";
/// The timer that makes a payout; its aggregate is the payout.
pub const PAYOUT: &str = "payout";

/// Moves the money of orders.
#[derive(Clone)]
pub struct Payments {
    /// The database.
    pub db: Db,
    /// The payment provider.
    pub psp: Arc<dyn Psp>,
    /// The settings.
    pub config: Arc<Config>,
    first: First,
}

impl Payments {
    /// The payments in `db`, made through `psp`.
    pub fn new(db: Db, psp: Arc<dyn Psp>, config: Arc<Config>) -> Self {
        let first = First::new(&db, config.pending_deadline());
        Self { db, psp, config, first }
    }
}

/// The currency of a payment that was closed before anyone named one: ISO 4217 for no currency.
const NO_CURRENCY: &str = "XXX";

/// A payment that begins now.
fn new_intent(tx: &Tx, order: OrderId, customer: Option<UserId>, currency: &str) -> Intent {
    let now: DateTime<Utc> = tx.now();
    Intent {
        id: IntentId::new(tx.clock()),
        order_id: order,
        customer_id: customer,
        currency: currency.to_owned(),
        amount: 0,
        authorized: 0,
        captured: 0,
        refunded: 0,
        state: intent::State::Open,
        method_id: None,
        frozen: false,
        closed_reason: String::new(),
        version: intents::FIRST_VERSION,
        event_seq: 0,
        created_at: now,
        updated_at: now,
    }
}
