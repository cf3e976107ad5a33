//! Reads and writes the further visits of an order.

use super::VISIT;
use crate::domain::{
    AccountId, Error, Order, State, VisitId,
    records::{order, visit},
};
use chrono::Duration;
use kit::{Tx, messaging::timers};
use sea_orm::{IntoActiveModel, entity::prelude::*};

/// How long the booking of a visit may take before its timer takes it back.
const LEASE: Duration = Duration::seconds(60);

/// Notes a visit whose time is about to be held: its timer frees it should the booking not get through.
pub async fn begin_visit(tx: &Tx, visit: &visit::Model) -> Result<(), Error> {
    let row = visit.clone().into_active_model().reset_all();
    visit::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(timers::schedule_timer(tx, VISIT, visit.id.uuid(), tx.now() + LEASE).await?)
}

/// Marks a visit as booked.
pub async fn confirm_visit(tx: &Tx, id: VisitId) -> Result<(), Error> {
    let updated = visit::Entity::update_many()
        .col_expr(visit::Column::Booked, Expr::value(true))
        .filter(visit::Column::Id.eq(id))
        .exec(&**tx)
        .await?;
    if updated.rows_affected == 0 {
        return Err(Error::Changed);
    }
    Ok(timers::cancel_timer(tx, VISIT, id.uuid()).await?)
}

/// A visit that was begun or booked.
pub async fn find_visit(
    db: &impl ConnectionTrait,
    id: VisitId,
) -> Result<Option<visit::Model>, Error> {
    Ok(visit::Entity::find_by_id(id).one(db).await?)
}

/// The orders whose work an account has begun and not delivered: they alone have visits to come.
pub async fn orders_at_work(
    db: &impl ConnectionTrait,
    provider: AccountId,
) -> Result<Vec<Order>, Error> {
    let states = [State::InProgress, State::AwaitingApproval, State::ChangesRequested];
    let orders = order::Entity::find()
        .filter(order::Column::ProviderUserId.eq(provider))
        .filter(order::Column::State.is_in(states));
    Ok(orders.all(db).await?)
}

/// Deletes a visit that did not get through, with its timer. One that was booked stays.
pub async fn delete_visit(tx: &Tx, id: VisitId) -> Result<(), Error> {
    visit::Entity::delete_many()
        .filter(visit::Column::Id.eq(id))
        .filter(visit::Column::Booked.eq(false))
        .exec(&**tx)
        .await?;
    Ok(timers::cancel_timer(tx, VISIT, id.uuid()).await?)
}
