//! Forgets what is past its time.

use super::{Repository, known_clients::KNOWN_FOR};
use crate::{
    domain::records::{contact_code, known_client, refresh_token, revocation, session, user},
    domain::{Error, account::Status, session::GRACE},
};
use chrono::Duration;
use sea_orm::entity::prelude::*;

/// How long the placeholder of a repeated registration stays.
const DUPLICATES_KEPT: Duration = Duration::days(30);
/// How long a revocation matters: longer than any access token lives.
const REVOCATIONS_KEPT: Duration = Duration::hours(1);
/// How long a code row stays after its end, to bound how often mail is asked for.
const CODES_KEPT: Duration = Duration::days(2);

impl Repository {
    /// Forgets sessions, tokens, codes, revocations, known clients and placeholders past their time.
    pub async fn sweep(&self) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let now = tx.now();
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::Successor, Expr::value(None::<Vec<u8>>))
            .filter(refresh_token::Column::Successor.is_not_null())
            .filter(refresh_token::Column::RotatedAt.lt(now - GRACE))
            .exec(&*tx)
            .await?;
        refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::ExpiresAt.lt(now))
            .exec(&*tx)
            .await?;
        session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lt(now))
            .exec(&*tx)
            .await?;
        contact_code::Entity::delete_many()
            .filter(contact_code::Column::ExpiresAt.lt(now - CODES_KEPT))
            .filter(contact_code::Column::RequestedAt.lt(now - CODES_KEPT))
            .exec(&*tx)
            .await?;
        revocation::Entity::delete_many()
            .filter(revocation::Column::RevokedAt.lt(now - REVOCATIONS_KEPT))
            .exec(&*tx)
            .await?;
        known_client::Entity::delete_many()
            .filter(known_client::Column::SeenAt.lt(now - KNOWN_FOR))
            .exec(&*tx)
            .await?;
        user::Entity::delete_many()
            .filter(user::Column::Status.eq(Status::Duplicate))
            .filter(user::Column::CreatedAt.lt(now - DUPLICATES_KEPT))
            .exec(&*tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
