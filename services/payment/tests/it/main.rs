//! The stories of payment, over the real stack and on both databases. After each one the books balance.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authorize;
mod beyond_cap;
mod capture;
mod chargebacks;
mod claims;
mod dues;
mod hangup;
mod holds;
mod journals;
mod ledger;
mod methods;
mod payouts;
mod postings;
mod random;
mod refunds;
mod running_out;
mod second_holds;
mod shop;
mod void;
mod webhook;
