//! Saved payment methods: found, listed and saved.

use crate::domain::{Error, Method, MethodId, UserId, due, method};
use kit::{Tx, storage::db_error::is_duplicate};
use sea_orm::{
    IntoActiveModel, QueryOrder,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict, Query, SelectStatement},
};

/// The index that allows a customer one default.
const ONE_DEFAULT: &str = "payment_methods_one_default";

/// The method an order is charged to: the one named, or the customer's default.
pub async fn find_chargeable(
    db: &impl ConnectionTrait,
    customer: UserId,
    id: Option<MethodId>,
) -> Result<Option<Method>, Error> {
    let query = match id {
        Some(id) => of_customer(customer).filter(method::Column::Id.eq(id)),
        None => of_customer(customer).filter(method::Column::IsDefault.eq(true)),
    };
    Ok(query.one(db).await?)
}

/// As [`find_chargeable`], for several customers in one statement. Of customers who owe something none is found: they
/// pay that first.
pub async fn find_chargeable_each(
    db: &impl ConnectionTrait,
    asked: &[(UserId, Option<MethodId>)],
) -> Result<Vec<Option<Method>>, Error> {
    let known = method::Entity::find()
        .filter(method::Column::CustomerId.is_in(asked.iter().map(|(customer, _)| *customer)))
        .filter(method::Column::DeletedAt.is_null())
        .filter(method::Column::CustomerId.in_subquery(debtors_among(asked)).not())
        .all(db)
        .await?;
    Ok(asked.iter().map(|(customer, id)| select_chargeable(&known, *customer, *id)).collect())
}

/// Those of the customers who owe something.
fn debtors_among(asked: &[(UserId, Option<MethodId>)]) -> SelectStatement {
    Query::select()
        .column(due::Column::CustomerId)
        .from(due::Entity)
        .and_where(due::Column::CustomerId.is_in(asked.iter().map(|(customer, _)| *customer)))
        .and_where(due::Column::State.eq(due::State::Open))
        .to_owned()
}

fn select_chargeable(known: &[Method], customer: UserId, id: Option<MethodId>) -> Option<Method> {
    let mut own = known.iter().filter(|method| method.customer_id == customer);
    own.find(|method| id.map_or(method.is_default, |id| method.id == id)).cloned()
}

/// The method of an attempt that was made already, also when the customer has deleted it since.
pub async fn find_used(db: &impl ConnectionTrait, id: MethodId) -> Result<Option<Method>, Error> {
    Ok(method::Entity::find_by_id(id).one(db).await?)
}

/// One of a customer's methods.
pub async fn find_method(
    db: &impl ConnectionTrait,
    customer: UserId,
    id: MethodId,
) -> Result<Method, Error> {
    let found = of_customer(customer).filter(method::Column::Id.eq(id)).one(db).await?;
    found.ok_or(Error::MethodNotFound)
}

/// A customer's methods, newest first.
pub async fn list_methods(
    db: &impl ConnectionTrait,
    customer: UserId,
) -> Result<Vec<Method>, Error> {
    Ok(of_customer(customer).order_by_desc(method::Column::Id).all(db).await?)
}

/// Inserts a method. One that is to be the default takes the place of the default before it, unless another call saved
/// its own at the same time.
pub async fn insert_method(tx: &Tx, new: &mut Method) -> Result<(), Error> {
    if new.is_default {
        clear_default(tx, new.customer_id).await?;
        if insert_unless_taken(tx, new).await? {
            return Ok(());
        }
        new.is_default = false;
    }
    insert_unless_taken(tx, new).await?;
    Ok(())
}

/// False when the customer has a default already and this is to be one.
async fn insert_unless_taken(tx: &Tx, new: &Method) -> Result<bool, Error> {
    let inserted = method::Entity::insert(new.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Forgets what is known of an erased customer's cards.
pub async fn erase_methods(tx: &Tx, customer: UserId) -> Result<(), Error> {
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

fn of_customer(customer: UserId) -> Select<method::Entity> {
    method::Entity::find()
        .filter(method::Column::CustomerId.eq(customer))
        .filter(method::Column::DeletedAt.is_null())
}

/// Saves a method.
pub async fn save_method(tx: &Tx, method: &mut Method) -> Result<(), Error> {
    method.version += 1;
    method.updated_at = tx.now();
    let saved = method.clone().into_active_model().reset_all().update(&**tx).await;
    match saved {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error, ONE_DEFAULT, "payment_methods.customer_id") => {
            Err(Error::Raced)
        }
        Err(error) => Err(error.into()),
    }
}

/// Leaves a customer without a default method.
pub async fn clear_default(tx: &Tx, customer: UserId) -> Result<(), Error> {
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
