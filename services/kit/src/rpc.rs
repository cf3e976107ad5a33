//! Calls between services: the guard round each service, the listener in front of it, and clients of the others.

pub mod admission;
pub mod caller;
pub mod client;
pub mod confidential;
pub mod context;
pub mod details;
pub mod ending;
pub mod error;
pub mod guard;
pub mod headers;
pub mod health;
pub mod listener;
pub mod reason;
pub mod remote;
pub mod revocable;
pub mod starting;
