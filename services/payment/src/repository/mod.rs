//! Every query of payment, by noun.

pub mod attempts;
pub mod intents;
pub mod ledger;
pub mod methods;
pub mod payouts;
pub mod psp_events;
