//! The rules that are the same in every vertical: synchronous, with time and ids as arguments.

pub mod access;
pub mod checklist;
pub mod error;
pub mod facts;
pub mod job;
pub mod phase;
pub mod place;
pub mod price;
pub mod record;
