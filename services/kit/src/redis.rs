//! Redis, which is never the truth: what is in it can be lost at any time, and every call has an answer soon.
//!
//! | file | what |
//! |---|---|
//! | `client` | the one way to call Redis: bounded in time and in number, tried at most once |
//! | `breaker` | holds calls back while Redis does not answer |
//! | [`buckets`] | limits that processes share |
//! | `listener` | hears what is published on a channel |

mod breaker;
pub mod buckets;
mod client;
mod listener;

pub use client::{COMMAND_LIMIT, Redis, RedisError, SCRIPT_LIMIT};
pub use fred::types::{Value, scripts::Script};
pub use listener::listen_to;
