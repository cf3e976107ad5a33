//! Every query of payment, by noun.

pub mod attempts;
pub mod captures;
pub mod chargebacks;
pub mod dues;
pub mod fast_path;
pub mod holds;
pub mod intents;
pub mod journals;
pub mod methods;
pub mod payouts;
pub mod psp_events;
