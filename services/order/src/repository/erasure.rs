//! Forgets what erased accounts wrote.

use super::{calendar_links, favourites};
use crate::domain::{
    AccountId, Actor, Error, FORMER_PROVIDER, JobDetails, OrderId, Private,
    records::{change_order, dispute, message, offer, order, proof, quote, review, timeline},
};
use kit::Tx;
use sea_orm::{
    Condition, IntoActiveModel, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, Query, SelectStatement},
};

/// Whose rows forget an account's words.
#[derive(Clone, Copy)]
pub enum Forgotten {
    /// Those of this order.
    OfOrder(OrderId),
    /// Those of orders in which the account is no side any more, such as a provider who gave the assignment back.
    OfFormerOrders,
}

/// Empties what the account itself wrote: messages, and notes of the timeline. Its proofs lose their positions.
pub async fn forget_words(tx: &Tx, rows: Forgotten, account: AccountId) -> Result<(), Error> {
    message::Entity::update_many()
        .col_expr(message::Column::Body, Expr::value(Private::default()))
        .filter(rows.has(Expr::col(message::Column::OrderId), account))
        .filter(message::Column::AuthorId.eq(account))
        .exec(&**tx)
        .await?;
    timeline::Entity::update_many()
        .col_expr(timeline::Column::Note, Expr::value(""))
        .filter(rows.has(Expr::col(timeline::Column::OrderId), account))
        .filter(timeline::Column::ActorId.eq(account.uuid()))
        .exec(&**tx)
        .await?;
    without_positions()
        .filter(rows.has(Expr::col(proof::Column::OrderId), account))
        .filter(proof::Column::AddedBy.eq(account))
        .exec(&**tx)
        .await?;
    Ok(())
}

impl Forgotten {
    /// Whether `order_id`, a column, is of an order whose rows are meant.
    fn has(self, order_id: Expr, account: AccountId) -> Expr {
        match self {
            Self::OfOrder(id) => order_id.eq(id),
            Self::OfFormerOrders => order_id.not_in_subquery(orders_of(account)),
        }
    }
}

/// The orders in which the account is a side.
fn orders_of(account: AccountId) -> SelectStatement {
    let side = Condition::any()
        .add(order::Column::CustomerId.eq(account))
        .add(order::Column::ProviderUserId.eq(account));
    Query::select().column(order::Column::Id).from(order::Entity).cond_where(side).take()
}

/// Empties what a side of the order wrote without its account being noted: reviews, disputes and change orders. Stars
/// and amounts stay.
pub async fn forget_side(tx: &Tx, order: OrderId, side: Actor) -> Result<(), Error> {
    review::Entity::update_many()
        .col_expr(review::Column::Body, Expr::value(""))
        .filter(review::Column::OrderId.eq(order))
        .filter(review::Column::Side.eq(side))
        .exec(&**tx)
        .await?;
    dispute::Entity::update_many()
        .col_expr(dispute::Column::Reason, Expr::value(""))
        .col_expr(dispute::Column::Body, Expr::value(Private::default()))
        .filter(dispute::Column::OrderId.eq(order))
        .filter(dispute::Column::OpenedBy.eq(side))
        .exec(&**tx)
        .await?;
    forget_changes(tx, order, side).await
}

async fn forget_changes(tx: &Tx, order: OrderId, side: Actor) -> Result<(), Error> {
    let proposed = change_order::Entity::find()
        .filter(change_order::Column::OrderId.eq(order))
        .filter(change_order::Column::ProposedBy.eq(side));
    for mut row in proposed.all(&**tx).await? {
        row.reason.clear();
        row.lines.0.iter_mut().for_each(|(label, _)| label.clear());
        row.into_active_model().reset_all().update(&**tx).await?;
    }
    Ok(())
}

/// Takes the positions from all proofs of the order.
pub async fn forget_positions(tx: &Tx, order: OrderId) -> Result<(), Error> {
    without_positions().filter(proof::Column::OrderId.eq(order)).exec(&**tx).await?;
    Ok(())
}

fn without_positions() -> sea_orm::UpdateMany<proof::Entity> {
    proof::Entity::update_many()
        .col_expr(proof::Column::Lat, Expr::value(None::<f64>))
        .col_expr(proof::Column::Lng, Expr::value(None::<f64>))
}

/// Forgets what is kept of the account outside the orders in which it is a side: its quotes, the name in offers to it,
/// what it wrote about orders that are another provider's now, and answers that were kept for keys. A quote that was
/// booked stays without the home, since its order keeps what was agreed.
pub async fn forget_account(tx: &Tx, account: AccountId) -> Result<(), Error> {
    let booked = Query::select()
        .column(order::Column::QuoteId)
        .from(order::Entity)
        .cond_where(order::Column::CustomerId.eq(account))
        .take();
    quote::Entity::delete_many()
        .filter(quote::Column::CustomerId.eq(account))
        .filter(quote::Column::Id.not_in_subquery(booked))
        .exec(&**tx)
        .await?;
    let kept = quote::Entity::find()
        .filter(quote::Column::CustomerId.eq(account))
        .lock_exclusive()
        .all(&**tx)
        .await?;
    for mut quote in kept {
        quote.details = JobDetails::default();
        quote.terms.place.forget();
        // What it was made from could be guessed and compared.
        quote.inputs_hash = Vec::new();
        quote.into_active_model().reset_all().update(&**tx).await?;
    }
    offer::Entity::update_many()
        .col_expr(offer::Column::ProviderName, Expr::value(FORMER_PROVIDER))
        .filter(offer::Column::ProviderUserId.eq(account))
        .exec(&**tx)
        .await?;
    favourites::remove_all(tx, account).await?;
    calendar_links::remove_link(tx, account).await?;
    forget_words(tx, Forgotten::OfFormerOrders, account).await?;
    kit::storage::idempotency::forget_account(tx, account.uuid()).await?;
    Ok(())
}
