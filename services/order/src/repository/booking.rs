//! The booking's own transactions: few statements, since every order goes through them.

use super::{
    DEADLINE, Orders,
    commit::{Change, commit_all},
};
use crate::{
    domain::records::{order, quote},
    domain::{
        AccountId, Error, Order, OrderChange, OrderId, Payment, Principal, Private, Progress,
        ProviderId, Quote, QuoteId, Resource, State, Timing,
    },
};
use chrono::{DateTime, Utc};
use kit::{Clock, Id, Tx, messaging::timers, storage::idempotency};
use sea_orm::{
    IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};

/// Bookings taken up at a time.
const MAX_SWEPT: u64 = 100;

/// What a customer wants to book.
#[derive(Clone)]
pub struct NewOrder {
    /// Who books.
    pub customer_id: AccountId,
    /// What.
    pub quote_id: QuoteId,
    /// Whom to ask, when the quote names nobody.
    pub provider_id: Option<ProviderId>,
    /// How to pay.
    pub method_id: Option<Uuid>,
    /// Whether others are asked should the named provider decline.
    pub search_if_declined: bool,
    /// What the provider should know.
    pub notes: Private,
    /// The key the call came with.
    pub key: Option<idempotency::Key>,
}

/// Where a booking begins.
#[derive(Debug)]
pub enum Begun {
    /// Its answer was given before.
    Replay(Vec<u8>),
    /// Nothing has been done.
    Fresh(Box<Order>),
    /// An earlier call was interrupted; what it did is not known.
    Interrupted(Box<Order>),
    /// An earlier call got through without its answer being kept.
    Done(Box<Order>),
}

/// A booking to finish, and the answer to keep for its key.
#[derive(Clone)]
pub(super) struct Finish {
    change: Change,
    kept: Option<(idempotency::Key, Vec<u8>)>,
}

impl Orders {
    /// Writes down what is about to be booked: the order is there but not visible, and no other can be made of its
    /// quote. The sweep takes the booking up if this process does not finish it.
    pub async fn begin_booking(&self, new: NewOrder) -> Result<Begun, Error> {
        let Some(key) = new.key.clone() else { return self.beginning.run(new).await? };
        let timing = self.timing.clone();
        self.db
            .write(move |tx| async move {
                match idempotency::begin(&tx, &key).await? {
                    idempotency::Begun::Replay(bytes) => Ok(Begun::Replay(bytes)),
                    idempotency::Begun::New => begin(&*tx, tx.clock(), new, &timing).await,
                }
            })
            .await
    }

    /// Sets the timer for bookings that were begun before `before` and that no process has finished; returns how many.
    pub async fn take_up_bookings(&self, before: DateTime<Utc>) -> Result<usize, Error> {
        let stopped: Vec<OrderId> = order::Entity::find()
            .select_only()
            .column(order::Column::Id)
            .filter(order::Column::Booking.eq(true))
            .filter(order::Column::GivenUp.eq(false))
            .filter(order::Column::CreatedAt.lte(before))
            .order_by_asc(order::Column::CreatedAt)
            .limit(MAX_SWEPT)
            .into_tuple()
            .all(self.db.read())
            .await?;
        let count = stopped.len();
        for id in stopped {
            let set = self.db.write(move |tx| async move {
                timers::ensure(&tx, DEADLINE, id.uuid()).await.map_err(Error::from)
            });
            set.await?;
        }
        Ok(count)
    }

    /// Writes what the booking came to, and the call's answer.
    pub async fn finish_booking<M, F, A>(
        &self,
        order: Order,
        who: Principal,
        key: Option<idempotency::Key>,
        decide: F,
        answer: A,
    ) -> Result<M, Error>
    where
        M: prost::Message,
        F: FnOnce(&mut OrderChange) -> Result<(), Error>,
        A: FnOnce(&Order) -> M,
    {
        let (clock, timing) = (self.db.clock().clone(), self.timing.clone());
        let mut draft = OrderChange::new(order.clone(), who, clock, timing)?;
        decide(&mut draft)?;
        let change = Change::of(order, draft);
        let answer = answer(change.after());
        let kept = key.map(|key| (key, answer.encode_to_vec()));
        match self.finishing.run(Finish { change, kept }).await? {
            true => Ok(answer),
            false => Err(Error::Changed),
        }
    }

    /// Takes back a booking of which nothing was done elsewhere. False when another call joined it meanwhile.
    pub async fn undo_booking(
        &self,
        order: &Order,
        key: Option<idempotency::Key>,
    ) -> Result<bool, Error> {
        let (id, version) = (order.id, order.version);
        self.db
            .write(move |tx| async move {
                let deleted = order::Entity::delete_many()
                    .filter(order::Column::Id.eq(id))
                    .filter(order::Column::Booking.eq(true))
                    .filter(order::Column::Joined.eq(false))
                    .filter(order::Column::Version.eq(version))
                    .exec(&*tx)
                    .await?;
                give_back(&tx, key).await?;
                Ok(deleted.rows_affected > 0)
            })
            .await
    }

    /// Gives the key of an interrupted call back, so that repeating it goes on with the booking.
    pub async fn abandon_key(&self, key: Option<idempotency::Key>) -> Result<(), Error> {
        if key.is_none() {
            return Ok(());
        }
        self.db.write(move |tx| async move { give_back(&tx, key).await }).await
    }

    /// Keeps the answer of a call that another one has done the work of.
    pub async fn keep_answer<M: prost::Message + 'static>(
        &self,
        key: Option<idempotency::Key>,
        answer: M,
    ) -> Result<M, Error> {
        let Some(key) = key else { return Ok(answer) };
        self.db
            .write(move |tx| async move {
                idempotency::finish(&tx, &key, &answer).await?;
                Ok(answer)
            })
            .await
    }
}

async fn give_back(tx: &Tx, key: Option<idempotency::Key>) -> Result<(), Error> {
    if let Some(key) = &key {
        idempotency::abandon(tx, key).await?;
    }
    Ok(())
}

/// Finishes bookings; says for each whether it was as it was seen.
pub(super) async fn finish_all(tx: &Tx, bookings: Vec<Finish>) -> Result<Vec<bool>, Error> {
    let (changes, kept): (Vec<_>, Vec<_>) =
        bookings.into_iter().map(|booking| (booking.change, booking.kept)).unzip();
    let written = commit_all(tx, changes).await?;
    for (kept, written) in kept.into_iter().zip(&written) {
        if let (Some((key, answer)), true) = (kept, written) {
            idempotency::keep(tx, &key, answer).await?;
        }
    }
    Ok(written)
}

async fn begin(
    db: &impl ConnectionTrait,
    clock: &Clock,
    new: NewOrder,
    timing: &Timing,
) -> Result<Begun, Error> {
    let begun = begin_all(db, clock, vec![new], timing).await?;
    begun.into_iter().next().unwrap_or(Err(Error::Changed))
}

/// Makes the orders of quotes, of which there is one each. Otherwise says what became of the earlier one: a booking
/// that did not get through, or that the same call made, is gone on with.
pub(super) async fn begin_all(
    db: &impl ConnectionTrait,
    clock: &Clock,
    new: Vec<NewOrder>,
    timing: &Timing,
) -> Result<Vec<Result<Begun, Error>>, Error> {
    let now = clock.now();
    let quotes = quote::Entity::find()
        .filter(quote::Column::Id.is_in(new.iter().map(|new| new.quote_id)))
        .all(db)
        .await?;
    let order = |new: &NewOrder| {
        let own = |quote: &&Quote| quote.id == new.quote_id && quote.customer_id == new.customer_id;
        let quote = quotes.iter().find(own).ok_or(Error::NotFound(Resource::Quote))?;
        if quote.expires_at <= now || quote.window_start <= now {
            return Ok(None);
        }
        order_of(new.clone(), quote.clone(), Id::new(clock), now, timing).map(Some)
    };
    let orders: Vec<Result<Option<Order>, Error>> = new.iter().map(order).collect();
    let inserted = insert_all(db, orders.iter().flatten().flatten()).await?;
    let mut begun = Vec::with_capacity(new.len());
    for (new, order) in new.iter().zip(orders) {
        begun.push(match order {
            Err(error) => Err(error),
            Ok(Some(order)) if inserted.contains(&order.id) => Ok(Begun::Fresh(Box::new(order))),
            Ok(Some(_)) => earlier(db, new, Error::Changed).await,
            Ok(None) => earlier(db, new, Error::QuoteExpired).await,
        });
    }
    Ok(begun)
}

/// Inserts orders; returns those whose quotes had none.
async fn insert_all(
    db: &impl ConnectionTrait,
    orders: impl Iterator<Item = &Order>,
) -> Result<Vec<OrderId>, Error> {
    let rows = orders.map(|order| order.clone().into_active_model().reset_all());
    let inserted = order::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning_keys(db)
        .await?;
    Ok(inserted)
}

/// The booking of a quote that there is already, or `none`. Whoever joins it marks it, so that whoever began it cannot
/// take it back as if alone.
async fn earlier(db: &impl ConnectionTrait, new: &NewOrder, none: Error) -> Result<Begun, Error> {
    let of_quote = order::Column::QuoteId.eq(new.quote_id).and(order::Column::GivenUp.eq(false));
    let joined = order::Entity::update_many()
        .col_expr(order::Column::Joined, Expr::value(true))
        .filter(of_quote.clone())
        .filter(order::Column::Booking.eq(true))
        .exec_with_returning(db)
        .await?;
    if let Some(order) = joined.into_iter().next() {
        return Ok(Begun::Interrupted(Box::new(order)));
    }
    let order = order::Entity::find().filter(of_quote).one(db).await?.ok_or(none)?;
    let request_id = request_id(new.key.as_ref());
    if request_id.is_some() && order.request_id == request_id {
        Ok(Begun::Done(Box::new(order)))
    } else {
        Err(Error::QuoteUsed(order.id.uuid()))
    }
}

fn order_of(
    new: NewOrder,
    quote: Quote,
    id: OrderId,
    now: DateTime<Utc>,
    timing: &Timing,
) -> Result<Order, Error> {
    if new.provider_id.is_some() && quote.provider_id.is_some_and(|it| Some(it) != new.provider_id)
    {
        return Err(kit::Error::invalid("provider_id", "is not the one of the quote").into());
    }
    Ok(Order {
        id,
        customer_id: new.customer_id,
        quote_id: quote.id,
        request_id: request_id(new.key.as_ref()),
        vertical: quote.vertical,
        state: State::PendingPayment,
        disputed: false,
        booking: true,
        joined: false,
        given_up: false,
        provider_id: quote.provider_id.or(new.provider_id),
        provider_user_id: None,
        provider_name: String::new(),
        window_start: quote.window_start,
        window_end: quote.window_end,
        time_zone: quote.time_zone,
        details: quote.details,
        terms: quote.terms,
        notes: new.notes,
        search_if_declined: new.search_if_declined,
        total: quote.total,
        currency: quote.currency,
        payment: Payment { method_id: new.method_id, ..Payment::default() },
        progress: Progress::default(),
        hold_expires_at: now + chrono::Duration::seconds(timing.hold_s),
        version: 1,
        event_seq: 0,
        created_at: now,
        updated_at: now,
    })
}

/// Names the call that booked, so that the same call finds its order again.
fn request_id(key: Option<&idempotency::Key>) -> Option<Uuid> {
    key.map(|key| key.derived_id::<Order>().uuid())
}
