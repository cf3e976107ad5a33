//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them, within limits. The edge, every service's port and
//! `quickserve transcode` listen with it.
//!
//! hyper serves a connection that behaves; this crate does what is needed around it for those that do not: a time
//! limit for the TLS handshake and the first bytes, limits on connections and control frames, a time limit for peers
//! that do not read, lingering after an early answer, and a drain that ends.

mod accept;
mod application;
mod buffered_socket;
mod connection;
mod connection_limit;
mod control_frames;
mod limits;

pub use accept::{Drained, Listener, listen};
pub use application::{Application, BoxError, Content};
pub use connection_limit::peer_key;
pub use limits::{Limits, Versions};
