//! The codes of adults: hashed with argon2id under the pepper of their family, two at a time. Staff never know them.

use crate::domain::Error;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::envelope::FamilyKey;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Memory of a hash in KiB, passes over it and lanes (OWASP's second recommendation for argon2id).
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// How many codes are hashed at a time.
const AT_ONCE: usize = 2;
/// Longest wait for a turn.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// Bytes of a token.
const TOKEN_LEN: usize = 32;

/// Hashes and compares codes.
#[derive(Clone)]
pub struct Codes {
    turns: Arc<Semaphore>,
}

impl Default for Codes {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Codes {
    /// The hash of a code, in the PHC string format.
    pub async fn hash(&self, key: &FamilyKey, code: String) -> Result<String, Error> {
        let pepper = *key.pepper();
        self.in_turn(move || {
            let hash = argon2(&pepper)?.hash_password(code.as_bytes());
            Ok(hash.map_err(kit::Error::internal)?.to_string())
        })
        .await
    }

    /// Whether a code is the one of a hash.
    pub async fn is_right(
        &self,
        key: &FamilyKey,
        code: String,
        code_hash: String,
    ) -> Result<bool, Error> {
        let pepper = *key.pepper();
        self.in_turn(move || {
            let parsed = PasswordHash::new(&code_hash).map_err(kit::Error::internal)?;
            Ok(argon2(&pepper)?.verify_password(code.as_bytes(), &parsed).is_ok())
        })
        .await
    }

    /// Runs `work` off the runtime when it is its turn. The turn lasts as long as the work.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(MAX_WAIT, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| kit::Error::InProgress)?.map_err(kit::Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(kit::Error::internal)?
    }
}

fn argon2(pepper: &[u8]) -> Result<Argon2<'_>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(kit::Error::internal)?;
    let argon2 = Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.map_err(kit::Error::internal)?)
}

/// A new token, to be shown once, and its hash.
pub fn new_token() -> Result<(String, Vec<u8>), Error> {
    let mut bytes = [0; TOKEN_LEN];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| kit::Error::internal("no random numbers for a token"))?;
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_token(&token);
    Ok((token, hash))
}

/// What is kept of a token. It is random, so that a plain hash does.
pub fn hash_token(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::{envelope::KeyStore, testing::start};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_code_is_told_from_others_under_the_pepper_of_its_family() {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::open_or_create(folder.path(), start()).unwrap();
        let key = store.create_key(Uuid::from_u128(1)).unwrap();
        store.rotate(start()).unwrap();
        let other = store.create_key(Uuid::from_u128(2)).unwrap();
        let codes = Codes::default();
        let hash = codes.hash(&key, "271828".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (key, code, right) in
            [(&key, "271828", true), (&key, "271829", false), (&other, "271828", false)]
        {
            let is_right = codes.is_right(key, code.to_owned(), hash.clone()).await.unwrap();
            assert_eq!(is_right, right, "{code}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_hash() {
        let (token, hash) = new_token().unwrap();
        assert_eq!((token.len(), hash_token(&token)), (43, hash));
        assert_ne!(new_token().unwrap().0, token);
    }
}
