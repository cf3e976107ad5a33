//! Every query. Ownership is in the query: a message to another account is not found.

pub mod inbox;
pub mod outgoing;
pub mod settings;

use crate::{
    domain::records::message,
    domain::{
        Error, Message,
        message::{MessageEvent as Step, State},
    },
};
use kit::{Clock, Db, Tx};
use sea_orm::{
    IntoActiveModel,
    entity::prelude::*,
    sea_query::{CaseStatement, OnConflict},
};

/// The tables of the service.
#[derive(Clone)]
pub struct Repository {
    pub db: Db,
}

/// The messages about an order that lose their sense with a fact of it.
#[derive(Clone, Copy)]
pub struct Overtaken {
    pub order_id: Uuid,
    /// Number of the fact; earlier ones are overtaken.
    pub before_seq: i64,
}

impl Repository {
    /// The tables in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The database itself.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The service's clock.
    pub const fn clock(&self) -> &Clock {
        self.db.clock()
    }
}

/// Deletes every message to an account.
pub async fn delete_messages_to(tx: &Tx, user_id: Uuid) -> Result<(), Error> {
    message::Entity::delete_many().filter(message::Column::UserId.eq(user_id)).exec(&**tx).await?;
    Ok(())
}

/// Inserts the messages that a fact gives rise to, once: each has the fact in its key. False when none is new.
pub async fn insert_message(
    db: &impl ConnectionTrait,
    messages: Vec<Message>,
) -> Result<bool, Error> {
    if messages.is_empty() {
        return Ok(false);
    }
    use message::Column::{Addressee, Channel, EventId};
    let once = OnConflict::columns([EventId, Addressee, Channel]).do_nothing().to_owned();
    let rows = messages.into_iter().map(IntoActiveModel::into_active_model);
    let inserted =
        message::Entity::insert_many(rows).on_conflict(once).exec_without_returning(db).await?;
    Ok(inserted > 0)
}

/// Cancels the messages that wait and are overtaken. What is just being handed over is marked, so that it is not sent a second time.
pub async fn cancel_overtaken(
    tx: &Tx,
    Overtaken { order_id, before_seq }: Overtaken,
) -> Result<(), Error> {
    use message::Column::{DueAt, Fades, Failure, OrderId, OrderSeq, Stale, State as Stands};
    let in_flight = Stands.eq(State::Sent);
    let stands = CaseStatement::new()
        .case(in_flight.clone(), Expr::value(State::Sent))
        .finally(Expr::value(State::Queued.transition(Step::Cancel)?));
    let due_at = CaseStatement::new()
        .case(in_flight, Expr::col(DueAt))
        .finally(Expr::value(Option::<DateTimeUtc>::None));
    message::Entity::update_many()
        .col_expr(Stale, Expr::value(true))
        .col_expr(Failure, Expr::value("SUPERSEDED"))
        .col_expr(DueAt, due_at.into())
        .col_expr(Stands, stands.into())
        .filter(OrderId.eq(order_id))
        .filter(DueAt.is_not_null())
        .filter(OrderSeq.lt(before_seq))
        .filter(Fades.eq(true))
        .exec(&**tx)
        .await?;
    Ok(())
}
