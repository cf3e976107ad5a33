//! Who calls: the keys that sign, the tokens that prove, and what was revoked.

pub mod identify;
pub mod keyring;
pub mod published_keys;
pub mod revocation;
pub mod token;
