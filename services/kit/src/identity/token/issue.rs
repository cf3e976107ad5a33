//! Signs access tokens with the key of the user service.

use super::{
    ACCESS_AUDIENCE, ACCESS_LIFE, ACCESS_TYPE, ALGORITHM, INTERNAL_LIFE, INTERNAL_TYPE,
    claims::{AccessWire, InternalWire, Period, role_names},
};
use crate::{
    identity::keyring::{Keyring, SharedKeyring},
    program::clock::Clock,
    rpc::caller::Subject,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use http::HeaderValue;
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

/// A signed token and its end.
#[derive(Clone)]
pub struct Issued {
    /// The token: a secret.
    pub token: String,
    /// Until when it is valid.
    pub expires_at: DateTime<Utc>,
}

/// What an access token shall say.
#[derive(Clone, Copy, Debug)]
pub struct NewAccess<'a> {
    /// The name of this installation (`iss`), so that tokens of another one are refused here.
    pub issuer: &'a str,
    /// The account, its session and its roles.
    pub subject: Subject,
    /// The version of the account's tokens, 0 or more.
    pub token_version: i64,
    /// The token's own id, new for each token.
    pub token_id: Uuid,
}

/// What an internal token shall say.
#[derive(Clone, Copy, Debug)]
pub struct NewInternal<'a> {
    /// The name of this installation (`iss`), so that tokens of another one are refused here.
    pub issuer: &'a str,
    /// The service that calls.
    pub service: &'a str,
    /// The service that is called.
    pub target: &'a str,
    /// The account on whose behalf it is called, if any.
    pub subject: Option<Subject>,
}

/// Signs an access token, valid for [`ACCESS_LIFE`].
pub fn issue_access(keyring: &Keyring, access: NewAccess<'_>, now: DateTime<Utc>) -> Issued {
    let Period { issued_at, not_before, expires_at } = Period::starting(now, ACCESS_LIFE);
    let claims = AccessWire {
        iss: access.issuer.to_owned(),
        sub: access.subject.user_id,
        aud: ACCESS_AUDIENCE.to_owned(),
        exp: expires_at,
        nbf: not_before,
        iat: issued_at,
        jti: access.token_id,
        sid: access.subject.session_id,
        ver: access.token_version,
        roles: role_names(access.subject.roles),
    };
    Issued { token: sign_claims(keyring, ACCESS_TYPE, &claims), expires_at: now + ACCESS_LIFE }
}

/// Signs an internal token, valid for [`INTERNAL_LIFE`]. [`Mint`] does so only once for many calls.
pub fn issue_internal(keyring: &Keyring, internal: NewInternal<'_>, now: DateTime<Utc>) -> Issued {
    let Period { issued_at, not_before, expires_at } = Period::starting(now, INTERNAL_LIFE);
    let claims = InternalWire {
        iss: internal.issuer.to_owned(),
        aud: internal.target.to_owned(),
        exp: expires_at,
        nbf: not_before,
        iat: issued_at,
        act: internal.service.to_owned(),
        sub: internal.subject.map(|subject| subject.user_id),
        sid: internal.subject.map(|subject| subject.session_id),
        roles: internal.subject.map(|subject| role_names(subject.roles)),
    };
    Issued { token: sign_claims(keyring, INTERNAL_TYPE, &claims), expires_at: now + INTERNAL_LIFE }
}

/// Signed directly, because `jsonwebtoken` would parse the key again for each token.
fn sign_claims(keyring: &Keyring, typ: &str, claims: &impl Serialize) -> String {
    let key = keyring.active();
    let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"{typ}","kid":"{}"}}"#, key.kid());
    #[expect(clippy::expect_used, reason = "claims are texts, numbers and lists of texts")]
    let claims = serde_json::to_vec(claims).expect("claims have a JSON form");
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// How many tokens a [`Mint`] remembers.
const REMEMBERED: u64 = 10_000;

/// Who is called on whose behalf: target, account, session, role bits.
type MintKey = (Arc<str>, Option<(Uuid, Uuid, u8)>);

/// Issues the internal tokens of one service. The same account calling the same service gets the same token for a
/// third of its life, so that neither side does its cryptography for every call.
#[derive(Clone)]
pub struct Mint {
    issuer: Arc<str>,
    service: Arc<str>,
    keyring: SharedKeyring,
    clock: Clock,
    issued: moka::sync::Cache<MintKey, (HeaderValue, DateTime<Utc>)>,
}

impl Mint {
    /// A mint for the calls that `service` makes.
    pub fn new(
        issuer: impl Into<Arc<str>>,
        service: impl Into<Arc<str>>,
        keyring: SharedKeyring,
        clock: Clock,
    ) -> Self {
        let life = INTERNAL_LIFE.to_std().unwrap_or_default();
        let issued =
            moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(life).build();
        Self { issuer: issuer.into(), service: service.into(), keyring, clock, issued }
    }

    /// A token for calling `target`, as a header value marked sensitive.
    pub fn token(&self, target: &str, subject: Option<Subject>) -> HeaderValue {
        let now = self.clock.now();
        let key = (
            Arc::from(target),
            subject.map(|subject| {
                let roles = subject.roles.iter().fold(0, |bits, role| bits | role as u8);
                (subject.user_id, subject.session_id, roles)
            }),
        );
        if let Some((token, until)) = self.issued.get(&key)
            && now < until
        {
            return token;
        }
        let new = NewInternal { issuer: &self.issuer, service: &self.service, target, subject };
        let issued = issue_internal(&self.keyring.current(), new, now);
        #[expect(clippy::expect_used, reason = "base64url and dots are a header's characters")]
        let mut token = HeaderValue::from_str(&issued.token).expect("tokens are ASCII");
        token.set_sensitive(true);
        self.issued.insert(key, (token.clone(), now + INTERNAL_LIFE / 3));
        token
    }
}
