//! Opens and renews sessions.

use crate::{
    domain::{
        Error, SessionId, User, UserId,
        account::{self, Status, roles_of},
        form::{self, Grant},
        password,
        session::{self, RefreshToken, RefreshTokenStatus},
    },
    events,
    hasher::{Hasher, Verdict},
    repository::{
        self, Repository, accounts, known_clients,
        sessions::{self, Presented},
    },
    throttle::{Client, SignInAttempt, Throttles, known_client},
};
use chrono::{DateTime, Utc};
use kit::{
    Id, Subject, Tx,
    identity::keyring::SharedKeyring,
    identity::token::{self, ISSUER, NewAccess},
};
use std::sync::Arc;
use uuid::Uuid;

/// Opens and renews sessions.
pub struct SignIn {
    pub repository: Repository,
    pub hasher: Hasher,
    /// Slows down clients that guess passwords.
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
        password: &str,
        client: &Client,
    ) -> Result<Tokens, Error> {
        let email = account::parse_email(email)?;
        let forms = password::hashed_forms(password).ok_or(Error::CredentialsInvalid)?;
        let is_known = match known_client(&email, client) {
            Some(client) => self.repository.is_known_client(client).await?,
            None => false,
        };
        let attempt = SignInAttempt { email: &email, client, is_known };
        let now = self.repository.clock().now();
        self.throttles.sign_in(attempt, now).await?;
        let opened = self.try_login(&attempt, forms).await;
        match &opened {
            Ok(_) => self.throttles.signed_in(attempt, now).await,
            Err(Error::CredentialsInvalid) => {}
            Err(_) => self.throttles.not_tried(attempt, now).await,
        }
        opened
    }

    /// `forms` are those of the password, the one of today first.
    async fn try_login(
        &self,
        attempt: &SignInAttempt<'_>,
        forms: Vec<String>,
    ) -> Result<Tokens, Error> {
        let SignInAttempt { email, client, .. } = attempt;
        let found = self.repository.credentials(email).await?;
        let found = found.filter(|(user, _)| {
            user.status == Status::Active
                && (user.email_verified_at.is_some() || !self.verified_only)
        });
        let (user, stored) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let password = forms.first().cloned().unwrap_or_default();
        let verdict = self.hasher.verify(forms, stored).await?;
        let user = user.filter(|_| verdict != Verdict::Wrong).ok_or(Error::CredentialsInvalid)?;
        let password_hash = match verdict {
            Verdict::RightButDated => Some(self.hasher.hash(password).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        let id = Id::new(self.repository.clock());
        let token = RefreshToken::new(rand::random());
        let client = known_client(email, client);
        let expires_at = self.open_session(&user, id, &token, password_hash, client).await?;
        Ok(self.tokens(&user, id, &token, expires_at))
    }

    /// Opens a session for the account as it was when its password was checked; an account that changed meanwhile gets
    /// none. `password_hash` replaces one of outdated parameters; the owner is known to come from `client`.
    async fn open_session(
        &self,
        checked: &User,
        id: SessionId,
        token: &RefreshToken,
        password_hash: Option<String>,
        client: Option<String>,
    ) -> Result<DateTime<Utc>, Error> {
        let tx = self.repository.db.begin().await?;
        let user = repository::lock_user(&tx, checked.id).await?;
        if user.status != Status::Active || user.token_version != checked.token_version {
            return Err(Error::CredentialsInvalid);
        }
        let expires_at = sessions::insert_session(&tx, user.id, id, token).await?;
        if let Some(password_hash) = password_hash {
            accounts::set_password_hash(&tx, user.id, password_hash).await?;
        }
        if let Some(client) = client {
            known_clients::remember(&tx, user.id, client).await?;
        }
        tx.commit().await?;
        Ok(expires_at)
    }

    /// Renews a session.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, Error> {
        let old = RefreshToken::parse(token).ok_or(Error::RefreshTokenInvalid)?;
        let tx = self.repository.db.begin().await?;
        let renewed = renew_session(&tx, &old, RefreshToken::new(rand::random())).await?;
        tx.commit().await?;
        match renewed {
            Renewal::Renewed(it) => {
                Ok(self.tokens(&it.user, it.session_id, &it.token, it.expires_at))
            }
            Renewal::Refused => Err(Error::RefreshTokenInvalid),
            Renewal::Ended(user_id) => {
                self.repository.announce_revocation(user_id);
                Err(Error::RefreshTokenInvalid)
            }
        }
    }

    /// Answers a token request of OAuth 2.0.
    pub async fn grant(
        &self,
        content_type: &str,
        form: &[u8],
        client: &Client,
    ) -> Result<Tokens, Error> {
        match form::parse_grant(content_type, form)? {
            Grant::Password { username, password } => {
                // What is no address at all is no account's: a form has no field to find fault with.
                account::parse_email(&username).map_err(|_| Error::CredentialsInvalid)?;
                self.login(&username, &password, client).await
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

/// What a refresh token got.
enum Renewal {
    /// The session goes on.
    Renewed(Box<Renewed>),
    /// The token is not valid.
    Refused,
    /// The token was used before: the session of this account is over.
    Ended(UserId),
}

/// A session that goes on with another refresh token.
struct Renewed {
    user: User,
    session_id: SessionId,
    token: RefreshToken,
    expires_at: DateTime<Utc>,
}

/// Puts `new` in the place of `old`, or finds what took its place a moment ago. A token that was rotated before that
/// ends its session, and like any other that is not valid gets none. Commit the transaction also when this fails.
async fn renew_session(tx: &Tx, old: &RefreshToken, new: RefreshToken) -> Result<Renewal, Error> {
    let hash = old.hash();
    let now = tx.now();
    let Some(mut presented) = Presented::find(tx, &hash).await? else {
        return Ok(Renewal::Refused);
    };
    let mut status = presented.status(now);
    let mut next = None;
    if status == RefreshTokenStatus::Fresh {
        let expires_at = session::session_expiry(now, presented.session.expires_at);
        if presented.rotate(tx, old, &new, expires_at).await? {
            next = Some((new, expires_at));
        } else {
            // Another call was first: what it wrote says what this one gets.
            presented = Presented::find(tx, &hash).await?.ok_or(Error::RefreshTokenInvalid)?;
            status = presented.status(now);
        }
    }
    if status == RefreshTokenStatus::Grace {
        let sealed = presented.token.successor.as_deref().unwrap_or_default();
        let rotated_at = presented.token.rotated_at.unwrap_or(now);
        let expires_at = session::session_expiry(rotated_at, presented.session.expires_at);
        next = old.unseal(sealed).map(|successor| (successor, expires_at));
    }
    let (session_id, user_id) = (presented.session.id, presented.session.user_id);
    if status == RefreshTokenStatus::Reused {
        let mut user = repository::lock_user(tx, user_id).await?;
        if sessions::end_sessions(tx, &user, session_id).await? {
            events::record_event(tx, &mut user, events::SESSION_REUSED).await?;
            repository::save_quietly(tx, &user).await?;
        }
        return Ok(Renewal::Ended(user_id));
    }
    let Some((token, expires_at)) = next else { return Ok(Renewal::Refused) };
    let Some(user) = sessions::active_user(tx, user_id).await? else {
        return Ok(Renewal::Refused);
    };
    Ok(Renewal::Renewed(Box::new(Renewed { user, session_id, token, expires_at })))
}
