//! The rules: what a ride costs and requires, how it goes, and what it comes to.

pub mod details;
pub mod fare;
pub mod hours;
pub mod price;
pub mod ride;
pub mod settlement;
pub mod tables;
pub mod waiting;
pub mod way;

pub use details::RideInputs;
pub use ride::Ride;
