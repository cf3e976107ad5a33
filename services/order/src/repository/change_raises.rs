//! Raises that payment is asked for before their change is written: begun, found and ended.

use super::RAISE;
use crate::domain::{ChangeId, Error, OrderId, records::change_raise};
use chrono::Duration;
use kit::{Tx, messaging::timers};
use sea_orm::{IntoActiveModel, entity::prelude::*, sea_query::OnConflict};

/// How long after a raise its change is written at the latest. A call takes seconds, and may be repeated.
const WRITTEN_WITHIN: Duration = Duration::minutes(5);

/// Writes down that payment will be asked to raise for a change, and sets the timer that gives it back.
pub async fn begin_raise(tx: &Tx, order_id: OrderId, change_id: ChangeId) -> Result<(), Error> {
    let row = change_raise::Model { change_id, order_id, created_at: tx.now() };
    change_raise::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    let due = tx.now() + WRITTEN_WITHIN;
    Ok(timers::schedule_timer(tx, RAISE, change_id.uuid(), due).await?)
}

/// The order for whose change a raise was begun, unless that has ended.
pub async fn find_order(
    db: &impl ConnectionTrait,
    change: ChangeId,
) -> Result<Option<OrderId>, Error> {
    let found = change_raise::Entity::find_by_id(change).one(db).await?;
    Ok(found.map(|row| row.order_id))
}

/// Ends a raise: its change is written, or what it added is on its way back. False when it had ended before.
pub async fn end_raise(tx: &Tx, change: ChangeId) -> Result<bool, Error> {
    let ended = change_raise::Entity::delete_by_id(change).exec(&**tx).await?.rows_affected > 0;
    timers::cancel_timer(tx, RAISE, change.uuid()).await?;
    Ok(ended)
}
