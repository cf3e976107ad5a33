//! Messages as their readers see them.

use super::Repository;
use crate::{
    domain::records::message::{Column, Entity},
    domain::{Error, Message, MessageId, catalogue::ContactChannel},
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::page::Page};
use sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

/// The lowest id that a message made at `at` can have: ids begin with the milliseconds of the Unix time (RFC 9562 §5.7).
pub fn first_id_at(at: DateTime<Utc>) -> MessageId {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    MessageId::from_uuid(Uuid::from_u128(millis << 80))
}

fn inbox_of(user_id: Uuid) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Channel.eq(ContactChannel::Inbox))
}

/// Locks a message in an account's inbox until the transaction ends.
pub async fn lock_message(tx: &Tx, user_id: Uuid, id: MessageId) -> Result<Message, Error> {
    let query = inbox_of(user_id).filter(Column::Id.eq(id)).lock_exclusive();
    query.one(&**tx).await?.ok_or(Error::MessageNotFound)
}

/// Saves when a locked message was read.
pub async fn save_read_at(tx: &Tx, message: &Message) -> Result<(), Error> {
    let mut row = message.clone().into_active_model();
    row.read_at = Set(message.read_at);
    row.update(&**tx).await?;
    Ok(())
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
        Ok(page.of(all, Column::Id).all(self.db.connection()).await?)
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
        Ok(query.all(self.db.connection()).await?)
    }

    /// Deletes messages made before `before`, but for those that still wait. Returns how many.
    pub async fn sweep(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        let deleted = Entity::delete_many()
            .filter(Column::Id.lt(first_id_at(before)))
            .filter(Column::DueAt.is_null())
            .exec(self.db.connection())
            .await?;
        Ok(deleted.rows_affected)
    }
}
