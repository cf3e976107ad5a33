//! Every query that is the same in every vertical.

use crate::domain::{
    error::Error,
    job::Job,
    place::Place,
    record::{Column, Entity, Model as OrderRecord},
};
use chrono::{DateTime, Utc};
use kit::{Caller, Scope, Tx};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select, sea_query::OnConflict,
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Which orders a caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of which the account is customer or provider.
    Party(Uuid),
    /// Those to which the account is assigned.
    Provider(Uuid),
    /// All of them.
    All,
}

impl Reach {
    /// What `caller` may see: operators everything, others what they are a party to.
    pub fn party(caller: &Caller) -> Result<Self, kit::Error> {
        Ok(match caller.scope()? {
            Scope::All => Self::All,
            Scope::Account(user) => Self::Party(user),
        })
    }

    /// What `caller` may work on: operators everything, others what they are assigned to.
    pub fn provider(caller: &Caller) -> Result<Self, kit::Error> {
        Ok(match caller.scope()? {
            Scope::All => Self::All,
            Scope::Account(user) => Self::Provider(user),
        })
    }

    fn select_order(self, order_id: Uuid) -> Select<Entity> {
        let query = Entity::find_by_id(order_id);
        match self {
            Self::All => query,
            Self::Provider(user) => query.filter(Column::ProviderUserId.eq(user)),
            Self::Party(user) => query.filter(
                Condition::any()
                    .add(Column::CustomerId.eq(user))
                    .add(Column::ProviderUserId.eq(user)),
            ),
        }
    }
}

/// The job of an order, when it is in reach.
pub async fn find_job<O: DeserializeOwned>(
    db: &impl ConnectionTrait,
    order_id: Uuid,
    reach: Reach,
) -> Result<Job<O>, Error> {
    to_job(reach.select_order(order_id).one(db).await?.ok_or(Error::OrderNotFound)?)
}

/// Locks the job of an order until the transaction ends, when it is in reach.
pub async fn lock_job<O: DeserializeOwned>(
    tx: &Tx,
    order_id: Uuid,
    reach: Reach,
) -> Result<Job<O>, Error> {
    let found = reach.select_order(order_id).lock_exclusive().one(&**tx).await?;
    to_job(found.ok_or(Error::OrderNotFound)?)
}

/// Inserts the job of an order that is met for the first time. False when there is one.
pub async fn insert_job<O: Serialize>(tx: &Tx, job: &Job<O>) -> Result<bool, Error> {
    let inserted = Entity::insert(to_record(job)?.into_active_model())
        .on_conflict(OnConflict::column(Column::OrderId).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted == 1)
}

/// Saves a locked job as its next version.
pub async fn save_job<O: Serialize>(tx: &Tx, job: &mut Job<O>) -> Result<(), Error> {
    job.order.version += 1;
    job.order.updated_at = tx.now();
    to_record(job)?.into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// The jobs of some customers whose orders are in some states, by their numbers in `fulfilment.v1.OrderState`.
pub async fn list_jobs<O: DeserializeOwned>(
    db: &impl ConnectionTrait,
    customers: Vec<Uuid>,
    states: &[i32],
) -> Result<Vec<Job<O>>, Error> {
    let rows = Entity::find()
        .filter(Column::CustomerId.is_in(customers))
        .filter(Column::State.is_in(states.iter().copied()))
        .order_by_asc(Column::OrderId)
        .all(db)
        .await?;
    rows.into_iter().map(to_job).collect()
}

/// The customer's orders whose work began before a moment and was delivered, the last one first, at most `limit`: those
/// around a place, up to so many metres and a little more, and those whose place is not known.
pub async fn delivered_around(
    db: &impl ConnectionTrait,
    customer_id: Uuid,
    place: &Place,
    metres: f64,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<OrderRecord>, Error> {
    let (north, east) = place.degrees_around(metres);
    let around = Condition::all()
        .add(Column::Lat.between(*north.start(), *north.end()))
        .add(Column::Lng.between(*east.start(), *east.end()));
    let rows = Entity::find()
        .filter(Column::CustomerId.eq(customer_id))
        .filter(Column::StartsAt.lt(before))
        .filter(Column::Delivered.eq(true))
        .filter(Condition::any().add(Column::Lat.is_null()).add(around))
        .order_by_desc(Column::StartsAt)
        .limit(limit)
        .all(db)
        .await?;
    Ok(rows)
}

fn to_job<O: DeserializeOwned>(order: OrderRecord) -> Result<Job<O>, Error> {
    let own = serde_json::from_value(order.own.clone()).map_err(kit::Error::internal)?;
    Ok(Job { order, own })
}

fn to_record<O: Serialize>(job: &Job<O>) -> Result<OrderRecord, Error> {
    let own = serde_json::to_value(&job.own).map_err(kit::Error::internal)?;
    Ok(OrderRecord { own, ..job.order.clone() })
}
