//! The runtime that every service stands on. A service receives a [`Host`], hands over its [`Routes`], and finds here
//! what it needs: a database, a bus, timers, clients of other services.
//!
//! Start reading at [`host`]; the walk of a request begins in [`server`].

pub mod batch;
pub mod bus;
pub mod cache;
pub mod call;
pub mod caller;
pub mod clock;
pub mod config;
pub mod context;
pub mod crash;
pub mod db;
pub mod details;
pub mod error;
pub mod event;
pub mod host;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod inbox;
pub mod keyring;
pub mod metrics;
pub mod money;
pub mod outbox;
pub mod page;
pub mod remote;
pub mod revocation;
pub mod serve;
pub mod server;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod timers;
pub mod token;

pub use batch::Batch;
pub use caller::{Caller, Role, Subject, caller};
pub use clock::Clock;
pub use db::{Db, Tx};
pub use error::{Error, Fault, Kind};
pub use event::Event;
pub use host::Host;
pub use id::Id;
pub use money::Money;
pub use server::Routes;
pub use time::Window;
