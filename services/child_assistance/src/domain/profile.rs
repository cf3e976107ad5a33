//! What is told of children and adults. It is kept as JSON within an encrypted value, and printed nowhere.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What carers must know of a child.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildProfile {
    pub name: String,
    /// Day of birth.
    pub born_on: chrono::NaiveDate,
    pub allergies: String,
    pub notes: String,
    /// Whom to call, the first one first.
    pub contacts: Vec<EmergencyContact>,
}

/// Whom to call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyContact {
    pub name: String,
    pub phone: String,
}

/// What is told of an adult.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdultProfile {
    pub name: String,
    /// What they are to the child.
    pub relation: String,
    /// SHA-256 of a photo, which is stored elsewhere.
    pub photo_sha256: String,
    pub phone: String,
}

/// Says that there is a profile, and nothing of it.
impl fmt::Debug for ChildProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildProfile(_)")
    }
}

/// Says that there is a contact, and not whom.
impl fmt::Debug for EmergencyContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmergencyContact(_)")
    }
}

/// Says that there is a profile, and nothing of it.
impl fmt::Debug for AdultProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdultProfile(_)")
    }
}
