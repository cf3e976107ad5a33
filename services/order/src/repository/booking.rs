//! The booking's own transactions: few statements, since every order goes through them.

use super::{DEADLINE, Orders, commit};
use crate::{
    domain::{
        AccountId, Draft, Error, Order, OrderId, Payment, Private, Progress, ProviderId, Quote,
        QuoteId, State, Thing, Timing, Who,
    },
    entity::{order, quote},
};
use chrono::{DateTime, Utc};
use kit::{Id, Tx, idempotency, timers};
use sea_orm::{IntoActiveModel, entity::prelude::*, sea_query::ExprTrait};

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

impl Orders {
    /// Writes down what is about to be booked: the quote is used up, the order is there but not visible, and a timer
    /// takes the booking up if this process does not finish it.
    pub async fn begin_booking(&self, new: NewOrder) -> Result<Begun, Error> {
        let timing = self.timing.clone();
        self.db
            .write(move |tx| async move {
                if let Some(key) = &new.key
                    && let idempotency::Begun::Replay(bytes) = idempotency::begin(&tx, key).await?
                {
                    return Ok(Begun::Replay(bytes));
                }
                let id = Id::new(tx.clock());
                match claim_quote(&tx, &new, id).await? {
                    Ok(quote) => insert(&tx, new, quote, id, &timing).await,
                    Err(earlier) => Ok(earlier),
                }
            })
            .await
    }

    /// Writes what the booking came to, and the call's answer.
    pub async fn finish_booking<M, F, A>(
        &self,
        order: Order,
        who: Who,
        key: Option<idempotency::Key>,
        decide: F,
        answer: A,
    ) -> Result<(Order, M), Error>
    where
        M: prost::Message + 'static,
        F: FnOnce(&mut Draft) -> Result<(), Error> + Send + 'static,
        A: FnOnce(&Order) -> M + Send + 'static,
    {
        let timing = self.timing.clone();
        self.db
            .write(move |tx| async move {
                let mut draft = Draft::new(order.clone(), who, tx.clock().clone(), timing)?;
                decide(&mut draft)?;
                let order = commit::commit(&tx, &order, draft).await?;
                let answer = answer(&order);
                if let Some(key) = &key {
                    idempotency::finish(&tx, key, &answer).await?;
                }
                Ok((order, answer))
            })
            .await
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
                    .filter(order::Column::Version.eq(version))
                    .exec(&*tx)
                    .await?;
                if deleted.rows_affected > 0 {
                    quote::Entity::update_many()
                        .col_expr(quote::Column::OrderId, Expr::value(Option::<Uuid>::None))
                        .filter(quote::Column::OrderId.eq(id))
                        .exec(&*tx)
                        .await?;
                    timers::cancel(&tx, DEADLINE, id.uuid()).await?;
                }
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

/// Uses the quote up, in one statement that also reads it. Otherwise says what became of it: an earlier booking of
/// it that did not get through, or that the same call made, is gone on with.
async fn claim_quote(tx: &Tx, new: &NewOrder, id: OrderId) -> Result<Result<Quote, Begun>, Error> {
    let now = tx.now();
    let claimed = quote::Entity::update_many()
        .col_expr(quote::Column::OrderId, Expr::value(id))
        .filter(quote::Column::Id.eq(new.quote_id))
        .filter(quote::Column::CustomerId.eq(new.customer_id))
        .filter(quote::Column::OrderId.is_null())
        .filter(quote::Column::ExpiresAt.gt(now))
        .exec_with_returning(&**tx)
        .await?;
    if let Some(quote) = claimed.into_iter().next() {
        return Ok(Ok(quote));
    }
    let found = quote::Entity::find_by_id(new.quote_id)
        .filter(quote::Column::CustomerId.eq(new.customer_id))
        .one(&**tx)
        .await?
        .ok_or(Error::NotFound(Thing::Quote))?;
    let Some(order_id) = found.order_id else { return Err(found.unavailable(now)) };
    // Whoever joins a booking counts its version up, so that whoever began it cannot take it back as if alone.
    let joined = order::Entity::update_many()
        .col_expr(order::Column::Version, ExprTrait::add(Expr::col(order::Column::Version), 1))
        .filter(order::Column::Id.eq(order_id))
        .filter(order::Column::Booking.eq(true))
        .filter(order::Column::State.eq(State::PendingPayment))
        .exec_with_returning(&**tx)
        .await?;
    if let Some(earlier) = joined.into_iter().next() {
        return Ok(Err(Begun::Interrupted(Box::new(earlier))));
    }
    let earlier = order::Entity::find_by_id(order_id).one(&**tx).await?;
    let earlier = earlier.ok_or(Error::Changed)?;
    let request_id = request_id(new.key.as_ref());
    if request_id.is_some() && earlier.request_id == request_id {
        return Ok(Err(Begun::Done(Box::new(earlier))));
    }
    Err(found.unavailable(now))
}

async fn insert(
    tx: &Tx,
    new: NewOrder,
    quote: Quote,
    id: OrderId,
    timing: &Timing,
) -> Result<Begun, Error> {
    let order = order_of(new, quote, id, tx.now(), timing)?;
    order::Entity::insert(order.clone().into_active_model().reset_all())
        .exec_without_returning(&**tx)
        .await?;
    if let Some(due) = order.deadline(timing) {
        timers::schedule(tx, DEADLINE, id.uuid(), due).await?;
    }
    Ok(Begun::Fresh(Box::new(order)))
}

fn order_of(
    new: NewOrder,
    quote: Quote,
    id: OrderId,
    now: DateTime<Utc>,
    timing: &Timing,
) -> Result<Order, Error> {
    if quote.window_start <= now {
        return Err(Error::QuoteExpired);
    }
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
