//! The contracts and all that is derived from them: message types, clients, servers and descriptors.
//!
//! Nothing is written here for a new RPC or package: the build finds every file below `quickserve/`.

pub mod codec;
pub mod rpc;
pub mod validate;

pub use generated::{google, quickserve};
pub use rpc::{Rpc, rpc, rpcs};

/// The contracts as a `FileDescriptorSet`: imports, options and comments included. Reflection and the edge read this
/// one; a set that went through Rust types has lost the options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[allow(missing_docs, clippy::all, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

#[allow(unused, clippy::all)]
mod derived {
    include!(concat!(env!("OUT_DIR"), "/derived.rs"));
}
