//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them, within limits. The edge, every service's port and
//! `quickserve transcode` listen with it.
//!
//! hyper serves a connection that behaves; this crate does what is needed around it for those that do not: a time
//! limit for the TLS handshake and the first bytes, limits on connections and control frames, a time limit for peers
//! that do not read, lingering after an early answer, and a drain that ends. When there are as many connections as there
//! may be, the one that has been idle for the longest time makes room.

#![warn(missing_docs)]

mod accept;
mod answer;
mod application;
mod buffered_socket;
mod connection;
mod content;
mod control_frames;
mod limits;
mod open_connections;
mod peer_limit;
mod request_rules;
mod stream_ends;
mod unreadable;

pub use accept::{Drained, Listener, bind_listener};
pub use application::{Application, BoxError};
pub use content::Content;
pub use limits::{Limits, Versions};
pub use peer_limit::peer_key;
pub use request_rules::{BrokenRule, check_request};
pub use stream_ends::{StreamEnd, StreamEnds};
