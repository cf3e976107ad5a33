//! Messages as their readers see them.

use super::Repository;
use crate::{
    domain::{Error, Message, MessageId, catalogue::Channel},
    entity::message::{Column, Entity},
};
use chrono::{DateTime, Utc};
use kit::storage::page::Page;
use sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

/// The lowest id that a message made at `at` can have: ids begin with the milliseconds of the Unix time (RFC 9562 §5.7).
pub fn first_id_at(at: DateTime<Utc>) -> MessageId {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    MessageId::from_uuid(Uuid::from_u128(millis << 80))
}

fn inbox_of(user_id: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::Channel.eq(Channel::Inbox))
}

impl Repository {
    /// A page of an inbox, the newest first.
    pub async fn inbox(
        &self,
        user_id: Uuid,
        page: Page,
        unread_only: bool,
    ) -> Result<Vec<Message>, Error> {
        let mut all = inbox_of(user_id);
        if unread_only {
            all = all.filter(Column::ReadAt.is_null());
        }
        Ok(page.of(all, Column::Id).all(self.db.read()).await?)
    }

    /// Unread messages with an id above `after`, the oldest first, at most `limit`.
    pub async fn unread_after(
        &self,
        user_id: Uuid,
        after: MessageId,
        limit: u64,
    ) -> Result<Vec<Message>, Error> {
        let query = inbox_of(user_id)
            .filter(Column::ReadAt.is_null())
            .filter(Column::Id.gt(after))
            .order_by_asc(Column::Id)
            .limit(limit);
        Ok(query.all(self.db.read()).await?)
    }

    /// Notes that a message was read, unless it was before.
    pub async fn mark_read(&self, user_id: Uuid, id: MessageId) -> Result<Message, Error> {
        self.db
            .write(move |tx| async move {
                let query = inbox_of(user_id).filter(Column::Id.eq(id)).lock_exclusive();
                let found = query.one(&*tx).await?.ok_or(Error::MessageNotFound)?;
                if found.read_at.is_some() {
                    return Ok(found);
                }
                let mut row = found.into_active_model();
                row.read_at = Set(Some(tx.now()));
                Ok(row.update(&*tx).await?)
            })
            .await
    }

    /// Forgets messages made before `before`, but for those that still wait. Returns how many.
    pub async fn sweep(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        self.db
            .write(move |tx| async move {
                let deleted = Entity::delete_many()
                    .filter(Column::Id.lt(first_id_at(before)))
                    .filter(Column::DueAt.is_null())
                    .exec(&*tx)
                    .await?;
                Ok(deleted.rows_affected)
            })
            .await
    }
}
