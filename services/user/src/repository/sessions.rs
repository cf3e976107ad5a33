//! Sessions, their refresh tokens, and the revocation of access tokens.

use super::{Repository, accounts, lock, lock_signed_in, save};
use crate::{
    domain::{
        Error, SessionId, User, UserId,
        account::Status,
        session::{self as rules, Facts, RefreshToken, Standing},
    },
    entity::{refresh_token, revocation, session},
    events,
};
use chrono::{DateTime, Utc};
use kit::{Id, Tx};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

/// A session to be opened.
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Its first refresh token.
    pub token: RefreshToken,
    /// The hash that replaces one of outdated parameters.
    pub password_hash: Option<String>,
}

/// A session that goes on with another refresh token.
pub struct Renewed {
    /// The account.
    pub user: User,
    /// The session.
    pub session_id: SessionId,
    /// The next token.
    pub token: RefreshToken,
    /// Until when the next token can be used.
    pub expires_at: DateTime<Utc>,
}

/// Ends every session of a locked account, which the caller saves: its access tokens are void from now on.
pub async fn end_all(tx: &Tx, user: &mut User) -> Result<(), Error> {
    user.token_version += 1;
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(tx.now()))
        .filter(session::Column::UserId.eq(user.id))
        .filter(session::Column::RevokedAt.is_null())
        .exec(&**tx)
        .await?;
    revoke(tx, user, None).await
}

/// Ends one session. False when it had ended before.
async fn end(tx: &Tx, user: &User, session_id: SessionId) -> Result<bool, Error> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(tx.now()))
        .filter(session::Column::Id.eq(session_id))
        .filter(session::Column::UserId.eq(user.id))
        .filter(session::Column::RevokedAt.is_null())
        .exec(&**tx)
        .await?;
    if ended.rows_affected == 0 {
        return Ok(false);
    }
    revoke(tx, user, Some(session_id)).await?;
    Ok(true)
}

async fn revoke(tx: &Tx, user: &User, session_id: Option<SessionId>) -> Result<(), Error> {
    let row = revocation::ActiveModel {
        id: Set(Id::new(tx.clock())),
        user_id: Set(user.id),
        session_id: Set(session_id),
        token_version: Set(user.token_version),
        revoked_at: Set(tx.now()),
    };
    revocation::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

async fn insert_token(
    tx: &Tx,
    token: &RefreshToken,
    session_id: SessionId,
    expires_at: DateTime<Utc>,
) -> Result<(), Error> {
    let row = refresh_token::ActiveModel {
        hash: Set(token.hash()),
        session_id: Set(session_id),
        expires_at: Set(expires_at),
        rotated_at: Set(None),
        successor: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// A refresh token with its session.
struct Presented {
    token: refresh_token::Model,
    session: session::Model,
}

impl Presented {
    async fn find(tx: &Tx, hash: &str) -> Result<Option<Self>, Error> {
        let found = refresh_token::Entity::find_by_id(hash.to_owned())
            .find_also_related(session::Entity)
            .one(&**tx)
            .await?;
        Ok(found.and_then(|(token, session)| session.map(|session| Self { token, session })))
    }

    fn standing(&self, now: DateTime<Utc>) -> Standing {
        let facts = Facts {
            expires_at: self.token.expires_at,
            rotated_at: self.token.rotated_at,
            session_expires_at: self.session.expires_at,
            session_revoked: self.session.revoked_at.is_some(),
        };
        facts.standing(now)
    }

    /// Puts `new` in the place of `old`. False when another call did so first.
    async fn rotate(
        &self,
        tx: &Tx,
        old: &RefreshToken,
        new: &RefreshToken,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let rotated = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::RotatedAt, Expr::value(tx.now()))
            .col_expr(refresh_token::Column::Successor, Expr::value(old.seal(new)))
            .filter(refresh_token::Column::Hash.eq(&self.token.hash))
            .filter(refresh_token::Column::RotatedAt.is_null())
            .exec(&**tx)
            .await?;
        if rotated.rows_affected == 0 {
            return Ok(false);
        }
        insert_token(tx, new, self.session.id, expires_at).await?;
        Ok(true)
    }
}

/// Answers a refresh token: its successor, old or new, or nothing.
async fn next(tx: &Tx, old: &RefreshToken, new: RefreshToken) -> Result<Option<Renewed>, Error> {
    let hash = old.hash();
    let now = tx.now();
    let Some(mut presented) = Presented::find(tx, &hash).await? else {
        return Ok(None);
    };
    let mut standing = presented.standing(now);
    let mut token = None;
    if standing == Standing::Fresh {
        let expires_at = rules::expiry(now, presented.session.expires_at);
        if presented.rotate(tx, old, &new, expires_at).await? {
            token = Some((new, expires_at));
        } else {
            // Another call was first: what it wrote says what this one gets.
            presented = Presented::find(tx, &hash).await?.ok_or(Error::RefreshTokenInvalid)?;
            standing = presented.standing(now);
        }
    }
    if standing == Standing::Grace {
        let sealed = presented.token.successor.as_deref().unwrap_or_default();
        let rotated_at = presented.token.rotated_at.unwrap_or(now);
        let expires_at = rules::expiry(rotated_at, presented.session.expires_at);
        token = old.unseal(sealed).map(|successor| (successor, expires_at));
    }
    let session_id = presented.session.id;
    let user_id = presented.session.user_id;
    if standing == Standing::Reused {
        let mut user = lock(tx, user_id).await?;
        if end(tx, &user, session_id).await? {
            events::record(tx, &mut user, events::SESSION_REUSED).await?;
            save(tx, user).await?;
        }
        return Ok(None);
    }
    let Some((token, expires_at)) = token else { return Ok(None) };
    let user = crate::entity::user::Entity::find_by_id(user_id).one(&**tx).await?;
    let user = user.filter(|user| user.status == Status::Active);
    Ok(user.map(|user| Renewed { user, session_id, token, expires_at }))
}

impl Repository {
    /// Opens a session for the account as it was when its password was checked; none when it changed meanwhile.
    pub async fn open_session(&self, seen: &User, new: NewSession) -> Result<DateTime<Utc>, Error> {
        let (id, token_version) = (seen.id, seen.token_version);
        self.db
            .write(move |tx| async move {
                let user = lock(&tx, id).await?;
                if user.status != Status::Active || user.token_version != token_version {
                    return Err(Error::CredentialsInvalid);
                }
                let now = tx.now();
                let ends_at = now + rules::LIFE;
                let row = session::ActiveModel {
                    id: Set(new.id),
                    user_id: Set(id),
                    created_at: Set(now),
                    expires_at: Set(ends_at),
                    revoked_at: Set(None),
                };
                session::Entity::insert(row).exec_without_returning(&*tx).await?;
                let expires_at = rules::expiry(now, ends_at);
                insert_token(&tx, &new.token, new.id, expires_at).await?;
                if let Some(password_hash) = new.password_hash {
                    accounts::set_password_hash(&tx, id, password_hash).await?;
                }
                Ok(expires_at)
            })
            .await
    }

    /// Puts `new` in the place of `old`, or finds what took its place a moment ago. A token that was rotated before
    /// that ends its session, and like any other that is not valid gets none.
    pub async fn rotate(
        &self,
        old: RefreshToken,
        new: RefreshToken,
    ) -> Result<Option<Renewed>, Error> {
        self.db.write(move |tx| async move { next(&tx, &old, new).await }).await
    }

    /// Ends one session of the caller.
    pub async fn end_session(&self, id: UserId, session_id: SessionId) -> Result<(), Error> {
        self.db
            .write(move |tx| async move {
                let user = lock(&tx, id).await?;
                end(&tx, &user, session_id).await?;
                Ok(())
            })
            .await
    }

    /// Ends every session of the caller.
    pub async fn end_all_sessions(&self, id: UserId) -> Result<(), Error> {
        self.db
            .write(move |tx| async move {
                let mut user = lock_signed_in(&tx, id).await?;
                end_all(&tx, &mut user).await?;
                save(&tx, user).await?;
                Ok(())
            })
            .await
    }

    /// What was revoked at or after `since`, the oldest first.
    pub async fn revocations(&self, since: DateTime<Utc>) -> Result<Vec<revocation::Model>, Error> {
        /// Far above what ten minutes bring; a verifier that gets so many asks again from the last one.
        const MOST: u64 = 10_000;
        let query = revocation::Entity::find()
            .filter(revocation::Column::RevokedAt.gte(since))
            .order_by_asc(revocation::Column::RevokedAt)
            .order_by_asc(revocation::Column::Id)
            .limit(MOST);
        Ok(query.all(self.db.read()).await?)
    }
}
