//! What a service keeps: its database, idempotency keys, pages of lists, and the cache of hot reads.

pub mod batch;
pub mod cache;
pub mod db;
pub mod db_error;
pub mod files;
pub mod idempotency;
pub mod page;
pub mod version;
