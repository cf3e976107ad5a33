//! The contracts and all that is derived from them: message types, clients, servers and descriptors.
//!
//! Nothing is written here for a new RPC or package: the build finds every file below `quickserve/`.

#![warn(missing_docs)]

pub mod codec;
pub mod rpc;
pub mod validate;

pub use generated::{google, quickserve};
pub use rpc::{Rpc, all_rpcs, find_rpc};

use prost_reflect::DescriptorPool;
use std::sync::LazyLock;

/// The contracts as a `FileDescriptorSet`: imports, options and comments included. Reflection and the edge read this
/// one; a set that went through Rust types has lost the options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The contracts as descriptors, decoded once. The build has read the same set, so that it cannot fail here; if it did,
/// the pool would be empty.
pub fn descriptor_pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap_or_default());
    &POOL
}

#[allow(missing_docs, clippy::all, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

#[allow(unused, clippy::all)]
mod derived {
    include!(concat!(env!("OUT_DIR"), "/derived.rs"));
}
