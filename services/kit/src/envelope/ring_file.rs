//! The ring of master keys and its file. The newest key wraps; the older ones still unwrap.

use super::{
    EnvelopeError,
    cell::{Cipher, KEY_ID_LEN, KeyId, SECRET_LEN, random_bytes},
};
use crate::program::secret_file;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// The file of the ring inside its folder. Its mode is 0600 where this program makes it.
pub(super) const FILE: &str = "ring.json";

/// A master key as the file has it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    kid: String,
    key: String,
    pepper: String,
    created_at: DateTime<Utc>,
}

/// A master key.
pub struct MasterKey {
    stored: StoredKey,
    id: KeyId,
    cipher: Cipher,
    pepper: [u8; SECRET_LEN],
}

/// The master keys, the oldest first. There is at least one.
pub struct Ring {
    keys: Vec<MasterKey>,
}

impl MasterKey {
    fn generate(now: DateTime<Utc>) -> Result<Self, EnvelopeError> {
        let id: KeyId = random_bytes()?;
        let key: [u8; SECRET_LEN] = random_bytes()?;
        let pepper: [u8; SECRET_LEN] = random_bytes()?;
        let stored = StoredKey {
            kid: name_of(id),
            key: STANDARD.encode(key),
            pepper: STANDARD.encode(pepper),
            created_at: now,
        };
        Ok(Self { stored, id, cipher: Cipher::new(id, &key)?, pepper })
    }

    fn open(stored: StoredKey) -> Result<Self, &'static str> {
        let id = u64::from_str_radix(&stored.kid, 16).map_err(|_| "a key has no name")?;
        let id: KeyId = id.to_be_bytes();
        let key = STANDARD.decode(&stored.key).map_err(|_| "a key is not base64")?;
        let cipher = Cipher::new(id, &key).map_err(|_| "a key has not 32 bytes")?;
        let pepper = STANDARD.decode(&stored.pepper).map_err(|_| "a pepper is not base64")?;
        let pepper = pepper.try_into().map_err(|_| "a pepper has not 32 bytes")?;
        Ok(Self { stored, id, cipher, pepper })
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.stored.kid
    }

    /// When it was made.
    pub const fn created_at(&self) -> DateTime<Utc> {
        self.stored.created_at
    }

    pub(super) const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) const fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    pub(super) const fn pepper(&self) -> [u8; SECRET_LEN] {
        self.pepper
    }
}

/// The name of a key in text.
pub(super) fn name_of(id: [u8; KEY_ID_LEN]) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

impl Ring {
    /// Reads the ring at `path`; [`EnvelopeError::NoRing`] where there is no file.
    pub(super) fn load(path: &Path) -> Result<Self, EnvelopeError> {
        let text = fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EnvelopeError::NoRing { path: path.display().to_string() },
            _ => EnvelopeError::io(path)(error),
        })?;
        // serde_json's own text could repeat a part of a key.
        let stored: Vec<StoredKey> = serde_json::from_slice(&text)
            .map_err(|_| EnvelopeError::invalid(path, "it is not the JSON of a ring"))?;
        let keys: Result<Vec<_>, _> = stored.into_iter().map(MasterKey::open).collect();
        let keys = keys.map_err(|problem| EnvelopeError::invalid(path, problem))?;
        if keys.is_empty() {
            return Err(EnvelopeError::invalid(path, "it has no key"));
        }
        Ok(Self { keys })
    }

    /// Reads the ring at `path`, and makes one where there is none. Of several processes that start together, one makes it
    /// and all use it.
    pub(super) fn load_or_create(path: &Path, now: DateTime<Utc>) -> Result<Self, EnvelopeError> {
        let fresh = Self { keys: vec![MasterKey::generate(now)?] }.to_json();
        secret_file::load_or_create(path, &fresh?).map_err(EnvelopeError::io(path))?;
        Self::load(path)
    }

    /// Writes the ring whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), EnvelopeError> {
        secret_file::replace(path, &self.to_json()?).map_err(EnvelopeError::io(path))
    }

    fn to_json(&self) -> Result<Vec<u8>, EnvelopeError> {
        let stored: Vec<&StoredKey> = self.keys.iter().map(|key| &key.stored).collect();
        serde_json::to_vec_pretty(&stored).map_err(|_| EnvelopeError::Cipher)
    }

    /// Adds a key, which wraps from now on.
    pub(super) fn add_key(&mut self, now: DateTime<Utc>) -> Result<(), EnvelopeError> {
        self.keys.push(MasterKey::generate(now)?);
        Ok(())
    }

    /// Takes a key out. The one that wraps stays.
    pub(super) fn remove_key(&mut self, kid: &str) {
        let active = self.keys.last().map(MasterKey::id);
        self.keys.retain(|key| key.kid() != kid || Some(key.id()) == active);
    }

    /// The key that wraps.
    pub fn active(&self) -> Result<&MasterKey, EnvelopeError> {
        self.keys.last().ok_or(EnvelopeError::Cipher)
    }

    /// All keys, the oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        self.keys.iter()
    }

    pub(super) fn find_key(&self, id: KeyId) -> Result<&MasterKey, EnvelopeError> {
        let found = self.keys.iter().find(|key| key.id() == id);
        found.ok_or_else(|| EnvelopeError::UnknownKey(name_of(id)))
    }
}
