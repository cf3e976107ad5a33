//! The Ed25519 signing keys of this installation, their file and their rotation.

use crate::program::{clock::Clock, file_stamp::FileStamp, secret_file};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Duration, Utc};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The file of the keys, inside the keys directory. Its mode is 0600.
pub const FILE: &str = "keyring.json";
const LOCK: &str = "keyring.lock";

/// How long a key is published before it signs: twice the time that verifiers may keep a JWKS.
pub const PUBLISH_LEAD: Duration = Duration::minutes(10);
/// How long a key stays published after it stopped signing: the longest token life and a clock's error.
pub const RETIRE_AFTER: Duration = Duration::minutes(15);
/// How often [`SharedKeyring`] looks at the file.
const POLL: Duration = Duration::seconds(5);

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or written.
    #[error("the keys in {path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The file holds something else than a keyring with one active key.
    #[error("{path} is no keyring: {problem}")]
    Invalid {
        /// The path of the file in the data folder.
        path: String,
        /// What is wrong with it; never a part of a key.
        problem: &'static str,
    },
    /// The next key has not been published for [`PUBLISH_LEAD`] yet.
    #[error("the next key is known to verifiers only from {ready_at} on: rotate then")]
    TooSoon {
        /// The earliest time of the next rotation.
        ready_at: DateTime<Utc>,
    },
    /// The random generator failed.
    #[error("no random numbers for a new key")]
    Random,
}

impl KeyringError {
    fn invalid(path: &Path, problem: &'static str) -> Self {
        Self::Invalid { path: path.display().to_string(), problem }
    }
}

/// Where a key is in its life. All three are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Signs after the next rotation.
    Next,
    /// Signs the tokens that are issued now; there is one such key.
    Active,
    /// Signs no more; what it signed may still be valid.
    Retiring,
}

/// A key as the file holds it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    kid: String,
    pkcs8: String,
    state: KeyState,
    created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retire_after: Option<DateTime<Utc>>,
}

/// A key that can sign.
pub struct SigningKey {
    stored: StoredKey,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    fn generate(state: KeyState, now: DateTime<Utc>) -> Result<Self, KeyringError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| KeyringError::Random)?;
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| KeyringError::Random)?;
        let stored = StoredKey {
            kid: key_thumbprint(pair.public_key().as_ref()),
            pkcs8: STANDARD.encode(pkcs8.as_ref()),
            state,
            created_at: now,
            retire_after: None,
        };
        Ok(Self { stored, pair })
    }

    fn open(stored: StoredKey) -> Result<Self, &'static str> {
        let der = STANDARD.decode(&stored.pkcs8).map_err(|_| "a key is not base64")?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map_err(|_| "a key is no Ed25519 key in PKCS #8")?;
        Ok(Self { stored, pair })
    }

    /// The name of the key in token headers.
    pub fn kid(&self) -> &str {
        &self.stored.kid
    }

    /// Where the key is in its life.
    pub fn state(&self) -> KeyState {
        self.stored.state
    }

    /// When the key was made.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.stored.created_at
    }

    /// Until when a retiring key stays published.
    pub fn retire_after(&self) -> Option<DateTime<Utc>> {
        self.stored.retire_after
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The Ed25519 signature of `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }

    /// The public key as an OKP JWK (RFC 8037).
    fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.kid(), "x": URL_SAFE_NO_PAD.encode(self.public_key()),
        })
    }
}

/// The thumbprint of RFC 7638: the same key has the same name everywhere.
fn key_thumbprint(public_key: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, jwk.as_bytes()))
}

/// The keys: exactly one active, at most one next, any number retiring.
pub struct Keyring {
    /// None for keys that live only in memory.
    directory: Option<PathBuf>,
    active: SigningKey,
    others: Vec<SigningKey>,
}

impl Keyring {
    /// Keys that are never stored, for tests.
    pub fn ephemeral(now: DateTime<Utc>) -> Result<Self, KeyringError> {
        let active = SigningKey::generate(KeyState::Active, now)?;
        let others = vec![SigningKey::generate(KeyState::Next, now)?];
        Ok(Self { directory: None, active, others })
    }

    /// Reads the keys in `directory`.
    pub fn load(directory: &Path) -> Result<Self, KeyringError> {
        let path = directory.join(FILE);
        let text = fs::read(&path).map_err(io_error(&path))?;
        // serde_json's own text could repeat a part of a key.
        let stored: Vec<StoredKey> = serde_json::from_slice(&text)
            .map_err(|_| KeyringError::invalid(&path, "it is not the JSON of one"))?;
        let keys = stored.into_iter().map(SigningKey::open).collect::<Result<Vec<_>, _>>();
        let (mut active, others): (Vec<_>, Vec<_>) = keys
            .map_err(|problem| KeyringError::invalid(&path, problem))?
            .into_iter()
            .partition(|key| key.state() == KeyState::Active);
        match (active.pop(), active.is_empty()) {
            (Some(active), true) => {
                Ok(Self { directory: Some(directory.to_owned()), active, others })
            }
            _ => Err(KeyringError::invalid(&path, "it needs exactly one active key")),
        }
    }

    /// Reads the keys in `directory`, and makes an active and a next one when there are none. Of several processes
    /// that start together, one makes the keys and all use them.
    pub fn load_or_create(directory: &Path, now: DateTime<Utc>) -> Result<Self, KeyringError> {
        match Self::load(directory) {
            Err(KeyringError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io_error(directory))?;
        let _lock = lock_folder(directory)?;
        match Self::load(directory) {
            Err(KeyringError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let keyring = Self { directory: Some(directory.to_owned()), ..Self::ephemeral(now)? };
        keyring.save(directory)?;
        Ok(keyring)
    }

    /// Turns the keys: next → active → retiring, and retired ones are forgotten. The file is read again first, so that
    /// two rotations at once do not lose a key.
    pub fn rotate(&mut self, now: DateTime<Utc>) -> Result<(), KeyringError> {
        let Some(directory) = self.directory.clone() else { return self.turn(now) };
        let _lock = lock_folder(&directory)?;
        let mut stored = Self::load(&directory)?;
        stored.turn(now)?;
        stored.save(&directory)?;
        *self = stored;
        Ok(())
    }

    fn turn(&mut self, now: DateTime<Utc>) -> Result<(), KeyringError> {
        let next = self.others.iter().position(|key| key.state() == KeyState::Next);
        let ready_at = next
            .and_then(|index| self.others.get(index))
            .map_or(now + PUBLISH_LEAD, |key| key.stored.created_at + PUBLISH_LEAD);
        let successor = SigningKey::generate(KeyState::Next, now)?;
        match next {
            // A ring without a next key: publish one now, it can take over after the lead time.
            None => self.others.push(successor),
            Some(_) if now < ready_at => return Err(KeyringError::TooSoon { ready_at }),
            Some(index) => {
                let mut next = self.others.swap_remove(index);
                next.stored.state = KeyState::Active;
                let mut retiring = std::mem::replace(&mut self.active, next);
                retiring.stored.state = KeyState::Retiring;
                retiring.stored.retire_after = Some(now + RETIRE_AFTER);
                self.others.extend([retiring, successor]);
            }
        }
        self.others.retain(|key| key.retire_after().is_none_or(|end| now < end));
        Ok(())
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// All keys, the active one first.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// The published half of the keys: a JWK set (RFC 7517) of next, active and retiring keys. To be served with
    /// `Cache-Control: max-age=300` or less.
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.keys().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// Writes the file whole or not at all.
    fn save(&self, directory: &Path) -> Result<(), KeyringError> {
        let stored: Vec<&StoredKey> = self.keys().map(|key| &key.stored).collect();
        let path = directory.join(FILE);
        let text = serde_json::to_vec_pretty(&stored).map_err(io::Error::from);
        let replaced = text.and_then(|text| secret_file::replace(&path, &text));
        replaced.map_err(io_error(&path))
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> KeyringError {
    let path = path.display().to_string();
    move |source| KeyringError::Io { path: path.clone(), source }
}

/// Excludes other processes that change the keys, until the file is dropped.
fn lock_folder(directory: &Path) -> Result<fs::File, KeyringError> {
    let path = directory.join(LOCK);
    let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = opened.map_err(io_error(&path))?;
    file.lock().map_err(io_error(&path))?;
    Ok(file)
}

/// A keyring that follows its file, so that a rotation reaches running processes.
#[derive(Clone)]
pub struct SharedKeyring {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    seen: Mutex<LoadedKeyring>,
}

struct LoadedKeyring {
    keyring: Arc<Keyring>,
    checked_at: DateTime<Utc>,
    stamp: Option<FileStamp>,
}

impl SharedKeyring {
    /// Shares `keyring`; its file is looked at again by the time of `clock`.
    pub fn new(keyring: Keyring, clock: Clock) -> Self {
        let stamp = keyring.directory.as_deref().and_then(modified_at);
        let seen = LoadedKeyring { keyring: Arc::new(keyring), checked_at: clock.now(), stamp };
        Self { shared: Arc::new(Shared { clock, seen: Mutex::new(seen) }) }
    }

    /// The keys as the file had them at most five seconds ago. While the file is unreadable, the last good ones.
    pub fn current(&self) -> Arc<Keyring> {
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.now();
        if let Some(directory) = seen.keyring.directory.clone()
            && (now - seen.checked_at).abs() >= POLL
        {
            seen.checked_at = now;
            let stamp = modified_at(&directory);
            if stamp != seen.stamp {
                match Keyring::load(&directory) {
                    Ok(keyring) => {
                        seen.keyring = Arc::new(keyring);
                        seen.stamp = stamp;
                    }
                    Err(error) => tracing::warn!(%error, "keeping the signing keys in memory"),
                }
            }
        }
        Arc::clone(&seen.keyring)
    }
}

fn modified_at(directory: &Path) -> Option<FileStamp> {
    FileStamp::read(&directory.join(FILE))
}

#[cfg(test)]
mod tests;
