//! What a service keeps: its database and copies of it, idempotency keys, pages of lists, the cache of hot
//! reads, and the index of positions.

pub mod backup;
pub mod batch;
pub mod cache;
mod connect;
pub mod db;
pub mod db_error;
pub mod files;
pub mod idempotency;
pub mod page;
pub mod position;
pub mod shared_cache;
pub mod shared_position;
pub mod version;
pub(crate) mod waiting;
