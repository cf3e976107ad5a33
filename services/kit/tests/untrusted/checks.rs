//! What must hold for any text that a client sends as a page token or an access token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{
    Clock, Subject,
    identity::keyring::{Keyring, SharedKeyring},
    identity::token::{ISSUER, NewAccess, Verifier, issue_access},
    storage::page::Page,
};
use uuid::Uuid;

/// A token is one that a list gives, letter for letter, or refused by its name.
pub fn check_page(size: i32, token: &str) {
    match Page::parse(size, token) {
        Ok(Page { size, before }) => {
            assert!((1..=kit::storage::page::MAX_SIZE).contains(&size));
            let given = before.map(|id| URL_SAFE_NO_PAD.encode(id)).unwrap_or_default();
            assert_eq!(given, token);
        }
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.starts_with(if size < 0 { "page_size" } else { "page_token" }),
                "{error}"
            );
        }
    }
}

/// An issuer, a verifier of what it issues, and one token.
pub struct Tokens {
    verifier: Verifier,
    /// A valid token.
    pub valid: String,
}

impl Tokens {
    /// Issues the token.
    pub fn new() -> Self {
        let clock = Clock::system();
        let keys = Keyring::ephemeral(clock.now()).expect("a keyring");
        let keys = SharedKeyring::new(keys, clock.clone());
        let subject = Subject {
            user_id: Uuid::from_u128(7),
            session_id: Uuid::from_u128(8),
            roles: kit::rpc::caller::Roles::default(),
        };
        let access =
            NewAccess { issuer: ISSUER, subject, token_version: 1, token_id: Uuid::from_u128(9) };
        let valid = issue_access(&keys.current(), access, clock.now()).token;
        Self { verifier: Verifier::from_keyring(ISSUER, keys, clock), valid }
    }

    /// A text is the token that was issued, letter for letter, or refused.
    pub fn check(&self, text: &str) {
        let verified = futures::executor::block_on(self.verifier.verify_access(text));
        assert_eq!(verified.is_ok(), text == self.valid, "{text}");
        let internal = self.verifier.verify_internal(text, "order");
        assert!(futures::executor::block_on(internal).is_err(), "{text}");
    }

    /// The token with pieces replaced: each change is a place, how many letters go, and what comes instead.
    pub fn changed(&self, changes: &[(u16, u8, &str)]) -> String {
        let mut text = self.valid.clone();
        for (at, gone, instead) in changes {
            let at = usize::from(*at) % (text.len() + 1);
            let end = (at + usize::from(*gone)).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, instead);
            }
        }
        text
    }
}
