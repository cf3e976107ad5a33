//! The stories of payment, over the real stack and on both databases. After each one the books balance.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod authorize;
mod capture;
mod hangup;
mod ledger;
mod methods;
mod payouts;
mod refunds;
mod shop;
mod void;
mod webhook;
