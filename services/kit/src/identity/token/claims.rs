//! What tokens say: the claims on the wire, and the checked values that the services work with.

use super::LEEWAY;
use crate::rpc::caller::{Role, Roles, Subject};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// What a verified access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The account, its session and its roles.
    pub subject: Subject,
    /// The version of the account's tokens; a higher one at the user service revokes this token.
    pub token_version: i64,
    /// The token's own id.
    pub token_id: Uuid,
    /// Until when the token is valid.
    pub expires_at: DateTime<Utc>,
}

/// What a verified internal token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalClaims {
    /// The service that calls, `edge` for requests from outside.
    pub service: Arc<str>,
    /// The account on whose behalf it calls, if any.
    pub subject: Option<Subject>,
    /// Until when the token is valid.
    pub expires_at: DateTime<Utc>,
}

/// When a token is valid, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Period {
    pub issued_at: i64,
    pub not_before: i64,
    pub expires_at: i64,
}

impl Period {
    /// The period of a token issued at `now`.
    pub fn starting(now: DateTime<Utc>, life: Duration) -> Self {
        let issued_at = now.timestamp();
        let expires_at = issued_at.saturating_add(life.num_seconds());
        Self { issued_at, not_before: issued_at, expires_at }
    }

    /// The end of the period, if it holds at `now` and is no longer than `life`.
    fn check(self, now: DateTime<Utc>, life: Duration) -> Result<DateTime<Utc>, &'static str> {
        let (now, leeway) = (now.timestamp(), LEEWAY.num_seconds());
        let latest = now.saturating_add(leeway);
        let lives = self.expires_at.checked_sub(self.issued_at).ok_or("exp is out of range")?;
        if lives <= 0 || lives > life.num_seconds() {
            return Err("the life is not that of such tokens");
        }
        if self.issued_at > latest || self.not_before > latest {
            return Err("not valid yet");
        }
        if self.not_before >= self.expires_at {
            return Err("never valid");
        }
        if self.expires_at.saturating_add(leeway) <= now {
            return Err("expired");
        }
        DateTime::from_timestamp(self.expires_at, 0).ok_or("exp is out of range")
    }
}

/// Claims as they are on the wire, and what they must say.
pub(super) trait Wire: Serialize + for<'de> Deserialize<'de> {
    /// The checked value.
    type Checked;

    /// Checks everything but the signature.
    fn check(
        self,
        issuer: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<Self::Checked, &'static str>;
}

/// The claims of an access token. An unknown claim is ignored: a later version may add one.
#[derive(Serialize, Deserialize)]
pub(super) struct AccessWire {
    pub iss: String,
    pub sub: Uuid,
    pub aud: String,
    pub exp: i64,
    pub nbf: i64,
    pub iat: i64,
    pub jti: Uuid,
    pub sid: Uuid,
    pub ver: i64,
    pub roles: Vec<String>,
}

impl Wire for AccessWire {
    type Checked = AccessClaims;

    fn check(
        self,
        issuer: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<AccessClaims, &'static str> {
        let Self { iss, sub, aud, exp, nbf, iat, jti, sid, ver, roles } = self;
        check_parties(&iss, &aud, issuer, audience)?;
        let period = Period { issued_at: iat, not_before: nbf, expires_at: exp };
        let expires_at = period.check(now, super::ACCESS_LIFE)?;
        if ver < 0 {
            return Err("ver is negative");
        }
        let subject = parse_subject(sub, sid, &roles)?;
        Ok(AccessClaims { subject, token_version: ver, token_id: jti, expires_at })
    }
}

/// The claims of an internal token. `sub`, `sid` and `roles` come together or not at all.
#[derive(Serialize, Deserialize)]
pub(super) struct InternalWire {
    pub iss: String,
    pub aud: String,
    pub exp: i64,
    pub nbf: i64,
    pub iat: i64,
    pub act: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

impl Wire for InternalWire {
    type Checked = InternalClaims;

    fn check(
        self,
        issuer: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<InternalClaims, &'static str> {
        let Self { iss, aud, exp, nbf, iat, act, sub, sid, roles } = self;
        check_parties(&iss, &aud, issuer, audience)?;
        let period = Period { issued_at: iat, not_before: nbf, expires_at: exp };
        let expires_at = period.check(now, super::INTERNAL_LIFE)?;
        if !is_service_name(&act) {
            return Err("act is no service");
        }
        let subject = match (sub, sid, roles) {
            (None, None, None) => None,
            (Some(sub), Some(sid), Some(roles)) => Some(parse_subject(sub, sid, &roles)?),
            _ => return Err("half a subject"),
        };
        Ok(InternalClaims { service: act.into(), subject, expires_at })
    }
}

/// Whether a text can be the name of a service: 1 to 64 small letters and underscores.
fn is_service_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn check_parties(iss: &str, aud: &str, issuer: &str, audience: &str) -> Result<(), &'static str> {
    if iss != issuer {
        return Err("another issuer");
    }
    if aud != audience { Err("another audience") } else { Ok(()) }
}

fn parse_subject(
    user_id: Uuid,
    session_id: Uuid,
    roles: &[String],
) -> Result<Subject, &'static str> {
    if user_id.is_nil() || session_id.is_nil() {
        return Err("an empty subject");
    }
    let roles = roles.iter().map(|name| Role::from_name(name)).collect::<Option<Roles>>();
    Ok(Subject { user_id, session_id, roles: roles.ok_or("an unknown role")? })
}

/// The names of roles, as tokens carry them.
pub(super) fn role_names(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}
