//! Members: who works for a provider.

use super::Providers;
use crate::domain::{
    Error, MAX_ENTRIES, Member, MemberId, ProviderId,
    records::member::{Column, Entity},
};
use kit::{Tx, storage::page::Page};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

/// Inserts a member, unless the provider has as many as it may.
pub async fn insert_member(tx: &Tx, member: &Member) -> Result<(), Error> {
    let own = Entity::find().filter(Column::ProviderId.eq(member.provider_id));
    if own.count(&**tx).await? >= MAX_ENTRIES {
        return Err(Error::TooMany(MAX_ENTRIES));
    }
    Entity::insert(member.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// A member of a provider.
pub async fn find_member(tx: &Tx, provider_id: ProviderId, id: MemberId) -> Result<Member, Error> {
    let own = Entity::find_by_id(id).filter(Column::ProviderId.eq(provider_id));
    own.one(&**tx).await?.ok_or(Error::MemberNotFound)
}

/// Checks that a member whom something concerns belongs to the provider.
pub async fn check_member(
    tx: &Tx,
    provider_id: ProviderId,
    id: Option<MemberId>,
) -> Result<(), Error> {
    if let Some(id) = id {
        find_member(tx, provider_id, id).await?;
    }
    Ok(())
}

/// Saves a changed member.
pub async fn save_member(tx: &Tx, member: &Member) -> Result<(), Error> {
    super::update_row(&**tx, member.clone()).await
}

/// Deletes a member of a provider.
pub async fn delete_member(tx: &Tx, provider_id: ProviderId, id: MemberId) -> Result<(), Error> {
    let own = Entity::delete_by_id(id).filter(Column::ProviderId.eq(provider_id));
    match own.exec(&**tx).await?.rows_affected {
        0 => Err(Error::MemberNotFound),
        _ => Ok(()),
    }
}

/// Deletes all members of a provider.
pub async fn delete_all(tx: &Tx, provider_id: ProviderId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ProviderId.eq(provider_id)).exec(&**tx).await?;
    Ok(())
}

impl Providers {
    /// A page of the members of a profile, and the token of the next page.
    pub async fn members(
        &self,
        id: ProviderId,
        page: Page,
    ) -> Result<(Vec<Member>, String), Error> {
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }
}
