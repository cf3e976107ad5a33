//! What the end-to-end tests and the benchmark share.

pub mod load;
pub mod process;
pub mod sender;
pub mod server;
