//! What is derived from contracts, tried on an example contract with every kind of rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod codec {
    pub use proto::codec::*;
}
mod rpc {
    pub use proto::rpc::*;
}
mod validate {
    pub use proto::validate::*;
}

#[allow(missing_docs, clippy::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/sample/mod.rs"));
}
use generated::{google, sample};

#[allow(unused, clippy::all)]
mod derived {
    include!(concat!(env!("OUT_DIR"), "/sample/derived.rs"));
}

mod table {
    include!(concat!(env!("OUT_DIR"), "/sample/rpcs.rs"));
}

mod policies;
mod redaction;
mod rules;
mod server;
