//! The rules: what a visit costs and requires, what is found, what the repair takes, and how it ends.

pub mod appliance;
pub mod details;
pub mod estimate;
pub mod part;
pub mod price;
pub mod repair;
pub mod sla;
pub mod state;
pub mod tables;

pub use details::RepairInputs;
pub use repair::Repair;
