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
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, sea_query::OnConflict,
};
use uuid::Uuid;

/// Most invitations to a child that wait to be accepted.
const MAX_INVITATIONS: u64 = 20;

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

/// Ends the rights of a guardian of a locked child. What was handed out until then ends as well, the invitations to the child
/// and the links of its adults: who holds one of them is not known, and it may be the guardian.
pub async fn end_guardian(tx: &Tx, guardian: Guardian) -> Result<(), Error> {
    let (child_id, user_id) = (guardian.child_id, guardian.user_id);
    save_guardian(tx, Guardian { revoked_at: Some(tx.now()), ..guardian }).await?;
    let is_held = Condition::any()
        .add(invitation::Column::AcceptedBy.is_null())
        .add(invitation::Column::AcceptedBy.eq(user_id));
    invitation::Entity::delete_many()
        .filter(invitation::Column::ChildId.eq(child_id))
        .filter(is_held)
        .exec(&**tx)
        .await?;
    super::adults::end_links(tx, child_id).await
}

/// Inserts an invitation to a locked child. Those that were not accepted in time make room.
pub async fn insert_invitation(tx: &Tx, invitation: Invitation) -> Result<(), Error> {
    let open = Condition::all()
        .add(invitation::Column::ChildId.eq(invitation.child_id))
        .add(invitation::Column::AcceptedBy.is_null());
    invitation::Entity::delete_many()
        .filter(open.clone())
        .filter(invitation::Column::ExpiresAt.lte(tx.now()))
        .exec(&**tx)
        .await?;
    if invitation::Entity::find().filter(open).count(&**tx).await? >= MAX_INVITATIONS {
        return Err(Error::TooMany("open invitations", MAX_INVITATIONS));
    }
    invitation::Entity::insert(invitation.into_active_model())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// The invitation of a token. Who changes one locks the child first, and reads it again under that lock.
pub async fn find_invitation(
    db: &impl ConnectionTrait,
    token_hash: Vec<u8>,
) -> Result<Invitation, Error> {
    let of_token = invitation::Entity::find().filter(invitation::Column::TokenHash.eq(token_hash));
    of_token.one(db).await?.ok_or(Error::InvitationNotFound)
}

/// Saves an invitation of a locked child.
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
