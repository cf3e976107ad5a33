//! The rules: what a move costs and takes, how it goes, what is signed for, and what is claimed.

pub mod claim;
pub mod defaults;
pub mod details;
pub mod inventory;
pub mod price;
pub mod settlement;
pub mod state;
pub mod tables;
pub mod waybill;

pub use details::MoveInputs;
pub use waybill::Move;
