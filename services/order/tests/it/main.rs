//! Orders over the real stack on both databases, with scripted provider, payment and vertical.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod acts;
mod again;
mod asked;
mod booking;
mod cancelling;
mod changing;
mod claims;
mod concurrency;
mod crashes;
mod crew;
mod dispatch;
mod eligibility;
mod help;
mod life;
mod money;
mod moving;
mod payments;
mod provider_server;
mod random;
mod script;
mod search;
mod series;
mod servers;
mod settling;
mod states;
mod telling;
mod town;
mod toy;
mod verticals;
