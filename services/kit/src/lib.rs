//! The runtime that every service stands on. A service receives a [`Host`], hands over its [`Routes`], and finds here
//! what it needs: a database, a bus, timers, clients of other services.
//!
//! | folder | what |
//! |---|---|
//! | [`program`] | what a process gives its services: configuration, clock, telemetry; start with [`program::host`] |
//! | [`rpc`] | calls in and out: the guard round every service, clients of others, errors |
//! | [`identity`] | who calls: keys, tokens, revocation |
//! | [`mesh`] | what processes of one installation prove themselves to each other with: certificates and keys |
//! | [`envelope`] | values that are encrypted under keys apart from them |
//! | [`storage`] | the database, idempotency keys, pages, the cache, the index of positions |
//! | [`redis`] | the connection to Redis, which is never the truth |
//! | [`messaging`] | facts between services, and timers |
//! | [`values`] | ids, money, places, time |

#![warn(missing_docs)]

pub mod envelope;
pub mod identity;
pub mod mesh;
pub mod messaging;
pub mod program;
pub mod redis;
pub mod rpc;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod values;

pub use messaging::event::Event;
pub use program::{clock::Clock, host::Host};
pub use rpc::{
    caller::{Caller, Role, Scope, Subject, caller_of},
    error::{Error, Fault, Kind},
    guard::Routes,
};
pub use storage::{
    batch::Batch,
    db::{Db, Tx},
};
pub use values::{id::Id, money::Money, time::Window};
