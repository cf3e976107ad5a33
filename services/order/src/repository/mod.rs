//! Every query. Ownership is in the query: an order that is not the caller's is absent.

mod booking;
mod commit;
mod effects;
mod offers;
mod quotes;
mod records;

pub use booking::{Begun, NewOrder};
pub use records::Records;

use booking::{Finish, begin_all, finish_all};
use commit::Change;

use crate::{
    domain::records::order::{Column, Entity},
    domain::{AccountId, Error, Order, OrderChange, OrderId, Principal, Resource, State, Timing},
};
use kit::{Batch, Db, Event, Tx, messaging::inbox, storage::idempotency, storage::page::Page};
use sea_orm::{Condition, entity::prelude::*};
use std::sync::Arc;

/// The timer of a state that ends by itself.
pub const DEADLINE: &str = "deadline";
/// The timer of a method on file that is to be authorised.
pub const AUTHORIZE: &str = "authorize";
/// The timer of effects that are owed.
pub const EFFECTS: &str = "effects";
/// The timer of a move that was begun.
pub const MOVE: &str = "move";
/// The timer of an offer whose acceptance was begun. Its aggregate is the offer.
pub const OFFER: &str = "offer";

/// The tables of order.
#[derive(Clone)]
pub struct Orders {
    /// The database.
    pub db: Db,
    /// How long things take.
    pub timing: Arc<Timing>,
    beginning: Batch<NewOrder, Result<Begun, Error>, Error>,
    finishing: Batch<Finish, bool, Error>,
}

/// Which order a call changes, as whom, and once for which key.
#[derive(Clone)]
pub struct Call {
    /// The order.
    pub id: OrderId,
    /// Who acts.
    pub who: Principal,
    /// The key the call came with.
    pub key: Option<idempotency::Key>,
    /// The version the caller saw; 0 takes any.
    pub version: i64,
}

/// Which orders a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderFilter {
    /// Those the account booked or is to render.
    Either(AccountId),
    /// Those the account booked.
    Customer(AccountId),
    /// Those the account is to render.
    Provider(AccountId),
    /// Everybody's.
    All,
}

impl Orders {
    /// The orders in `db`.
    pub fn new(db: Db, timing: Timing) -> Self {
        let timing = Arc::new(timing);
        let means = (db.clone(), timing.clone());
        Self {
            beginning: Batch::new(means, |(db, timing): (Db, Arc<Timing>), new| async move {
                begin_all(db.read(), db.clock(), new, &timing).await
            }),
            finishing: Batch::new(db.clone(), |db, bookings| async move {
                db.write(move |tx| async move { finish_all(&tx, bookings).await }).await
            }),
            db,
            timing,
        }
    }

    /// The order, if `who` may see it.
    pub async fn get(&self, id: OrderId, who: &Principal) -> Result<Order, Error> {
        find(self.db.read(), id, who).await
    }

    /// A page of orders, the newest first.
    pub async fn list(
        &self,
        side: OrderFilter,
        states: &[State],
        page: &Page,
    ) -> Result<Vec<Order>, Error> {
        let mut select = Entity::find().filter(Column::Booking.eq(false)).filter(of_side(side));
        if !states.is_empty() {
            select = select.filter(Column::State.is_in(states.iter().copied()));
        }
        Ok(page.of(select, Column::Id).all(self.db.read()).await?)
    }

    /// Changes an order: loads it, lets `decide` decide, and writes what that says in one transaction. A lost race is
    /// decided once more on the order as it is then.
    pub async fn change<T, F>(
        &self,
        id: OrderId,
        who: &Principal,
        decide: F,
    ) -> Result<(Order, T), Error>
    where
        T: Send + 'static,
        F: Fn(&mut OrderChange) -> Result<T, Error> + Send + Sync + 'static,
    {
        let decide = Arc::new(decide);
        let attempt = || {
            let (timing, who, decide) = (self.timing.clone(), who.clone(), decide.clone());
            self.db.write(move |tx| async move { run(&tx, id, who, timing, &*decide).await })
        };
        match attempt().await {
            Err(Error::Changed) => attempt().await,
            result => result,
        }
    }

    /// As [`Orders::change`], once for each key, with the answer that is kept for it.
    pub async fn change_once<T, M, F, A>(
        &self,
        call: Call,
        decide: F,
        answer: A,
    ) -> Result<M, Error>
    where
        T: Send + 'static,
        M: prost::Message + Default + 'static,
        F: Fn(&mut OrderChange) -> Result<T, Error> + Send + Sync + 'static,
        A: Fn(&Order, T) -> M + Send + Sync + 'static,
    {
        let work = Arc::new((decide, answer));
        let attempt = || {
            let Call { id, who, key, version } = call.clone();
            let (timing, work) = (self.timing.clone(), work.clone());
            self.db.write_once(key, move |tx| async move {
                let decide = |draft: &mut OrderChange| {
                    draft.expect_version(version)?;
                    (work.0)(draft)
                };
                let (order, value) = run(&tx, id, who, timing, &decide).await?;
                Ok((work.1)(&order, value))
            })
        };
        match attempt().await {
            Err(Error::Changed) => attempt().await,
            result => result,
        }
    }

    /// Changes an order because of a fact, once for each fact. An order that is not there is left alone, and a fact that
    /// changes nothing costs one read.
    pub async fn change_by_fact<F>(
        &self,
        event: &Event,
        id: OrderId,
        decide: F,
    ) -> Result<(), Error>
    where
        F: Fn(&mut OrderChange) -> Result<(), Error> + Send + Sync + 'static,
    {
        let order = match self.get(id, &Principal::System).await {
            Err(Error::NotFound(_)) => return Ok(()),
            found => found?,
        };
        let clock = self.db.clock().clone();
        let mut draft = OrderChange::new(order, Principal::System, clock, self.timing.clone())?;
        if decide(&mut draft).is_ok() && draft.is_empty() {
            return Ok(());
        }
        let decide = Arc::new(decide);
        let attempt = || {
            let (timing, event, decide) = (self.timing.clone(), event.clone(), decide.clone());
            self.db.write(move |tx| async move {
                if !inbox::first_time(&tx, "order", &event).await? {
                    return Ok(());
                }
                match run(&tx, id, Principal::System, timing, &*decide).await {
                    Ok(_) | Err(Error::NotFound(_)) => Ok(()),
                    Err(error) => Err(error),
                }
            })
        };
        match attempt().await {
            Err(Error::Changed) => attempt().await,
            result => result,
        }
    }
}

async fn run<T, F>(
    tx: &Tx,
    id: OrderId,
    who: Principal,
    timing: Arc<Timing>,
    decide: &F,
) -> Result<(Order, T), Error>
where
    F: Fn(&mut OrderChange) -> Result<T, Error>,
{
    let order = find(&**tx, id, &who).await?;
    let mut draft = OrderChange::new(order.clone(), who, tx.clock().clone(), timing)?;
    let value = decide(&mut draft)?;
    let order = commit::commit(tx, Change::of(order, draft)).await?;
    Ok((order, value))
}

async fn find<C: ConnectionTrait>(db: &C, id: OrderId, who: &Principal) -> Result<Order, Error> {
    let mut select = Entity::find_by_id(id);
    if let Some(visible) = visible_to(who) {
        select = select.filter(visible);
    }
    select.one(db).await?.ok_or(Error::NotFound(Resource::Order))
}

/// Which orders `who` may see; none when there is no bound.
fn visible_to(who: &Principal) -> Option<Condition> {
    let visible = Condition::all().add(Column::Booking.eq(false));
    match who {
        Principal::System => None,
        Principal::User { operator: true, .. } => Some(visible),
        Principal::User { id, operator: false } => {
            Some(visible.add(of_side(OrderFilter::Either(*id))))
        }
    }
}

fn of_side(side: OrderFilter) -> Condition {
    match side {
        OrderFilter::All => Condition::all(),
        OrderFilter::Customer(id) => Condition::all().add(Column::CustomerId.eq(id)),
        OrderFilter::Provider(id) => Condition::all().add(Column::ProviderUserId.eq(id)),
        OrderFilter::Either(id) => {
            Condition::any().add(Column::CustomerId.eq(id)).add(Column::ProviderUserId.eq(id))
        }
    }
}
