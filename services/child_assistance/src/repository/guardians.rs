//! Guardians, their invitations, and what was read of children.

use crate::domain::{
    Error,
    records::{
        Access, Child, Guardian, Invitation, access,
        guardian::{Column, Entity},
        invitation,
    },
};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, sea_query::OnConflict,
};
use uuid::Uuid;

/// A child and the rights of one of its guardians; absent to everybody else.
pub async fn find_as_guardian(
    db: &impl ConnectionTrait,
    child_id: Uuid,
    user_id: Uuid,
) -> Result<(Child, Guardian), Error> {
    let guardian = Entity::find_by_id((child_id, user_id)).one(db).await?;
    let guardian = guardian.filter(Guardian::is_active).ok_or(Error::ChildNotFound)?;
    Ok((super::children::find_child(db, child_id).await?, guardian))
}

/// Locks a child for a guardian who manages it, until the transaction ends.
pub async fn lock_as_manager(tx: &Tx, child_id: Uuid, user_id: Uuid) -> Result<Child, Error> {
    let (_, guardian) = find_as_guardian(&**tx, child_id, user_id).await?;
    if !guardian.manages() {
        return Err(Error::GuardianRight);
    }
    let child = super::children::lock_child(tx, child_id).await?;
    // The rights are those that hold once the child is locked.
    let (_, guardian) = find_as_guardian(&**tx, child_id, user_id).await?;
    if guardian.manages() { Ok(child) } else { Err(Error::GuardianRight) }
}

/// The guardians of a child, those of before too.
pub async fn list_guardians(
    db: &impl ConnectionTrait,
    child_id: Uuid,
) -> Result<Vec<Guardian>, Error> {
    let guardians = Entity::find().filter(Column::ChildId.eq(child_id));
    Ok(guardians.order_by_asc(Column::Since).order_by_asc(Column::UserId).all(db).await?)
}

/// The children whose guardian an account is.
pub async fn list_guarded(
    db: &impl ConnectionTrait,
    user_id: Uuid,
) -> Result<Vec<Guardian>, Error> {
    let guarded =
        Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::RevokedAt.is_null());
    Ok(guarded.order_by_asc(Column::ChildId).all(db).await?)
}

/// Makes an account a guardian, or changes its rights.
pub async fn save_guardian(tx: &Tx, guardian: Guardian) -> Result<(), Error> {
    Entity::insert(guardian.into_active_model())
        .on_conflict(
            OnConflict::columns([Column::ChildId, Column::UserId])
                .update_columns([Column::CanManage, Column::RevokedAt, Column::Since])
                .to_owned(),
        )
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Inserts an invitation.
pub async fn insert_invitation(tx: &Tx, invitation: Invitation) -> Result<(), Error> {
    invitation::Entity::insert(invitation.into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Locks the invitation of a token until the transaction ends.
pub async fn lock_invitation(tx: &Tx, token_hash: Vec<u8>) -> Result<Invitation, Error> {
    let found = invitation::Entity::find()
        .filter(invitation::Column::TokenHash.eq(token_hash))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    found.ok_or(Error::InvitationNotFound)
}

/// Saves a locked invitation.
pub async fn save_invitation(tx: &Tx, invitation: Invitation) -> Result<(), Error> {
    invitation.into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Writes down that something is read.
pub async fn insert_accesses(tx: &Tx, accesses: Vec<Access>) -> Result<(), Error> {
    if accesses.is_empty() {
        return Ok(());
    }
    let rows = accesses.into_iter().map(IntoActiveModel::into_active_model);
    access::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// A page of the accesses to a child, and one more.
pub async fn list_accesses(
    db: &impl ConnectionTrait,
    child_id: Uuid,
    page: Page,
) -> Result<Vec<Access>, Error> {
    let of_child = access::Entity::find().filter(access::Column::ChildId.eq(child_id));
    Ok(page.of(of_child, access::Column::Id).all(db).await?)
}
