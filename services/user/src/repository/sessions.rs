//! Sessions, their refresh tokens, and the revocation of access tokens.

use super::Repository;
use crate::domain::{
    Error, SessionId, User, UserId,
    account::Status,
    records::{refresh_token, revocation, session, user},
    session::{self as rules, RefreshToken, RefreshTokenStatus, TokenFacts},
};
use chrono::{DateTime, Utc};
use kit::{Id, Tx};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

/// Ends every session of a locked account, which the caller saves: its access tokens are void from now on.
pub async fn end_all(tx: &Tx, user: &mut User) -> Result<(), Error> {
    user.token_version += 1;
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(tx.now()))
        .filter(session::Column::UserId.eq(user.id))
        .filter(session::Column::RevokedAt.is_null())
        .exec(&**tx)
        .await?;
    revoke_tokens(tx, user, None).await
}

/// Ends one session. False when it had ended before.
pub async fn end_sessions(tx: &Tx, user: &User, session_id: SessionId) -> Result<bool, Error> {
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
    revoke_tokens(tx, user, Some(session_id)).await?;
    Ok(true)
}

async fn revoke_tokens(tx: &Tx, user: &User, session_id: Option<SessionId>) -> Result<(), Error> {
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
pub struct Presented {
    /// The token's row.
    pub token: refresh_token::Model,
    /// The session's row.
    pub session: session::Model,
}

impl Presented {
    /// The token with this hash and its session, if there is one.
    pub async fn find(tx: &Tx, hash: &str) -> Result<Option<Self>, Error> {
        let found = refresh_token::Entity::find_by_id(hash.to_owned())
            .find_also_related(session::Entity)
            .one(&**tx)
            .await?;
        Ok(found.and_then(|(token, session)| session.map(|session| Self { token, session })))
    }

    /// What the token is good for at `now`.
    pub fn status(&self, now: DateTime<Utc>) -> RefreshTokenStatus {
        let facts = TokenFacts {
            expires_at: self.token.expires_at,
            rotated_at: self.token.rotated_at,
            session_expires_at: self.session.expires_at,
            session_revoked: self.session.revoked_at.is_some(),
        };
        facts.status(now)
    }

    /// Puts `new` in the place of `old`. False when another call did so first.
    pub async fn rotate(
        &self,
        tx: &Tx,
        old: &RefreshToken,
        new: &RefreshToken,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let sealed = old.seal(new, rand::random());
        let sealed = sealed.ok_or_else(|| kit::Error::internal("a refresh token is not sealed"))?;
        let rotated = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::RotatedAt, Expr::value(tx.now()))
            .col_expr(refresh_token::Column::Successor, Expr::value(sealed))
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

/// Inserts a session with its first refresh token. Returns until when the token can be used.
pub async fn insert_session(
    tx: &Tx,
    user_id: UserId,
    id: SessionId,
    token: &RefreshToken,
) -> Result<DateTime<Utc>, Error> {
    let now = tx.now();
    let ends_at = now + rules::LIFE;
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user_id),
        created_at: Set(now),
        expires_at: Set(ends_at),
        revoked_at: Set(None),
    };
    session::Entity::insert(row).exec_without_returning(&**tx).await?;
    let expires_at = rules::session_expiry(now, ends_at);
    insert_token(tx, token, id, expires_at).await?;
    Ok(expires_at)
}

/// The account of a session while it is open.
pub async fn active_user(tx: &Tx, id: UserId) -> Result<Option<User>, Error> {
    let user = user::Entity::find_by_id(id).one(&**tx).await?;
    Ok(user.filter(|user| user.status == Status::Active))
}

impl Repository {
    /// What was revoked at or after `since`, the oldest first.
    pub async fn revocations(&self, since: DateTime<Utc>) -> Result<Vec<revocation::Model>, Error> {
        /// Far above what ten minutes bring; a verifier that gets so many asks again from the last one.
        const MAX_REVOCATIONS: u64 = 10_000;
        let query = revocation::Entity::find()
            .filter(revocation::Column::RevokedAt.gte(since))
            .order_by_asc(revocation::Column::RevokedAt)
            .order_by_asc(revocation::Column::Id)
            .limit(MAX_REVOCATIONS);
        Ok(query.all(self.db.connection()).await?)
    }
}
