//! What every bus does, within a process and between processes: events reach each consumer in the order of their
//! aggregate and take effect once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod buses {
    mod handover;
    pub mod kills;
    pub mod stage;
    mod streams;
    mod suite;
}
