//! Saved payment methods.

use crate::{
    domain::Error,
    entity::{Method, MethodId, UserId, method},
};
use kit::{Tx, storage::db::violates};
use sea_orm::{
    IntoActiveModel, QueryOrder,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};

/// Most payment methods of a customer.
pub const MOST: usize = 20;

/// The index that allows a customer one default.
const ONE_DEFAULT: &str = "payment_methods_one_default";

/// The method an order is charged to: the one named, or the customer's default.
pub async fn chargeable(
    db: &impl ConnectionTrait,
    customer: UserId,
    id: Option<MethodId>,
) -> Result<Option<Method>, Error> {
    let query = match id {
        Some(id) => of(customer).filter(method::Column::Id.eq(id)),
        None => of(customer).filter(method::Column::IsDefault.eq(true)),
    };
    Ok(query.one(db).await?)
}

/// As [`chargeable`], for several customers in one statement.
pub async fn chargeable_each(
    db: &impl ConnectionTrait,
    asked: &[(UserId, Option<MethodId>)],
) -> Result<Vec<Option<Method>>, Error> {
    let known = method::Entity::find()
        .filter(method::Column::CustomerId.is_in(asked.iter().map(|(customer, _)| *customer)))
        .filter(method::Column::DeletedAt.is_null())
        .all(db)
        .await?;
    let chosen = |(customer, id): &(UserId, Option<MethodId>)| {
        let fits = |method: &&Method| {
            method.customer_id == *customer && id.map_or(method.is_default, |id| method.id == id)
        };
        known.iter().find(fits).cloned()
    };
    Ok(asked.iter().map(chosen).collect())
}

/// The method of an attempt that was made already, also when the customer has deleted it since.
pub async fn used(db: &impl ConnectionTrait, id: MethodId) -> Result<Option<Method>, Error> {
    Ok(method::Entity::find_by_id(id).one(db).await?)
}

/// One of a customer's methods.
pub async fn find(
    db: &impl ConnectionTrait,
    customer: UserId,
    id: MethodId,
) -> Result<Method, Error> {
    let found = of(customer).filter(method::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::MethodNotFound)
}

/// A customer's methods, newest first.
pub async fn list(db: &impl ConnectionTrait, customer: UserId) -> Result<Vec<Method>, Error> {
    Ok(of(customer).order_by_desc(method::Column::Id).all(db).await?)
}

/// Saves a method; it becomes the default when asked for or when it is the first.
pub async fn insert(tx: &Tx, mut new: Method) -> Result<Method, Error> {
    let others = list(&**tx, new.customer_id).await?;
    if others.len() >= MOST {
        return Err(Error::MethodLimit);
    }
    new.is_default |= others.is_empty();
    if new.is_default {
        clear_default(tx, new.customer_id).await?;
        if insert_unless_taken(tx, &new).await? {
            return Ok(new);
        }
        // Another call saved its default at the same time.
        new.is_default = false;
    }
    insert_unless_taken(tx, &new).await?;
    Ok(new)
}

/// False when the customer has a default already and this is to be one.
async fn insert_unless_taken(tx: &Tx, new: &Method) -> Result<bool, Error> {
    let inserted = method::Entity::insert(new.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Makes a method the default.
pub async fn set_default(tx: &Tx, customer: UserId, id: MethodId) -> Result<Method, Error> {
    let mut found = find(&**tx, customer, id).await?;
    if found.is_default {
        return Ok(found);
    }
    clear_default(tx, customer).await?;
    found.is_default = true;
    save(tx, found).await
}

/// Forgets a method; the newest of the others takes its place as the default.
pub async fn delete(tx: &Tx, customer: UserId, id: MethodId) -> Result<(), Error> {
    let mut found = find(&**tx, customer, id).await?;
    let was_default = found.is_default;
    found.is_default = false;
    found.deleted_at = Some(tx.now());
    save(tx, found).await?;
    if was_default && let Some(mut next) = list(&**tx, customer).await?.into_iter().next() {
        next.is_default = true;
        save(tx, next).await?;
    }
    Ok(())
}

/// Forgets what is known of an erased customer's cards.
pub async fn erase(tx: &Tx, customer: UserId) -> Result<(), Error> {
    method::Entity::update_many()
        .col_expr(method::Column::Token, Expr::value(""))
        .col_expr(method::Column::Last4, Expr::value(""))
        .col_expr(method::Column::IsDefault, Expr::value(false))
        .col_expr(method::Column::DeletedAt, Expr::value(tx.now()))
        .filter(method::Column::CustomerId.eq(customer))
        .exec(&**tx)
        .await?;
    Ok(())
}

fn of(customer: UserId) -> Select<method::Entity> {
    method::Entity::find()
        .filter(method::Column::CustomerId.eq(customer))
        .filter(method::Column::DeletedAt.is_null())
}

async fn save(tx: &Tx, mut method: Method) -> Result<Method, Error> {
    method.version += 1;
    method.updated_at = tx.now();
    let saved = method.into_active_model().reset_all().update(&**tx).await;
    saved.map_err(|error| match violates(&error, ONE_DEFAULT, "payment_methods.customer_id") {
        true => Error::Raced,
        false => error.into(),
    })
}

async fn clear_default(tx: &Tx, customer: UserId) -> Result<(), Error> {
    method::Entity::update_many()
        .col_expr(method::Column::IsDefault, Expr::value(false))
        .col_expr(method::Column::Version, Expr::col(method::Column::Version).add(1))
        .col_expr(method::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(method::Column::CustomerId.eq(customer))
        .filter(method::Column::IsDefault.eq(true))
        .exec(&**tx)
        .await?;
    Ok(())
}
