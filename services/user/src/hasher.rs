//! Hashes passwords with argon2id, off the runtime and few at a time: each hash takes 19 MiB and some 40 ms.

use crate::domain::Error;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory of a hash in KiB, passes over it and lanes (OWASP's second recommendation for argon2id).
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Most memory in KiB, passes and lanes of a stored hash that is still computed: a row must not become an attack.
const COST_MOST: (u32, u32, u32) = (65_536, 8, 4);
/// Longest wait for a turn.
const WAIT_LONGEST: Duration = Duration::from_secs(2);

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    /// Longest wait for a turn.
    patience: Duration,
    /// What passwords of accounts that do not exist are compared with, so that it takes as long.
    nobody: Arc<str>,
}

/// What comparing a password with a hash told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, and its hash was made with parameters of the past or of another form than the first.
    RightButDated,
}

impl Hasher {
    /// A hasher that works on `turns` passwords at a time.
    pub async fn new(turns: usize) -> Result<Self, Error> {
        let turns = Arc::new(Semaphore::new(turns.max(1)));
        let mut hasher = Self { turns, patience: WAIT_LONGEST, nobody: Arc::from("") };
        hasher.nobody = hasher.hash(uuid::Uuid::new_v4().to_string()).await?.into();
        Ok(hasher)
    }

    /// The hash of a new password, in the PHC string format.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.in_turn(move || hash(&password)).await
    }

    /// Compares the forms of a password with a hash, or with nobody's when there is none. Both take as long.
    pub async fn verify(
        &self,
        forms: Vec<String>,
        password_hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let nobody = self.nobody.clone();
        self.in_turn(move || match password_hash {
            Some(password_hash) => verify_any(&forms, &password_hash),
            None => verify_any(&forms, &nobody).map(|_| Verdict::Wrong),
        })
        .await
    }

    /// Runs `work` when it is its turn. The turn lasts as long as the work: a caller who hangs up does not let another
    /// hash start beside one that still runs.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(self.patience, self.turns.clone().acquire_owned());
        let turn: OwnedSemaphorePermit =
            turn.await.map_err(|_| Error::HashingBusy)?.map_err(kit::Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(kit::Error::internal)?
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let hash = argon2_params()?.hash_password(password.as_bytes()).map_err(kit::Error::internal)?;
    Ok(hash.to_string())
}

/// Compares the forms of a password with a hash, one after another until one fits.
fn verify_any(forms: &[String], password_hash: &str) -> Result<Verdict, Error> {
    for (index, form) in forms.iter().enumerate() {
        match verify(form, password_hash)? {
            Verdict::Wrong => {}
            Verdict::Right if index > 0 => return Ok(Verdict::RightButDated),
            verdict => return Ok(verdict),
        }
    }
    Ok(Verdict::Wrong)
}

fn verify(password: &str, password_hash: &str) -> Result<Verdict, Error> {
    let parsed = PasswordHash::new(password_hash).map_err(kit::Error::internal)?;
    let params = Params::try_from(&parsed).map_err(kit::Error::internal)?;
    let cost = (params.m_cost(), params.t_cost(), params.p_cost());
    if cost.0 > COST_MOST.0 || cost.1 > COST_MOST.1 || cost.2 > COST_MOST.2 {
        return Err(kit::Error::internal("a stored hash costs more than we compute").into());
    }
    if argon2_params()?.verify_password(password.as_bytes(), &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let current = cost == COST && parsed.algorithm.as_str() == Algorithm::Argon2id.as_str();
    Ok(if current { Verdict::Right } else { Verdict::RightButDated })
}

fn argon2_params() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(kit::Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_told_from_others() {
        let hasher = Hasher::new(2).await.unwrap();
        let hash = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = async |password: &str, hash: Option<&str>| {
            hasher.verify(vec![password.to_owned()], hash.map(str::to_owned)).await.unwrap()
        };
        assert_eq!(check("correct horse", Some(&hash)).await, Verdict::Right);
        assert_eq!(check("correct horsf", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(check("correct horse", None).await, Verdict::Wrong);
        assert_ne!(hash, hasher.hash("correct horse".to_owned()).await.unwrap());
    }

    #[tokio::test]
    async fn an_old_hash_is_accepted_and_told() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8_192, 1, 1, None).unwrap(),
        );
        let hash = weak.hash_password(b"correct horse").unwrap().to_string();
        assert_eq!(verify("correct horse", &hash).unwrap(), Verdict::RightButDated);
        assert_eq!(verify("wrong", &hash).unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_an_earlier_form_is_accepted_and_told() {
        let hasher = Hasher::new(1).await.unwrap();
        let hash = hasher.hash("cafe\u{301}".to_owned()).await.unwrap();
        let check = async |forms: &[&str], hash: Option<&str>| {
            let forms = forms.iter().map(|form| (*form).to_owned()).collect();
            hasher.verify(forms, hash.map(str::to_owned)).await.unwrap()
        };
        let forms = ["café", "cafe\u{301}"];
        assert_eq!(check(&forms, Some(&hash)).await, Verdict::RightButDated);
        assert_eq!(check(&["cafe\u{301}"], Some(&hash)).await, Verdict::Right);
        assert_eq!(check(&["café"], Some(&hash)).await, Verdict::Wrong);
        assert_eq!(check(&forms, None).await, Verdict::Wrong);
    }

    #[test]
    fn a_hash_that_costs_too_much_is_not_computed() {
        let hash = hash("correct horse").unwrap().replace("t=2", "t=200");
        assert!(verify("correct horse", &hash).is_err());
        assert!(verify("correct horse", "").is_err());
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_to_come_back() {
        let mut hasher = Hasher::new(1).await.unwrap();
        hasher.patience = Duration::ZERO;
        let _turn = hasher.turns.clone().acquire_owned().await.unwrap();
        let refused = hasher.hash("correct horse".to_owned()).await.unwrap_err();
        assert!(matches!(refused, Error::HashingBusy));
    }
}
