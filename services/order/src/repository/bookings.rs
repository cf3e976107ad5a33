//! The booking's own transactions: few statements, since every order goes through them. Bookings that wait at the same
//! time share statements and transactions.

use super::{
    DEADLINE,
    orders::{OrderWrite, save_all},
};
use crate::domain::{
    ClosedChange, Error, NewOrder, Order, OrderId, Resource, Timing,
    records::{order, quote},
};
use chrono::{DateTime, Utc};
use kit::{Batch, Clock, Db, Id, messaging::timers, storage::idempotency};
use sea_orm::{
    IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};
use std::sync::Arc;

/// Stalled bookings claimed at a time.
const MAX_CLAIMED: u64 = 100;

/// Begins and finishes bookings.
#[derive(Clone)]
pub struct Bookings {
    db: Db,
    timing: Arc<Timing>,
    beginning: Batch<NewOrder, Result<BegunBooking, Error>, Error>,
    finishing: Batch<Finish, bool, Error>,
}

/// How a booking begins.
#[derive(Debug)]
pub enum BegunBooking {
    /// The call was answered before.
    Answered(Vec<u8>),
    /// Nothing has been done for the order.
    Fresh(Box<Order>),
    /// An earlier call was interrupted; what it did is not known.
    Interrupted(Box<Order>),
    /// An earlier call got through without its answer being kept.
    Done(Box<Order>),
}

/// A booking to finish, and the answer to keep for its key.
#[derive(Clone)]
struct Finish {
    change: OrderWrite,
    answer: Option<(idempotency::Key, Vec<u8>)>,
}

impl Bookings {
    /// The bookings in `db`.
    pub fn new(db: Db, timing: Arc<Timing>) -> Self {
        let means = (db.clone(), timing.clone());
        Self {
            beginning: Batch::new(means, |(db, timing): (Db, Arc<Timing>), new| async move {
                insert_all(db.connection(), db.clock(), new, &timing).await
            }),
            finishing: Batch::new(db.clone(), |db, bookings| async move {
                finish_all(&db, bookings).await
            }),
            db,
            timing,
        }
    }

    /// Writes down what is about to be booked: the order is there but not visible, and no other can be made of its
    /// quote. The sweep takes the booking up if this process does not finish it.
    pub async fn begin(
        &self,
        new: NewOrder,
        key: Option<&idempotency::Key>,
    ) -> Result<BegunBooking, Error> {
        let Some(key) = key else { return self.beginning.run(new).await? };
        let tx = self.db.begin().await?;
        if let idempotency::Begun::Replay(answer) = idempotency::begin_key(&tx, key).await? {
            return Ok(BegunBooking::Answered(answer));
        }
        let begun = insert_all(&*tx, tx.clock(), vec![new], &self.timing).await?;
        let begun = begun.into_iter().next().unwrap_or(Err(Error::Changed))?;
        tx.commit().await?;
        Ok(begun)
    }

    /// Writes what a booking came to, and the answer of its call. False when another call or the timer was faster.
    pub async fn finish(
        &self,
        change: ClosedChange,
        answer: Option<(idempotency::Key, Vec<u8>)>,
    ) -> Result<bool, Error> {
        self.finishing.run(Finish { change: OrderWrite::new(change), answer }).await
    }

    /// Deletes a booking of which nothing was done elsewhere. False when another call joined it meanwhile.
    pub async fn delete(
        &self,
        order: &Order,
        key: Option<&idempotency::Key>,
    ) -> Result<bool, Error> {
        let tx = self.db.begin().await?;
        let deleted = order::Entity::delete_many()
            .filter(order::Column::Id.eq(order.id))
            .filter(order::Column::Booking.eq(true))
            .filter(order::Column::Joined.eq(false))
            .filter(order::Column::Version.eq(order.version))
            .exec(&*tx)
            .await?;
        if let Some(key) = key {
            idempotency::abandon_key(&tx, key).await?;
        }
        tx.commit().await?;
        Ok(deleted.rows_affected > 0)
    }

    /// Gives the key of a refused call back, so that it can be used for another try.
    pub async fn abandon_key(&self, key: Option<&idempotency::Key>) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        let tx = self.db.begin().await?;
        idempotency::abandon_key(&tx, key).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps the answer of a call whose booking another one has finished.
    pub async fn keep_answer(
        &self,
        key: Option<&idempotency::Key>,
        answer: Vec<u8>,
    ) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        let tx = self.db.begin().await?;
        idempotency::keep_answer(&tx, key, answer).await?;
        Ok(tx.commit().await?)
    }

    /// Sets the timer for bookings that were begun before `before` and that no process has finished.
    pub async fn claim_stalled(&self, before: DateTime<Utc>) -> Result<(), Error> {
        let stalled: Vec<OrderId> = order::Entity::find()
            .select_only()
            .column(order::Column::Id)
            .filter(order::Column::Booking.eq(true))
            .filter(order::Column::GivenUp.eq(false))
            .filter(order::Column::CreatedAt.lte(before))
            .order_by_asc(order::Column::CreatedAt)
            .limit(MAX_CLAIMED)
            .into_tuple()
            .all(self.db.connection())
            .await?;
        for id in stalled {
            let tx = self.db.begin().await?;
            timers::ensure_timer(&tx, DEADLINE, id.uuid()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

async fn finish_all(db: &Db, bookings: Vec<Finish>) -> Result<Vec<bool>, Error> {
    let tx = db.begin().await?;
    let (changes, answers): (Vec<_>, Vec<_>) =
        bookings.into_iter().map(|booking| (booking.change, booking.answer)).unzip();
    let written = save_all(&tx, changes).await?;
    for (answer, written) in answers.into_iter().zip(&written) {
        if let (Some((key, answer)), true) = (answer, written) {
            idempotency::keep_answer(&tx, &key, answer).await?;
        }
    }
    tx.commit().await?;
    Ok(written)
}

/// Inserts the orders of quotes, of which there is one each. Where there is an order already, says what became of it: a
/// booking that did not get through, or that the same call made, is resumed.
async fn insert_all(
    db: &impl ConnectionTrait,
    clock: &Clock,
    new: Vec<NewOrder>,
    timing: &Timing,
) -> Result<Vec<Result<BegunBooking, Error>>, Error> {
    let quotes = quote::Entity::find()
        .filter(quote::Column::Id.is_in(new.iter().map(|new| new.quote_id)))
        .all(db)
        .await?;
    let mut orders = Vec::with_capacity(new.len());
    for new in &new {
        let quote = quotes
            .iter()
            .find(|quote| quote.id == new.quote_id && quote.customer_id == new.customer_id);
        orders.push(match quote {
            None => Err(Error::NotFound(Resource::Quote)),
            Some(quote) => {
                Order::of_quote(new.clone(), quote.clone(), Id::new(clock), clock.now(), timing)
            }
        });
    }
    let rows = orders.iter().flatten().map(|order| order.clone().into_active_model().reset_all());
    let inserted: Vec<OrderId> = order::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning_keys(db)
        .await?;
    let mut begun = Vec::with_capacity(new.len());
    for (new, order) in new.iter().zip(orders) {
        begun.push(match order {
            Ok(order) if inserted.contains(&order.id) => Ok(BegunBooking::Fresh(Box::new(order))),
            Ok(_) => join_booking(db, new, Error::Changed).await,
            Err(Error::QuoteExpired) => join_booking(db, new, Error::QuoteExpired).await,
            Err(error) => Err(error),
        });
    }
    Ok(begun)
}

/// Joins the booking of a quote that there is already, or fails with `absent`. Joining marks the booking, so that the
/// call that began it cannot delete it as if it were alone.
async fn join_booking(
    db: &impl ConnectionTrait,
    new: &NewOrder,
    absent: Error,
) -> Result<BegunBooking, Error> {
    let of_quote = order::Column::QuoteId.eq(new.quote_id).and(order::Column::GivenUp.eq(false));
    let joined = order::Entity::update_many()
        .col_expr(order::Column::Joined, Expr::value(true))
        .filter(of_quote.clone())
        .filter(order::Column::Booking.eq(true))
        .exec_with_returning(db)
        .await?;
    if let Some(order) = joined.into_iter().next() {
        return Ok(BegunBooking::Interrupted(Box::new(order)));
    }
    let order = order::Entity::find().filter(of_quote).one(db).await?.ok_or(absent)?;
    if new.dedup_id.is_some() && order.request_id == new.dedup_id {
        Ok(BegunBooking::Done(Box::new(order)))
    } else {
        Err(Error::QuoteUsed(order.id.uuid()))
    }
}
