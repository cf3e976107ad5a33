//! The rules: what a cleaning costs and takes, what is to be done in it, and how it goes.

pub mod checklist;
pub mod cleaning;
pub mod details;
pub mod error;
pub mod gap;
pub mod price;
pub mod record;
pub mod table;

pub use details::Details;
pub use error::Error;
pub use record::Model as Cleaning;
