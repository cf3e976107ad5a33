//! Forged tokens of every class meet one and the same refusal.

mod forged;

use self::forged::set;
use super::*;
use crate::{
    identity::keyring::{KeyState, Keyring, PUBLISH_LEAD, SharedKeyring},
    program::clock::Clock,
    rpc::caller::{Role, Roles, Subject},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::DateTime;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use uuid::Uuid;

fn clock() -> Clock {
    Clock::manual(DateTime::UNIX_EPOCH + Duration::days(20_000))
}

fn subject() -> Subject {
    Subject {
        user_id: Uuid::from_u128(7),
        session_id: Uuid::from_u128(8),
        roles: Roles::default().with(Role::Customer).with(Role::Provider),
    }
}

fn new_access() -> NewAccess<'static> {
    let token_id = Uuid::from_u128(9);
    NewAccess { issuer: ISSUER, subject: subject(), token_version: 3, token_id }
}

fn new_internal(subject: Option<Subject>) -> NewInternal<'static> {
    NewInternal { issuer: ISSUER, service: "order", target: "payment", subject }
}

struct Fixture {
    clock: Clock,
    keyring: Arc<Keyring>,
    verifier: Verifier,
}

impl Fixture {
    fn new() -> Self {
        let clock = clock();
        let shared = SharedKeyring::new(Keyring::ephemeral(clock.now()).unwrap(), clock.clone());
        let keyring = shared.current();
        let verifier = Verifier::from_keyring(ISSUER, shared, clock.clone());
        Self { clock, keyring, verifier }
    }

    fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.keyring.active().kid() })
    }

    fn claims(&self) -> Value {
        let now = self.clock.now().timestamp();
        json!({
            "iss": ISSUER, "sub": Uuid::from_u128(7), "aud": "quickserve", "exp": now + 600,
            "nbf": now, "iat": now, "jti": Uuid::from_u128(9), "sid": Uuid::from_u128(8),
            "ver": 3, "roles": ["customer"],
        })
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        seal(&self.keyring, header, claims)
    }

    /// A well-signed token whose header has `name` set to `value`, or left out for null.
    fn with_header(&self, name: &str, value: Value) -> String {
        self.sign(&set(self.header(), name, value), &self.claims().to_string())
    }

    /// A well-signed token whose claims have `name` set to `value`, or left out for null.
    fn with_claim(&self, name: &str, value: Value) -> String {
        self.sign(&self.header().to_string(), &set(self.claims(), name, value))
    }

    fn good(&self) -> String {
        self.sign(&self.header().to_string(), &self.claims().to_string())
    }
}

fn seal(keyring: &Keyring, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", B64.encode(header), B64.encode(claims));
    let signature = B64.encode(keyring.active().sign(message.as_bytes()));
    format!("{message}.{signature}")
}

#[tokio::test]
async fn every_class_of_forged_token_is_refused_alike() {
    let f = Fixture::new();
    // What the forgeries are made from is valid: each fails for its own reason only.
    f.verifier.verify_access(&f.good()).await.unwrap();
    let internal = issue_internal(&f.keyring, new_internal(Some(subject())), f.clock.now());
    f.verifier.verify_internal(&internal.token, "payment").await.unwrap();

    let named = |(name, token): (&str, String)| (name.to_owned(), token);
    let mut forged: Vec<(String, String)> = forged::headers(&f).into_iter().map(named).collect();
    forged.extend(forged::forms(&f).into_iter().map(named));
    forged.extend(forged::claims(&f));
    forged.push(("an internal token".to_owned(), internal.token));
    assert!(forged.len() > 100, "{}", forged.len());
    for (name, token) in &forged {
        let refused = f.verifier.verify_access(token).await;
        assert_eq!(refused, Err(TokenRefused), "{name}");
        assert!(f.verifier.verify_internal(token, "order").await.is_err(), "{name}");
    }
    assert_eq!(TokenRefused.to_string(), "the token is not valid");
}

#[tokio::test]
async fn an_access_token_says_what_was_put_in() {
    let f = Fixture::new();
    let issued = issue_access(&f.keyring, new_access(), f.clock.now());
    let claims = f.verifier.verify_access(&issued.token).await.unwrap();
    assert_eq!(
        claims,
        AccessClaims {
            subject: subject(),
            token_version: 3,
            token_id: Uuid::from_u128(9),
            expires_at: f.clock.now() + ACCESS_LIFE,
        }
    );
    assert_eq!(issued.expires_at, claims.expires_at);
    let other = Verifier::from_jwks("elsewhere", &f.keyring.jwks(), f.clock.clone());
    assert_eq!(other.verify_access(&issued.token).await, Err(TokenRefused));
}

#[tokio::test]
async fn an_internal_token_is_for_one_service() {
    let f = Fixture::new();
    for on_behalf in [None, Some(subject())] {
        let issued = issue_internal(&f.keyring, new_internal(on_behalf), f.clock.now());
        let claims = f.verifier.verify_internal(&issued.token, "payment").await.unwrap();
        assert_eq!((&*claims.service, claims.subject), ("order", on_behalf));
        // Also once it is remembered as verified for the right one.
        for target in ["user", "order", "", "quickserve"] {
            let refused = f.verifier.verify_internal(&issued.token, target).await;
            assert_eq!(refused, Err(TokenRefused), "{target}");
        }
        assert_eq!(f.verifier.verify_access(&issued.token).await, Err(TokenRefused));
    }
}

#[tokio::test]
async fn an_internal_token_names_a_service_and_a_whole_subject_or_none() {
    let f = Fixture::new();
    let now = f.clock.now().timestamp();
    let header = set(f.header(), "typ", json!("qs-internal+jwt"));
    let claims = json!({
        "iss": ISSUER, "aud": "payment", "exp": now + 60, "nbf": now, "iat": now, "act": "order",
        "sub": Uuid::from_u128(7), "sid": Uuid::from_u128(8), "roles": ["customer"],
    });
    let good = f.sign(&header, &claims.to_string());
    f.verifier.verify_internal(&good, "payment").await.unwrap();
    for (name, value) in [
        ("sub", Value::Null),
        ("sid", Value::Null),
        ("roles", Value::Null),
        ("act", Value::Null),
        ("act", json!("")),
        ("act", json!("Order")),
        ("act", json!("order edge")),
        ("act", json!("o".repeat(65))),
        ("exp", json!(now + 61)),
        ("iss", Value::Null),
        ("nbf", Value::Null),
        ("iat", Value::Null),
    ] {
        let token = f.sign(&header, &set(claims.clone(), name, value.clone()));
        let refused = f.verifier.verify_internal(&token, "payment").await;
        assert_eq!(refused, Err(TokenRefused), "{name} {value}");
    }
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_ends() {
    let f = Fixture::new();
    let issued = issue_access(&f.keyring, new_access(), f.clock.now());
    f.verifier.verify_access(&issued.token).await.unwrap();
    f.clock.advance(ACCESS_LIFE + LEEWAY - Duration::seconds(1));
    f.verifier.verify_access(&issued.token).await.unwrap();
    f.clock.advance(Duration::seconds(1));
    assert_eq!(f.verifier.verify_access(&issued.token).await, Err(TokenRefused));
}

#[tokio::test]
async fn clocks_may_be_half_a_minute_apart() {
    let f = Fixture::new();
    let early = issue_access(&f.keyring, new_access(), f.clock.now() + LEEWAY);
    f.verifier.verify_access(&early.token).await.unwrap();
    let earlier = issue_access(&f.keyring, new_access(), f.clock.now() + LEEWAY * 2);
    assert_eq!(f.verifier.verify_access(&earlier.token).await, Err(TokenRefused));
}

#[tokio::test]
async fn tokens_survive_a_rotation_and_new_keys_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut keyring = Keyring::load_or_create(directory.path(), clock.now()).unwrap();
    let shared = SharedKeyring::new(Keyring::load(directory.path()).unwrap(), clock.clone());
    let verifier = Verifier::from_keyring(ISSUER, shared, clock.clone());
    for _ in 0..3 {
        clock.advance(PUBLISH_LEAD);
        let before = issue_access(&keyring, new_access(), clock.now());
        keyring.rotate(clock.now()).unwrap();
        let after = issue_access(&keyring, new_access(), clock.now());
        clock.advance(Duration::seconds(5));
        verifier.verify_access(&before.token).await.unwrap();
        verifier.verify_access(&after.token).await.unwrap();
    }
}

#[tokio::test]
async fn unknown_keys_fetch_the_issuers_at_most_every_half_minute() {
    let clock = clock();
    let known = Keyring::ephemeral(clock.now()).unwrap();
    let unknown = Keyring::ephemeral(clock.now()).unwrap();
    let (fetches, jwks) = (Arc::new(AtomicUsize::new(0)), known.jwks());
    let counter = Arc::clone(&fetches);
    let refetch: Refetch = Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let jwks = jwks.clone();
        Box::pin(async move { Ok(jwks) })
    });
    let verifier = Verifier::from_issuer(ISSUER, refetch, clock.clone());
    let good = issue_access(&known, new_access(), clock.now()).token;
    let bad = issue_access(&unknown, new_access(), clock.now()).token;

    verifier.verify_access(&good).await.unwrap();
    for _ in 0..50 {
        assert_eq!(verifier.verify_access(&bad).await, Err(TokenRefused));
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    clock.advance(Duration::seconds(30));
    assert_eq!(verifier.verify_access(&bad).await, Err(TokenRefused));
    assert_eq!(verifier.verify_access(&bad).await, Err(TokenRefused));
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
    clock.advance(Duration::minutes(5));
    let later = issue_access(&known, new_access(), clock.now()).token;
    verifier.verify_access(&later).await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 3, "old keys are fetched again");
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_fetched_again_soon() {
    let clock = clock();
    let keyring = Keyring::ephemeral(clock.now()).unwrap();
    let jwks = keyring.jwks();
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let refetch: Refetch = Box::new(move || {
        let is_down = counted.fetch_add(1, Ordering::Relaxed) == 0;
        let answer = if is_down { Err("the issuer starts".into()) } else { Ok(jwks.clone()) };
        Box::pin(async move { answer })
    });
    let verifier = Verifier::from_issuer(ISSUER, refetch, clock.clone());
    let token = issue_access(&keyring, new_access(), clock.now()).token;
    assert!(!verifier.has_keys().await);
    assert_eq!(verifier.verify_access(&token).await, Err(TokenRefused));
    assert_eq!(fetches.load(Ordering::Relaxed), 1, "not at once");
    clock.advance(Duration::seconds(1));
    assert!(verifier.has_keys().await);
    verifier.verify_access(&token).await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_withdrawn_key_takes_remembered_tokens_with_it() {
    let clock = clock();
    let (first, second) =
        (Keyring::ephemeral(clock.now()).unwrap(), Keyring::ephemeral(clock.now()).unwrap());
    let sets = Arc::new(std::sync::Mutex::new(vec![second.jwks(), first.jwks()]));
    let refetch: Refetch = Box::new(move || {
        let next = sets.lock().unwrap().pop();
        Box::pin(async move { next.ok_or_else(|| "the issuer is down".into()) })
    });
    let verifier = Verifier::from_issuer(ISSUER, refetch, clock.clone());
    let withdrawn = issue_access(&first, new_access(), clock.now()).token;
    verifier.verify_access(&withdrawn).await.unwrap();
    clock.advance(Duration::seconds(31));
    let fresh = issue_access(&second, new_access(), clock.now()).token;
    verifier.verify_access(&fresh).await.unwrap();
    assert_eq!(verifier.verify_access(&withdrawn).await, Err(TokenRefused));
    clock.advance(Duration::minutes(6));
    let fresh = issue_access(&second, new_access(), clock.now()).token;
    verifier.verify_access(&fresh).await.expect("known keys outlive an issuer that is down");
}

#[tokio::test]
async fn keys_that_are_not_ours_verify_nothing() {
    let f = Fixture::new();
    let token = f.good();
    let key = f.keyring.jwks()["keys"][0].clone();
    for (name, value) in [
        ("kty", json!("oct")),
        ("crv", json!("X25519")),
        ("alg", json!("HS256")),
        ("use", json!("enc")),
        ("x", json!("AAAA")),
        ("kid", json!("other")),
    ] {
        let mut changed = key.clone();
        changed[name] = value;
        let verifier = Verifier::from_jwks(ISSUER, &json!({ "keys": [changed] }), f.clock.clone());
        assert_eq!(verifier.verify_access(&token).await, Err(TokenRefused), "{name}");
    }
    for jwks in [json!(null), json!({}), json!({ "keys": "x" }), json!([key])] {
        let verifier = Verifier::from_jwks(ISSUER, &jwks, f.clock.clone());
        assert_eq!(verifier.verify_access(&token).await, Err(TokenRefused), "{jwks}");
    }
}

#[tokio::test]
async fn a_mint_repeats_itself_while_a_token_is_young() {
    let clock = clock();
    let keyring = SharedKeyring::new(Keyring::ephemeral(clock.now()).unwrap(), clock.clone());
    let mint = Mint::new(ISSUER, "edge", keyring.clone(), clock.clone());
    let verifier = Verifier::from_keyring(ISSUER, keyring, clock.clone());
    let first = mint.token("payment", Some(subject()));
    assert!(first.is_sensitive());
    let claims = verifier.verify_internal(first.to_str().unwrap(), "payment").await.unwrap();
    assert_eq!((&*claims.service, claims.subject), ("edge", Some(subject())));

    clock.advance(Duration::seconds(19));
    assert_eq!(mint.token("payment", Some(subject())), first);
    let customer = Subject { roles: Roles::default().with(Role::Customer), ..subject() };
    assert_ne!(mint.token("payment", Some(customer)), first);
    assert_ne!(mint.token("payment", None), first);
    assert_ne!(mint.token("order", Some(subject())), first);
    clock.advance(Duration::seconds(1));
    assert_ne!(mint.token("payment", Some(subject())), first);
}
