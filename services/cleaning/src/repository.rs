//! Every query of cleaning.

use crate::domain::{
    Cleaning, Error,
    record::{Column, Entity},
};
use chrono::NaiveDate;
use kit::{Caller, Db, Tx};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select, sea_query::OnConflict,
};
use uuid::Uuid;

/// How many visits to look back for one to the same place.
const VISITS_BACK: u64 = 20;

#[derive(Clone)]
pub struct Cleanings {
    pub db: Db,
}

/// Which cleanings a caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of which the account is customer or provider.
    Party(Uuid),
    /// Those to which the account is assigned.
    Provider(Uuid),
    All,
}

impl Reach {
    /// What `caller` may see: operators everything, others what they are a party to.
    pub fn party(caller: &Caller) -> Result<Self, kit::Error> {
        if caller.is_operator() {
            return Ok(Self::All);
        }
        Ok(Self::Party(caller.subject()?.user_id))
    }

    /// What `caller` may work on: operators everything, others what they are assigned to.
    pub fn provider(caller: &Caller) -> Result<Self, kit::Error> {
        if caller.is_operator() {
            return Ok(Self::All);
        }
        Ok(Self::Provider(caller.subject()?.user_id))
    }

    fn cleaning(self, order_id: Uuid) -> Select<Entity> {
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

impl Cleanings {
    /// The cleanings in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The cleaning of an order, when it is in reach.
    pub async fn find(&self, order_id: Uuid, reach: Reach) -> Result<Cleaning, Error> {
        reach.cleaning(order_id).one(self.db.connection()).await?.ok_or(Error::OrderNotFound)
    }

    /// The customer's latest visits before a date with the details they were booked with, the last one first.
    pub async fn visits_before(
        &self,
        customer_id: Uuid,
        before: NaiveDate,
    ) -> Result<Vec<(NaiveDate, Vec<u8>)>, Error> {
        let visits = Entity::find()
            .select_only()
            .columns([Column::VisitOn, Column::Details])
            .filter(Column::CustomerId.eq(customer_id))
            .filter(Column::VisitOn.lt(before))
            .filter(Column::Visited.eq(true))
            .order_by_desc(Column::VisitOn)
            .limit(VISITS_BACK)
            .into_tuple()
            .all(self.db.connection())
            .await?;
        Ok(visits)
    }
}

/// Locks the cleaning of an order until the transaction ends, when it is in reach.
pub async fn lock_cleaning(tx: &Tx, order_id: Uuid, reach: Reach) -> Result<Cleaning, Error> {
    reach.cleaning(order_id).lock_exclusive().one(&**tx).await?.ok_or(Error::OrderNotFound)
}

/// Inserts the cleaning of a new order. False when the order has one.
pub async fn insert_cleaning(tx: &Tx, cleaning: Cleaning) -> Result<bool, Error> {
    let inserted = Entity::insert(cleaning.into_active_model())
        .on_conflict(OnConflict::column(Column::OrderId).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted == 1)
}

/// Saves a locked cleaning as its next version.
pub async fn save_cleaning(tx: &Tx, cleaning: &mut Cleaning) -> Result<(), Error> {
    cleaning.version += 1;
    cleaning.updated_at = tx.now();
    cleaning.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}
