//! The rules: what care of children costs, who may bring and fetch a child, and what stays when a family is erased.

pub mod access;
pub mod adult;
pub mod age;
pub mod care;
pub mod details;
pub mod error;
pub mod price;
pub mod profile;
pub mod records;
pub mod settlement;
pub mod tables;

pub use care::Care;
pub use error::Error;
