//! The tables as SeaORM sees them; their columns are documented where they are migrated.
//!
//! No row prints its personal data or secrets: `Debug` of those that have some is written by hand.

pub mod address;
pub mod consent;
pub mod contact_code;
pub mod credential;
pub mod known_client;
pub mod refresh_token;
pub mod revocation;
pub mod session;
pub mod user;
