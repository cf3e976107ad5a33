//! Reads and writes quotes.

use crate::domain::{
    AccountId, Error, OrderId, Quote, QuoteId, Resource,
    records::{order, quote},
};
use sea_orm::{IntoActiveModel, Iterable, QuerySelect, entity::prelude::*, sea_query::OnConflict};

/// Keeps a quote.
pub async fn insert_quote(db: &impl ConnectionTrait, quote: &Quote) -> Result<(), Error> {
    let row = quote.clone().into_active_model().reset_all();
    quote::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Keeps a quote that may be there already with an earlier price. An order that was made of it keeps its own.
pub async fn replace_quote(db: &impl ConnectionTrait, quote: &Quote) -> Result<(), Error> {
    let row = quote.clone().into_active_model().reset_all();
    let all = quote::Column::iter().filter(|column| !matches!(column, quote::Column::Id));
    quote::Entity::insert(row)
        .on_conflict(OnConflict::column(quote::Column::Id).update_columns(all).to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// A quote of the account, if there is one of this id.
pub async fn find_quote(
    db: &impl ConnectionTrait,
    id: QuoteId,
    customer: AccountId,
) -> Result<Option<Quote>, Error> {
    let found = quote::Entity::find_by_id(id).filter(quote::Column::CustomerId.eq(customer));
    Ok(found.one(db).await?)
}

/// A quote of the account; any quote when no account is given, for operators.
pub async fn get_quote(
    db: &impl ConnectionTrait,
    id: QuoteId,
    customer: Option<AccountId>,
) -> Result<Quote, Error> {
    let mut select = quote::Entity::find_by_id(id);
    if let Some(customer) = customer {
        select = select.filter(quote::Column::CustomerId.eq(customer));
    }
    select.one(db).await?.ok_or(Error::NotFound(Resource::Quote))
}

/// The order that a quote became.
pub async fn order_of(db: &impl ConnectionTrait, id: QuoteId) -> Result<Option<OrderId>, Error> {
    let found = order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::QuoteId.eq(id))
        .filter(order::Column::Booking.eq(false));
    Ok(found.into_tuple().one(db).await?)
}
