//! Forged tokens of every class meet one and the same refusal.

use super::*;
use crate::{
    caller::{Role, Roles, Subject},
    clock::Clock,
    keyring::{KeyState, Keyring, PUBLISH_LEAD, SharedKeyring},
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

fn set(mut object: Value, name: &str, value: Value) -> String {
    let members = object.as_object_mut().unwrap();
    match value {
        Value::Null => drop(members.remove(name)),
        value => drop(members.insert(name.to_owned(), value)),
    }
    object.to_string()
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn hmac(key: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let tag = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", B64.encode(tag))
}

/// The same signature with the group's order added to its second half: another form of the same number.
fn malleated(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let [header, claims, signature] = parts(token);
    let mut bytes = B64.decode(signature).unwrap();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    format!("{header}.{claims}.{}", B64.encode(bytes))
}

fn forged_headers(f: &Fixture) -> Vec<(&'static str, String)> {
    let (header, claims) = (f.header(), f.claims().to_string());
    let public = f.keyring.active().public_key().to_vec();
    let hs256 = json!({ "alg": "HS256", "typ": "at+jwt", "kid": f.keyring.active().kid() });
    let attacker = Keyring::ephemeral(f.clock.now()).unwrap();
    let jwk = attacker.jwks()["keys"][0].clone();
    let mut with_jwk = header.clone();
    with_jwk["jwk"] = jwk;
    let twice = header.to_string().replacen('{', r#"{"alg":"none","#, 1);
    vec![
        ("alg none", f.with_header("alg", json!("none"))),
        ("alg NoNe", f.with_header("alg", json!("NoNe"))),
        ("alg empty", f.with_header("alg", json!(""))),
        ("alg absent", f.with_header("alg", Value::Null)),
        ("alg null in place", f.sign(&header.to_string().replace("\"EdDSA\"", "null"), &claims)),
        ("alg of another case", f.with_header("alg", json!("eddsa"))),
        ("alg RS256", f.with_header("alg", json!("RS256"))),
        ("alg ES256", f.with_header("alg", json!("ES256"))),
        ("alg list", f.with_header("alg", json!(["EdDSA"]))),
        ("alg twice", f.sign(&twice, &claims)),
        ("HS256 with the public key", hmac(&public, &hs256, &f.claims())),
        ("HS256 with its base64", hmac(B64.encode(&public).as_bytes(), &hs256, &f.claims())),
        ("HMAC said to be EdDSA", hmac(&public, &header, &f.claims())),
        ("typ absent", f.with_header("typ", Value::Null)),
        ("typ JWT", f.with_header("typ", json!("JWT"))),
        ("typ of another case", f.with_header("typ", json!("AT+JWT"))),
        ("typ internal", f.with_header("typ", json!("qs-internal+jwt"))),
        ("kid absent", f.with_header("kid", Value::Null)),
        ("kid empty", f.with_header("kid", json!(""))),
        ("kid number", f.with_header("kid", json!(1))),
        ("kid unknown", f.with_header("kid", json!("unknown"))),
        ("kid path", f.with_header("kid", json!("../../../dev/null"))),
        ("kid SQL", f.with_header("kid", json!("' UNION SELECT 'x"))),
        ("kid URL", f.with_header("kid", json!("http://attacker.example/key"))),
        ("kid of the next key", f.with_header("kid", json!(next_kid(&f.keyring)))),
        ("crit", f.with_header("crit", json!(["exp"]))),
        ("crit empty", f.with_header("crit", json!([]))),
        ("jku", f.with_header("jku", json!("http://attacker.example/jwks"))),
        ("x5u", f.with_header("x5u", json!("http://attacker.example/cert"))),
        ("x5c", f.with_header("x5c", json!(["MIIB"]))),
        ("jwk of ours", f.with_header("jwk", f.keyring.jwks()["keys"][0].clone())),
        ("jwk of the attacker", seal(&attacker, &with_jwk.to_string(), &claims)),
        ("b64 false", f.with_header("b64", json!(false))),
        ("zip", f.with_header("zip", json!("DEF"))),
        ("cty JWT", f.with_header("cty", json!("JWT"))),
        ("header no JSON", f.sign("EdDSA", &claims)),
        ("header list", f.sign("[]", &claims)),
        ("another key's signature", seal(&attacker, &header.to_string(), &claims)),
    ]
}

fn next_kid(keyring: &Keyring) -> String {
    keyring.keys().find(|key| key.state() == KeyState::Next).unwrap().kid().to_owned()
}

fn forged_forms(f: &Fixture) -> Vec<(&'static str, String)> {
    let good = f.good();
    let [header, claims, signature] = parts(&good);
    let none = B64.encode(r#"{"alg":"none"}"#);
    let richer = B64.encode(set(f.claims(), "roles", json!(["operator"])));
    let flipped = {
        let mut bytes = B64.decode(signature).unwrap();
        bytes[10] ^= 1;
        B64.encode(bytes)
    };
    let shorter = B64.encode(&B64.decode(signature).unwrap()[..63]);
    let other = f.with_claim("ver", json!(4));
    let json_form = json!({ "protected": header, "payload": claims, "signature": signature });
    vec![
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{good}.{claims}.{signature}")),
        ("leading dot", format!(".{good}")),
        ("a part before", format!("{header}.{good}")),
        ("no signature", format!("{header}.{claims}.")),
        ("none without signature", format!("{none}.{claims}.")),
        ("none with signature", format!("{none}.{claims}.{signature}")),
        ("signature of another token", format!("{header}.{claims}.{}", parts(&other)[2])),
        ("changed claims", format!("{header}.{richer}.{signature}")),
        ("flipped bit", format!("{header}.{claims}.{flipped}")),
        ("short signature", format!("{header}.{claims}.{shorter}")),
        ("zero signature", format!("{header}.{claims}.{}", B64.encode([0; 64]))),
        ("malleated signature", malleated(&good)),
        ("padding", format!("{good}==")),
        ("space before", format!(" {good}")),
        ("newline after", format!("{good}\n")),
        ("scheme before", format!("Bearer {good}")),
        ("JSON serialisation", json_form.to_string()),
        ("not ASCII", format!("{header}.{claims}é.{signature}")),
        ("nothing but letters", "a".repeat(500)),
        ("too long", f.with_claim("padding", json!("x".repeat(4096)))),
    ]
}

fn forged_claims(f: &Fixture) -> Vec<(String, String)> {
    let now = f.clock.now().timestamp();
    let header = f.header().to_string();
    let mut forged: Vec<(String, String)> = Vec::new();
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "ver", "roles"] {
        forged.push((format!("{name} absent"), f.with_claim(name, Value::Null)));
        let null = f.claims().as_object().unwrap()[name].to_string();
        let null = f.claims().to_string().replacen(
            &format!("\"{name}\":{null}"),
            &format!("\"{name}\":null"),
            1,
        );
        forged.push((format!("{name} null"), f.sign(&header, &null)));
        forged.push((format!("{name} object"), f.with_claim(name, json!({ "a": 1 }))));
        let value = &f.claims()[name];
        let twice = f.claims().to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        forged.push((format!("{name} twice"), f.sign(&header, &twice)));
    }
    for name in ["exp", "nbf", "iat", "ver"] {
        forged.push((format!("{name} text"), f.with_claim(name, json!((now + 600).to_string()))));
        forged.push((format!("{name} fraction"), f.with_claim(name, json!(now as f64 + 0.5))));
    }
    let others = [
        ("exp huge", "exp", json!(i64::MAX)),
        ("exp beyond i64", "exp", json!(u64::MAX)),
        ("exp negative", "exp", json!(-1)),
        ("exp zero", "exp", json!(0)),
        ("a life too long", "exp", json!(now + 601)),
        ("no life", "exp", json!(now)),
        ("nbf in the future", "nbf", json!(now + 31)),
        ("nbf after exp", "nbf", json!(now + 700)),
        ("iat in the future", "iat", json!(now + 31)),
        ("iat long ago", "iat", json!(i64::MIN)),
        ("another issuer", "iss", json!("https://attacker.example")),
        ("issuer list", "iss", json!([ISSUER])),
        ("issuer prefix", "iss", json!("quickserve.attacker.example")),
        ("another audience", "aud", json!("payment")),
        ("audience list", "aud", json!(["quickserve"])),
        ("extra audience", "aud", json!(["quickserve", "attacker"])),
        ("audience empty", "aud", json!("")),
        ("subject e-mail", "sub", json!("ana@example.com")),
        ("subject empty", "sub", json!("")),
        ("subject nil", "sub", json!(Uuid::nil())),
        ("session nil", "sid", json!(Uuid::nil())),
        ("version negative", "ver", json!(-1)),
        ("unknown role", "roles", json!(["root"])),
        ("role of another case", "roles", json!(["Operator"])),
        ("roles as text", "roles", json!("operator")),
    ];
    for (name, claim, value) in others {
        forged.push((name.to_owned(), f.with_claim(claim, value)));
    }
    for (name, claims) in [("claims list", "[]"), ("claims no JSON", "sub"), ("claims empty", "")] {
        forged.push((name.to_owned(), f.sign(&header, claims)));
    }
    let (started, life) = (now - 631, json!(now - 31));
    let mut expired = f.claims();
    expired["iat"] = json!(started);
    expired["nbf"] = json!(started);
    expired["exp"] = life;
    forged.push(("expired".to_owned(), f.sign(&header, &expired.to_string())));
    forged
}

#[tokio::test]
async fn every_class_of_forged_token_is_refused_alike() {
    let f = Fixture::new();
    // What the forgeries are made from is valid: each fails for its own reason only.
    f.verifier.verify_access(&f.good()).await.unwrap();
    let internal = issue_internal(&f.keyring, new_internal(Some(subject())), f.clock.now());
    f.verifier.verify_internal(&internal.token, "payment").await.unwrap();

    let named = |(name, token): (&str, String)| (name.to_owned(), token);
    let mut forged: Vec<(String, String)> = forged_headers(&f).into_iter().map(named).collect();
    forged.extend(forged_forms(&f).into_iter().map(named));
    forged.extend(forged_claims(&f));
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
