//! The adults who may bring and fetch children.

use crate::domain::{
    Error,
    records::{
        Adult,
        adult::{Column, Entity},
    },
};
use chrono::{DateTime, Utc};
use kit::Tx;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// Most adults of a child at a time who are not revoked.
const MAX_ADULTS: u64 = 50;

/// Inserts an adult of a locked child. False when there is one of the id.
pub async fn insert_adult(tx: &Tx, adult: &Adult) -> Result<bool, Error> {
    let inserted = Entity::insert(adult.clone().into_active_model())
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    if inserted == 1 {
        let active = Entity::find()
            .filter(Column::ChildId.eq(adult.child_id))
            .filter(Column::RevokedAt.is_null());
        if active.count(&**tx).await? > MAX_ADULTS {
            return Err(Error::TooMany("adults", MAX_ADULTS));
        }
    }
    Ok(inserted == 1)
}

/// An adult. Who changes one holds the lock of the child.
pub async fn find_adult(db: &impl ConnectionTrait, id: Uuid) -> Result<Adult, Error> {
    Entity::find_by_id(id).one(db).await?.ok_or(Error::AdultNotFound)
}

/// The adults of a child, the first one first.
pub async fn list_adults(db: &impl ConnectionTrait, child_id: Uuid) -> Result<Vec<Adult>, Error> {
    let adults = Entity::find().filter(Column::ChildId.eq(child_id));
    Ok(adults.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(db).await?)
}

/// Saves an adult.
pub async fn save_adult(tx: &Tx, adult: &Adult) -> Result<(), Error> {
    adult.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Forgets what was told of the adults of a child. None of them may fetch it any more.
pub async fn forget_adults(tx: &Tx, child_id: Uuid) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Secret, Expr::value(Vec::<u8>::new()))
        .col_expr(Column::CodeHash, Expr::value(""))
        .col_expr(Column::LinkHash, Expr::value(Vec::<u8>::new()))
        .col_expr(Column::UserId, Expr::value(Option::<Uuid>::None))
        .col_expr(Column::RevokedAt, Expr::value(tx.now()))
        .filter(Column::ChildId.eq(child_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Ends the links with which the adults of a locked child set their codes.
pub async fn end_links(tx: &Tx, child_id: Uuid) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::LinkHash, Expr::value(Vec::<u8>::new()))
        .col_expr(Column::LinkExpiresAt, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(Column::ChildId.eq(child_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Forgets that an account belongs to adults.
pub async fn forget_account(tx: &Tx, user_id: Uuid) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::UserId, Expr::value(Option::<Uuid>::None))
        .filter(Column::UserId.eq(user_id))
        .exec(&**tx)
        .await?;
    Ok(())
}
