//! What the processes of one installation prove themselves to each other with.
//!
//! A process has a certificate of the installation's authority that names its service, and a keyring of its own. TLS 1.3
//! both ways says which service calls; the internal token, signed by that service's own keys, says for which account.
//!
//! [`files`] are the settings, [`certificates`] what is read from them and read again as it changes, [`client`] connects,
//! [`keys`] are the keyring and the public keys of the others, [`name`] is how a certificate names a service,
//! [`validity`] whether one is good for longer.

pub mod certificates;
pub mod client;
pub mod files;
pub mod keys;
pub mod name;
pub mod validity;

pub use certificates::Certificates;
pub use client::MeshClient;
pub use files::{MeshError, MeshFiles};
pub use keys::MeshKeys;
pub use name::{MeshPeer, ServiceName};
