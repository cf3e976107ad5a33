//! Families and their children.

use crate::domain::{
    Error,
    records::{
        Child, Family, Guardian,
        child::{Column, Entity},
        family, guardian,
    },
};
use kit::Tx;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// Most children of a family at a time.
const MAX_CHILDREN: u64 = 30;

/// Whether there is any family, so that values were encrypted.
pub async fn has_families(db: &impl ConnectionTrait) -> Result<bool, Error> {
    Ok(family::Entity::find().limit(1).count(db).await? > 0)
}

/// The family that an account has founded, locked until the transaction ends; a new one where there is none.
pub async fn find_or_found_family(tx: &Tx, founder_id: Uuid) -> Result<Family, Error> {
    let fresh = Family { id: tx.new_uuid(), founder_id, erased_at: None, created_at: tx.now() };
    family::Entity::insert(fresh.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    let found = family::Entity::find()
        .filter(family::Column::FounderId.eq(founder_id))
        .filter(family::Column::ErasedAt.is_null())
        .lock_exclusive()
        .one(&**tx)
        .await?;
    found.ok_or_else(|| kit::Error::internal("a family that was founded is gone").into())
}

/// Locks a family until the transaction ends.
pub async fn lock_family(tx: &Tx, id: Uuid) -> Result<Option<Family>, Error> {
    Ok(family::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?)
}

/// Saves a locked family.
pub async fn save_family(tx: &Tx, family: Family) -> Result<(), Error> {
    family.into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Inserts a child. False when there is one of its id.
pub async fn insert_child(tx: &Tx, child: &Child) -> Result<bool, Error> {
    let inserted = Entity::insert(child.clone().into_active_model())
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted == 1)
}

/// A child that is not forgotten.
pub async fn find_child(db: &impl ConnectionTrait, id: Uuid) -> Result<Child, Error> {
    let found = Entity::find_by_id(id).filter(Column::ForgottenAt.is_null()).one(db).await?;
    found.ok_or(Error::ChildNotFound)
}

/// Locks a child that is not forgotten until the transaction ends.
pub async fn lock_child(tx: &Tx, id: Uuid) -> Result<Child, Error> {
    let child = Entity::find_by_id(id).filter(Column::ForgottenAt.is_null()).lock_exclusive();
    child.one(&**tx).await?.ok_or(Error::ChildNotFound)
}

/// Whether there is a child of an id, or was one.
pub async fn has_child(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, Error> {
    Ok(Entity::find_by_id(id).count(db).await? > 0)
}

/// Refuses another child in a locked family that has as many as it may have.
pub async fn check_room(tx: &Tx, family_id: Uuid) -> Result<(), Error> {
    let in_family =
        Entity::find().filter(Column::FamilyId.eq(family_id)).filter(Column::ForgottenAt.is_null());
    if in_family.count(&**tx).await? >= MAX_CHILDREN {
        return Err(Error::TooMany("children", MAX_CHILDREN));
    }
    Ok(())
}

/// Saves a locked child.
pub async fn save_child(tx: &Tx, child: &Child) -> Result<(), Error> {
    child.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// The children of an account, each with its rights, the latest first.
pub async fn list_children(
    db: &impl ConnectionTrait,
    user_id: Uuid,
) -> Result<Vec<(Child, Guardian)>, Error> {
    let mut rows = Vec::new();
    let guardians = guardian::Entity::find()
        .filter(guardian::Column::UserId.eq(user_id))
        .filter(guardian::Column::RevokedAt.is_null())
        .all(db)
        .await?;
    let ids = guardians.iter().map(|guardian| guardian.child_id);
    let children = Entity::find()
        .filter(Column::Id.is_in(ids))
        .filter(Column::ForgottenAt.is_null())
        .all(db)
        .await?;
    for child in children {
        if let Some(guardian) = guardians.iter().find(|guardian| guardian.child_id == child.id) {
            rows.push((child, guardian.clone()));
        }
    }
    rows.sort_by_key(|(child, _)| std::cmp::Reverse((child.created_at, child.id)));
    Ok(rows)
}

/// The children of a family who are not forgotten.
pub async fn list_of_family(tx: &Tx, family_id: Uuid) -> Result<Vec<Child>, Error> {
    let children =
        Entity::find().filter(Column::FamilyId.eq(family_id)).filter(Column::ForgottenAt.is_null());
    Ok(children.all(&**tx).await?)
}

/// Forgets what was told of a child.
pub async fn forget_child(tx: &Tx, id: Uuid) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Secret, Expr::value(Vec::<u8>::new()))
        .col_expr(Column::ForgottenAt, Expr::value(tx.now()))
        .filter(Column::Id.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}
