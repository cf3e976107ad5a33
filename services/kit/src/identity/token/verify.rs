//! Verifies tokens, and remembers those it verified: the signature is the dearest part of a read.

use super::{
    ACCESS_AUDIENCE, ACCESS_LIFE, ACCESS_TYPE, ALGORITHM, INTERNAL_LIFE, INTERNAL_TYPE, LEEWAY,
    claims::{AccessClaims, AccessWire, InternalClaims, InternalWire, Wire},
    provider,
};
use crate::{
    identity::keyring::{Keyring, SharedKeyring},
    program::clock::Clock,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use moka::sync::Cache;
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The longest token that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;
/// How many verified tokens of each type are remembered.
const REMEMBERED: u64 = 20_000;
/// An unknown key makes us fetch the keys again, at most this often, so that made-up keys cannot flood the issuer.
const REFETCH: Duration = Duration::seconds(30);
/// As long after a failed fetch the keys are fetched again.
const RETRY: Duration = Duration::seconds(1);
/// Keys older than this are fetched again, so that a withdrawn key is forgotten.
const STALE: Duration = Duration::minutes(5);

/// A token is not valid. It never says why: that would help only a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct TokenRefused;

/// The cause of a failed fetch.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Fetches the JWK set of the issuer.
pub type Refetch =
    Box<dyn Fn() -> BoxFuture<'static, Result<serde_json::Value, BoxError>> + Send + Sync>;

/// Where keys come from.
enum Source {
    Fixed,
    Keyring(SharedKeyring),
    Refetch(Refetch),
}

/// The keys that verify, by `kid`.
struct Keys {
    by_kid: HashMap<String, VerifyingKey>,
    /// The keyring they were taken from.
    keyring: Option<Arc<Keyring>>,
    fetched_at: DateTime<Utc>,
}

/// A key that verifies.
#[derive(Clone)]
struct VerifyingKey {
    key: DecodingKey,
    /// The service that alone signs with it, where each has keys of its own.
    service: Option<Arc<str>>,
}

/// Verifies tokens of one issuer.
pub struct Verifier {
    issuer: String,
    /// Whether a service signs internal tokens with keys of its own, and is believed by no others.
    is_per_service: bool,
    clock: Clock,
    source: Source,
    keys: RwLock<Arc<Keys>>,
    /// When the last fetch began; held while one is under way.
    fetching: tokio::sync::Mutex<DateTime<Utc>>,
    access: Cache<[u8; 32], AccessClaims>,
    internal: Cache<([u8; 32], String), InternalClaims>,
}

/// The only header a token of ours has. Everything else (`crit`, `jku`, `x5u`, `jwk`, `zip` …) is refused unread.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// A JWK that verifies; other members are of no interest.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    kid: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    service: Option<Arc<str>>,
}

impl Verifier {
    /// Verifies with the keys of a keyring in this process, and follows its rotation.
    pub fn from_keyring(issuer: impl Into<String>, keyring: SharedKeyring, clock: Clock) -> Self {
        let current = keyring.current();
        let mut keys = parse_claims(&current.jwks(), clock.now());
        keys.keyring = Some(current);
        Self::new(issuer.into(), Source::Keyring(keyring), keys, clock)
    }

    /// Verifies with the keys of a JWK set, and with no others.
    pub fn from_jwks(issuer: impl Into<String>, jwks: &serde_json::Value, clock: Clock) -> Self {
        let keys = parse_claims(jwks, clock.now());
        Self::new(issuer.into(), Source::Fixed, keys, clock)
    }

    /// Verifies with keys that `refetch` gets, at the first token and again as they change.
    pub fn from_issuer(issuer: impl Into<String>, refetch: Refetch, clock: Clock) -> Self {
        let keys =
            Keys { by_kid: HashMap::new(), keyring: None, fetched_at: DateTime::<Utc>::MIN_UTC };
        Self::new(issuer.into(), Source::Refetch(refetch), keys, clock)
    }

    /// Verifies what services sign, each with keys of its own, which `refetch` gets with the names of their services.
    pub fn of_services(issuer: impl Into<String>, refetch: Refetch, clock: Clock) -> Self {
        Self { is_per_service: true, ..Self::from_issuer(issuer, refetch, clock) }
    }

    fn new(issuer: String, source: Source, keys: Keys, clock: Clock) -> Self {
        provider::install_provider();
        Self {
            issuer,
            is_per_service: false,
            source,
            keys: RwLock::new(Arc::new(keys)),
            fetching: tokio::sync::Mutex::new(DateTime::<Utc>::MIN_UTC),
            access: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(remembered_for(ACCESS_LIFE))
                .build(),
            internal: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(remembered_for(INTERNAL_LIFE))
                .build(),
            clock,
        }
    }

    /// What an access token says.
    pub async fn verify_access(&self, token: &str) -> Result<AccessClaims, TokenRefused> {
        let key = digest_token(token)?;
        if let Some(claims) = self.access.get(&key)
            && self.clock.now() < claims.expires_at + LEEWAY
        {
            return Ok(claims);
        }
        let (claims, _) = self.verify::<AccessWire>(token, ACCESS_TYPE, ACCESS_AUDIENCE).await?;
        self.access.insert(key, claims);
        Ok(claims)
    }

    /// What an internal token for the service `target` says.
    pub async fn verify_internal(
        &self,
        token: &str,
        target: &str,
    ) -> Result<InternalClaims, TokenRefused> {
        let key = (digest_token(token)?, target.to_owned());
        if let Some(claims) = self.internal.get(&key)
            && self.clock.now() < claims.expires_at + LEEWAY
        {
            return Ok(claims);
        }
        let (claims, signer) = self.verify::<InternalWire>(token, INTERNAL_TYPE, target).await?;
        if self.is_per_service && signer.as_ref() != Some(&claims.service) {
            tracing::warn!(
                claimed = &*claims.service,
                signer = signer.as_deref().unwrap_or_default(),
                "refused a token that a service signed in the name of another"
            );
            return Err(TokenRefused);
        }
        self.internal.insert(key, claims.clone());
        Ok(claims)
    }

    /// Gets the keys unless some are known. Whether some are known now; without any, every token is refused.
    pub async fn has_keys(&self) -> bool {
        if self.keys().by_kid.is_empty() {
            self.refresh("").await;
        }
        !self.keys().by_kid.is_empty()
    }

    async fn verify<W: Wire>(
        &self,
        token: &str,
        typ: &str,
        audience: &str,
    ) -> Result<(W::Checked, Option<Arc<str>>), TokenRefused> {
        let checked = async {
            let kid = check_header(token, typ)?;
            let VerifyingKey { key, service } = self.key(&kid).await.ok_or("an unknown key")?;
            let claims = open_token::<W>(token, &key)?;
            Ok((claims.check(&self.issuer, audience, self.clock.now())?, service))
        };
        checked.await.map_err(|reason: &'static str| {
            tracing::debug!(reason, typ, "refused a token");
            TokenRefused
        })
    }

    async fn key(&self, kid: &str) -> Option<VerifyingKey> {
        self.refresh(kid).await;
        self.keys().by_kid.get(kid).cloned()
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gets newer keys where there may be some.
    async fn refresh(&self, kid: &str) {
        match &self.source {
            Source::Fixed => {}
            Source::Keyring(shared) => {
                let current = shared.current();
                if !self.keys().keyring.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &current)) {
                    let mut keys = parse_claims(&current.jwks(), self.clock.now());
                    keys.keyring = Some(current);
                    self.replace(keys);
                }
            }
            Source::Refetch(refetch) => {
                let known = self.keys().by_kid.contains_key(kid);
                // With a known key, one request fetches and the others go on with what is there.
                let fetching = match known {
                    true if self.clock.now() - self.keys().fetched_at < STALE => None,
                    true => self.fetching.try_lock().ok(),
                    false => Some(self.fetching.lock().await),
                };
                let Some(mut begun_at) = fetching else { return };
                let now = self.clock.now();
                let found_meanwhile = !known && self.keys().by_kid.contains_key(kid);
                if found_meanwhile || now.signed_duration_since(*begun_at) < REFETCH {
                    return;
                }
                *begun_at = now;
                match refetch().await {
                    Ok(jwks) => self.replace(parse_claims(&jwks, now)),
                    Err(error) => {
                        *begun_at = now - REFETCH + RETRY;
                        tracing::warn!(%error, "cannot fetch the issuer's keys");
                    }
                }
            }
        }
    }

    fn replace(&self, keys: Keys) {
        let withdrawn = self.keys().by_kid.keys().any(|kid| !keys.by_kid.contains_key(kid));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        if withdrawn {
            self.access.invalidate_all();
            self.internal.invalidate_all();
        }
    }
}

/// What a token is remembered by: a copy of the cache is no copy of the tokens.
fn digest_token(token: &str) -> Result<[u8; 32], TokenRefused> {
    if token.len() > MAX_LENGTH {
        return Err(TokenRefused);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().map_err(|_| TokenRefused)
}

/// The `kid` of a token whose header is exactly that of the type.
fn check_header(token: &str, typ: &str) -> Result<String, &'static str> {
    let (header, _) = token.split_once('.').ok_or("not a JWT")?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "the header is not base64url")?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|_| "the header is not that of our tokens")?;
    if header.alg != ALGORITHM {
        return Err("another algorithm");
    }
    if header.typ != typ { Err("another type") } else { Ok(header.kid) }
}

/// The signed claims. Times are checked by the caller, on the injected clock.
fn open_token<W: Wire>(token: &str, key: &DecodingKey) -> Result<W, &'static str> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, key, &validation)
        .map(|decoded| decoded.claims)
        .map_err(|_| "the signature or the form of the claims is wrong")
}

/// The Ed25519 signature keys of a JWK set; others in it are left out.
fn parse_claims(jwks: &serde_json::Value, now: DateTime<Utc>) -> Keys {
    let keys = jwks.get("keys").and_then(serde_json::Value::as_array);
    let by_kid = keys.into_iter().flatten().filter_map(|jwk| {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let ours = jwk.kty == "OKP"
            && jwk.crv == "Ed25519"
            && jwk.alg.is_none_or(|alg| alg == ALGORITHM)
            && jwk.usage.is_none_or(|usage| usage == "sig")
            && URL_SAFE_NO_PAD.decode(&jwk.x).is_ok_and(|x| x.len() == 32);
        let key = DecodingKey::from_ed_components(&jwk.x).ok()?;
        ours.then_some((jwk.kid, VerifyingKey { key, service: jwk.service }))
    });
    Keys { by_kid: by_kid.collect(), keyring: None, fetched_at: now }
}

/// How long a verified token is remembered: until it has expired, and the clocks' difference more.
fn remembered_for(life: Duration) -> std::time::Duration {
    (life + LEEWAY).to_std().unwrap_or_default()
}
