//! Envelope encryption: values are sealed under the key of their family, and family keys under a ring of master keys.
//!
//! The ring and the family keys are files of a folder of their own, apart from the databases and outside of their backups.
//! So the destruction of one small file makes every copy of a family's values unreadable, those in backups included.
//! A value is bound to its table, row, column and family: a blob that is moved elsewhere does not open.

mod cell;
mod ring_file;
mod store;

pub use cell::{Cell, FamilyKey};
pub use ring_file::{MasterKey, Ring};
pub use store::KeyStore;

use std::{io, path::Path};

/// The folder of the ring and of the family keys, inside the data folder. Backups leave it out.
pub const FOLDER: &str = "family-keys";

/// Why a value cannot be sealed or opened, or the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// There is no ring where values were sealed before.
    #[error(
        "there is no ring of keys at {path}: bring back the folder that belongs to this data, or nothing that was \
         encrypted can be read"
    )]
    NoRing {
        /// Where the ring should be.
        path: String,
    },
    /// A file of the folder cannot be read or written.
    #[error("the keys in {path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{path} cannot be used: {problem}")]
    Invalid {
        /// The file.
        path: String,
        /// What is wrong with it; never a part of a key.
        problem: &'static str,
    },
    /// The family's key was destroyed, or never was here.
    #[error("the key of this family is destroyed: its values cannot be read any more")]
    Destroyed,
    /// The value was changed, or sealed for another place or under another key.
    #[error("the value was not sealed for this place")]
    Foreign,
    /// A master key wraps family keys, so that it cannot go.
    #[error(
        "the key {kid} still wraps {families} family keys: run the service until it has wrapped them anew"
    )]
    InUse {
        /// Name of the master key.
        kid: String,
        /// How many family keys it wraps.
        families: usize,
    },
    /// The ring has no key of this name.
    #[error("the ring has no key {0}")]
    UnknownKey(String),
    /// The random generator or the cipher failed.
    #[error("the cipher failed")]
    Cipher,
}

impl EnvelopeError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { path: path.clone(), source }
    }

    fn invalid(path: &Path, problem: &'static str) -> Self {
        Self::Invalid { path: path.display().to_string(), problem }
    }
}

impl From<EnvelopeError> for crate::Error {
    fn from(error: EnvelopeError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests;
