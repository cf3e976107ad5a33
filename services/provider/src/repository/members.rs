//! Members: who works for a provider.

use super::{Providers, Reach};
use crate::{
    convert,
    domain::{ENTRIES_MOST, Error, Member, MemberId, ProviderId},
    entity::member::{Column, Entity},
};
use kit::{Id, storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

impl Providers {
    /// Adds a member.
    pub async fn create_member(
        &self,
        key: Option<Key>,
        id: ProviderId,
        reach: Reach,
        name: String,
        role: String,
    ) -> Result<pb::Member, Error> {
        self.below(key, id, reach, move |tx, provider| async move {
            let count = Entity::find().filter(Column::ProviderId.eq(id)).count(&*tx).await?;
            if count >= ENTRIES_MOST {
                return Err(Error::TooMany(ENTRIES_MOST));
            }
            let created_at = tx.now();
            let member =
                Member { id: Id::new(tx.clock()), provider_id: id, name, role, created_at };
            let answer = convert::member(&member);
            Entity::insert(member.into_active_model()).exec_without_returning(&*tx).await?;
            Ok((answer, provider))
        })
        .await
    }

    /// A page of the members of a profile, and the token of the next.
    pub async fn members(
        &self,
        id: ProviderId,
        reach: Reach,
        page: Page,
    ) -> Result<(Vec<Member>, String), Error> {
        self.find(id, reach).await?;
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.read()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }

    /// Removes a member.
    pub async fn delete_member(
        &self,
        id: ProviderId,
        reach: Reach,
        member_id: MemberId,
    ) -> Result<pb::DeleteMemberResponse, Error> {
        self.below(None, id, reach, move |tx, provider| async move {
            let deleted = Entity::delete_by_id(member_id)
                .filter(Column::ProviderId.eq(id))
                .exec(&*tx)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(Error::MemberNotFound);
            }
            Ok((pb::DeleteMemberResponse {}, provider))
        })
        .await
    }
}
