//! Opens and renews sessions.

use crate::{
    domain::{
        Error, SessionId, User,
        account::{self, Status, roles_of},
        form::{self, Grant},
        password,
        session::RefreshToken,
    },
    hasher::{Hasher, Verdict},
    repository::{NewSession, Repository},
    throttle::{Client, Throttles},
};
use chrono::{DateTime, Utc};
use kit::{
    Id, Subject,
    identity::keyring::SharedKeyring,
    identity::token::{self, ISSUER, NewAccess},
};
use std::sync::Arc;
use uuid::Uuid;

/// Opens and renews sessions.
pub struct SignIn {
    /// The tables.
    pub repository: Repository,
    /// Compares passwords.
    pub hasher: Hasher,
    /// Slows down who guesses.
    pub throttles: Arc<Throttles>,
    /// Signs access tokens.
    pub keys: SharedKeyring,
    /// Whether only accounts with a proven address can sign in.
    pub verified_only: bool,
}

/// The tokens of a session.
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// Seconds until it expires.
    pub expires_in: i32,
    /// The refresh token.
    pub refresh: String,
    /// Until when it can be used.
    pub refresh_expires_at: DateTime<Utc>,
}

impl SignIn {
    /// Opens a session with a password.
    pub async fn login(
        &self,
        email: &str,
        password: String,
        client: &Client,
    ) -> Result<Tokens, Error> {
        let email = account::email(email)?;
        let now = self.repository.clock().now();
        self.throttles.sign_in(&email, client, now)?;
        let opened = self.try_login(&email, password).await;
        match &opened {
            Ok(_) => self.throttles.signed_in(&email, client, now),
            Err(Error::CredentialsInvalid) => {}
            Err(_) => self.throttles.not_tried(&email, client, now),
        }
        opened
    }

    async fn try_login(&self, email: &str, password: String) -> Result<Tokens, Error> {
        let found = self.repository.credentials(email).await?;
        let found = found.filter(|(user, _)| {
            user.status == Status::Active
                && (user.email_verified_at.is_some() || !self.verified_only)
        });
        let (user, stored) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let verdict = self.hasher.verify(password.clone(), stored).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong).ok_or(Error::CredentialsInvalid)?;
        let password_hash = match verdict {
            Verdict::RightButDated => Some(self.hasher.hash(password).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        let id = Id::new(self.repository.clock());
        let token = RefreshToken::new(rand::random());
        let session = NewSession { id, token: token.clone(), password_hash };
        let expires_at = self.repository.open_session(&user, session).await?;
        Ok(self.tokens(&user, id, &token, expires_at))
    }

    /// Renews a session.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, Error> {
        let old = RefreshToken::parse(token).ok_or(Error::RefreshTokenInvalid)?;
        let renewed = self.repository.rotate(old, RefreshToken::new(rand::random())).await?;
        let renewed = renewed.ok_or(Error::RefreshTokenInvalid)?;
        Ok(self.tokens(&renewed.user, renewed.session_id, &renewed.token, renewed.expires_at))
    }

    /// Answers a token request of OAuth 2.0.
    pub async fn grant(
        &self,
        content_type: &str,
        form: &[u8],
        client: &Client,
    ) -> Result<Tokens, Error> {
        match form::grant(content_type, form)? {
            Grant::Password { username, password } => {
                // What is no address at all is no account's: a form has no field to find fault with.
                account::email(&username).map_err(|_| Error::CredentialsInvalid)?;
                if password.chars().count() > password::LONGEST {
                    return Err(Error::CredentialsInvalid);
                }
                self.login(&username, password, client).await
            }
            Grant::Refresh { token } => self.refresh(&token).await,
        }
    }

    fn tokens(
        &self,
        user: &User,
        session_id: SessionId,
        refresh: &RefreshToken,
        refresh_expires_at: DateTime<Utc>,
    ) -> Tokens {
        let subject = Subject {
            user_id: user.id.uuid(),
            session_id: session_id.uuid(),
            roles: roles_of(user.roles),
        };
        let access = NewAccess {
            issuer: ISSUER,
            subject,
            token_version: user.token_version,
            token_id: Uuid::new_v4(),
        };
        let now = self.repository.clock().now();
        let issued = token::issue_access(&self.keys.current(), access, now);
        let expires_in = i32::try_from(token::ACCESS_LIFE.num_seconds()).unwrap_or(i32::MAX);
        Tokens { access: issued.token, expires_in, refresh: refresh.reveal(), refresh_expires_at }
    }
}
