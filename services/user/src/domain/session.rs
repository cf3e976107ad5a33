//! Sessions and their refresh tokens.
//!
//! A token is rotated at each use. Two calls that race with the same token get the same successor: it is kept with the
//! old token, readable only with the old token itself, so that the database alone gives no token away.

use super::secret::{self, Bytes32};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// A session ends after this time, however much it is used.
pub const LIFE: Duration = Duration::days(60);
/// A refresh token that is not used for this long expires.
pub const IDLE: Duration = Duration::days(14);
/// For this long a rotated token still answers with its successor.
pub const GRACE: Duration = Duration::seconds(10);

/// What a sealed successor starts with; those of earlier versions have another length.
const SEAL_VERSION: u8 = 1;
/// Random bytes that a successor is sealed with.
pub type SealNonce = [u8; 12];

/// What refresh tokens start with, so that scanners find leaked ones.
const PREFIX: &str = "qsr_";

/// A refresh token: 256 bits of chance.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Bytes32);

impl RefreshToken {
    /// The token of these random bytes.
    pub const fn new(random: Bytes32) -> Self {
        Self(random)
    }

    /// Reads a token; none when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The token as clients carry it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    /// The hash under which it is kept.
    pub fn hash(&self) -> String {
        secret::digest_secret("refresh-token", &self.0)
    }

    /// Encrypts `successor` so that only this token reads it: version, nonce, ciphertext and tag. None only if the cipher
    /// fails.
    pub fn seal(&self, successor: &Self, nonce: SealNonce) -> Option<Vec<u8>> {
        let mut text = successor.0.to_vec();
        let key = self.seal_key()?;
        let aad = Aad::from([SEAL_VERSION]);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).ok()?;
        Some([&[SEAL_VERSION], nonce.as_slice(), text.as_slice()].concat())
    }

    /// Reads what [`RefreshToken::seal`] encrypted; none when this token is not the one that did.
    pub fn unseal(&self, sealed: &[u8]) -> Option<Self> {
        if let Ok(sealed) = sealed.try_into() {
            return Some(Self(self.unseal_earlier_version(sealed)));
        }
        let (version, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk()?;
        let (nonce, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from([SEAL_VERSION]));
        if *version != SEAL_VERSION {
            return None;
        }
        let mut text = text.to_vec();
        let successor = self.seal_key()?.open_in_place(nonce, aad, &mut text).ok()?;
        <[u8; 32]>::try_from(&*successor).ok().map(Self)
    }

    fn seal_key(&self) -> Option<LessSafeKey> {
        let key = secret::keyed_digest("refresh-successor-key", &self.0);
        UnboundKey::new(&CHACHA20_POLY1305, &key).ok().map(LessSafeKey::new)
    }

    /// What versions before the cipher sealed: the successor, combined with a pad. It lives for the ten seconds after a
    /// rotation, so that this can go in the next version.
    fn unseal_earlier_version(&self, sealed: &Bytes32) -> Bytes32 {
        let pad = secret::keyed_digest("refresh-successor", &self.0);
        std::array::from_fn(|i| sealed.get(i).unwrap_or(&0) ^ pad.get(i).unwrap_or(&0))
    }
}

/// What a refresh token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenStatus {
    /// It may be rotated.
    Fresh,
    /// It was rotated a moment ago: its successor is the answer.
    Grace,
    /// It was rotated before: two clients have a copy of it, so the session must end.
    Reused,
    /// It, or its session, has ended.
    Ended,
}

/// What is known of a token and its session.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts {
    /// When the token expires for want of use.
    pub expires_at: DateTime<Utc>,
    /// When it was rotated.
    pub rotated_at: Option<DateTime<Utc>>,
    /// When the session ends, however much it is used.
    pub session_expires_at: DateTime<Utc>,
    /// Whether the session has been ended.
    pub session_revoked: bool,
}

impl TokenFacts {
    /// What the token is good for at `now`.
    pub fn status(&self, now: DateTime<Utc>) -> RefreshTokenStatus {
        if self.session_revoked || self.session_expires_at <= now {
            return RefreshTokenStatus::Ended;
        }
        match self.rotated_at {
            Some(rotated_at) if now < rotated_at + GRACE => RefreshTokenStatus::Grace,
            Some(_) => RefreshTokenStatus::Reused,
            None if self.expires_at <= now => RefreshTokenStatus::Ended,
            None => RefreshTokenStatus::Fresh,
        }
    }
}

/// When a token issued at `now` expires in a session that ends at `session_expires_at`.
pub fn session_expiry(now: DateTime<Utc>, session_expires_at: DateTime<Utc>) -> DateTime<Utc> {
    session_expires_at.min(now + IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_old_token_reads_its_successor() {
        let (old, new) = (RefreshToken::new([7; 32]), RefreshToken::new([9; 32]));
        let sealed = old.seal(&new, [5; 12]).unwrap();
        assert_eq!(sealed.len(), 1 + 12 + 32 + 16);
        assert!(!sealed.windows(8).any(|part| part == [9; 8]), "it is encrypted");
        assert!(old.unseal(&sealed).unwrap() == new);
        assert!(RefreshToken::new([8; 32]).unseal(&sealed).is_none());
        for index in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[index] ^= 1;
            assert!(old.unseal(&forged).is_none(), "byte {index}");
        }
        for part in [&sealed[..60], &sealed[..13], &[1], &[]] {
            assert!(old.unseal(part).is_none(), "{} bytes", part.len());
        }
        assert_ne!(sealed, old.seal(&new, [6; 12]).unwrap());
    }

    #[test]
    fn what_an_earlier_version_sealed_is_read() {
        let (old, new) = (RefreshToken::new([7; 32]), RefreshToken::new([9; 32]));
        let sealed = old.unseal_earlier_version(&new.0);
        assert!(old.unseal(&sealed).unwrap() == new);
    }

    #[test]
    fn a_token_survives_its_text() {
        let token = RefreshToken::new([3; 32]);
        assert!(RefreshToken::parse(&token.reveal()).unwrap() == token);
        for text in ["", "qsr_", "qsr_AAAA", "AAAA", &format!("{}A", token.reveal())] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn standing_follows_time() {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        let fresh = TokenFacts {
            expires_at: now + IDLE,
            rotated_at: None,
            session_expires_at: now + LIFE,
            session_revoked: false,
        };
        let rotated = TokenFacts { rotated_at: Some(now), ..fresh };
        for (facts, at, standing) in [
            (fresh, now, RefreshTokenStatus::Fresh),
            (fresh, now + IDLE, RefreshTokenStatus::Ended),
            (fresh, now + LIFE, RefreshTokenStatus::Ended),
            (rotated, now, RefreshTokenStatus::Grace),
            (rotated, now + GRACE - Duration::microseconds(1), RefreshTokenStatus::Grace),
            (rotated, now + GRACE, RefreshTokenStatus::Reused),
            (rotated, now + LIFE, RefreshTokenStatus::Ended),
            (TokenFacts { session_revoked: true, ..fresh }, now, RefreshTokenStatus::Ended),
            (TokenFacts { session_revoked: true, ..rotated }, now, RefreshTokenStatus::Ended),
        ] {
            assert_eq!(facts.status(at), standing, "{facts:?} {at}");
        }
        assert_eq!(session_expiry(now, now + Duration::days(1)), now + Duration::days(1));
    }
}
