//! The rules: what a cleaning costs and takes, and what is to be done in it.

pub mod checklist;
pub mod details;
pub mod gap;
pub mod price;
pub mod table;

pub use details::Details;
