//! Every query of cleaning.

use crate::{
    convert,
    domain::{
        Cleaning, Error,
        cleaning::{Attempt, Move, Phase},
        details::Size,
    },
    entity::{Column, Entity},
};
use chrono::NaiveDate;
use kit::{Caller, Db, Tx, messaging::outbox};
use proto::quickserve::cleaning::v1 as pb;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select, sea_query::OnConflict,
};
use uuid::Uuid;

/// Nobody let the provider in.
const ACCESS_FAILED: &str = "cleaning.access_failed";
/// How many visits to look back for one to the same place.
const VISITS_BACK: u64 = 20;

/// The cleanings.
#[derive(Clone)]
pub struct Cleanings {
    db: Db,
}

/// Which cleanings a caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of which the account is customer or provider.
    Party(Uuid),
    /// Those to which the account is assigned.
    Provider(Uuid),
    /// Every one.
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
        reach.cleaning(order_id).one(self.db.read()).await?.ok_or(Error::OrderNotFound)
    }

    /// The customer's last visit before a date to a place of that size, as recorded.
    pub async fn last_visit(
        &self,
        customer_id: Uuid,
        size: Size,
        before: NaiveDate,
    ) -> Result<Option<NaiveDate>, Error> {
        let visits = Entity::find()
            .select_only()
            .columns([Column::VisitOn, Column::Details])
            .filter(Column::CustomerId.eq(customer_id))
            .filter(Column::VisitOn.lt(before))
            .filter(Column::Visited.eq(true))
            .order_by_desc(Column::VisitOn)
            .limit(VISITS_BACK)
            .into_tuple::<(NaiveDate, Vec<u8>)>()
            .all(self.db.read())
            .await?;
        // Details do not say which home they are of; the size tells a flat from a house.
        let same = |details: &[u8]| convert::stored_size(details).is_some_and(|it| it == size);
        let visit = visits.into_iter().find(|(_, details)| same(details));
        Ok(visit.map(|(date, _)| date))
    }

    /// Follows an order that moves out of the phase `leaves`, none for a new one. What speaks against it, or nothing.
    pub async fn follow(
        &self,
        moved: Move,
        leaves: Option<Phase>,
    ) -> Result<Vec<&'static str>, Error> {
        self.db
            .write(move |tx| async move {
                // A new order is most often just that.
                if leaves.is_none() && begin(&tx, moved.clone()).await? {
                    return Ok(Vec::new());
                }
                let found = locked(&tx, moved.order_id).await?;
                let Some(mut cleaning) = found else {
                    begin(&tx, moved).await?;
                    return Ok(Vec::new());
                };
                let before = cleaning.clone();
                let denials = cleaning.follow(moved, leaves.unwrap_or(Phase::Booked));
                if denials.is_empty() && cleaning != before {
                    store(&tx, cleaning).await?;
                }
                Ok::<_, Error>(denials)
            })
            .await
    }

    /// Changes the cleaning of an order by a rule, and returns it.
    pub async fn change<F>(&self, order_id: Uuid, reach: Reach, act: F) -> Result<Cleaning, Error>
    where
        F: FnOnce(&mut Cleaning, &Tx) -> Result<(), Error> + Send + 'static,
    {
        self.db
            .write(move |tx| async move {
                let found = reach.cleaning(order_id).lock_exclusive().one(&*tx).await?;
                let mut cleaning = found.ok_or(Error::OrderNotFound)?;
                act(&mut cleaning, &tx)?;
                store(&tx, cleaning).await
            })
            .await
    }

    /// Notes that nobody let the provider in, and says so once.
    pub async fn fail_access(
        &self,
        order_id: Uuid,
        provider: Uuid,
        attempts: Vec<Attempt>,
    ) -> Result<Cleaning, Error> {
        self.db
            .write(move |tx| async move {
                let query = Reach::Provider(provider).cleaning(order_id);
                let found = query.lock_exclusive().one(&*tx).await?;
                let mut cleaning = found.ok_or(Error::OrderNotFound)?;
                let phase = convert::stored_phase(cleaning.state);
                if !cleaning.fail_access(attempts, phase, tx.now())? {
                    return Ok(cleaning);
                }
                cleaning.event_seq += 1;
                let fact = pb::CleaningEvent {
                    order_id: order_id.to_string(),
                    reported_by: provider.to_string(),
                };
                outbox::record(&tx, ACCESS_FAILED, order_id, cleaning.event_seq, &fact).await?;
                store(&tx, cleaning).await
            })
            .await
    }
}

/// Stores the cleaning of a new order; false when it is known.
async fn begin(tx: &Tx, moved: Move) -> Result<bool, Error> {
    let cleaning = Cleaning::begin(moved, tx.now())?;
    let inserted = Entity::insert(cleaning.into_active_model())
        .on_conflict(OnConflict::column(Column::OrderId).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted == 1)
}

async fn locked(tx: &Tx, order_id: Uuid) -> Result<Option<Cleaning>, Error> {
    Ok(Entity::find_by_id(order_id).lock_exclusive().one(&**tx).await?)
}

/// Writes every column of a cleaning, in a new version.
async fn store(tx: &Tx, mut cleaning: Cleaning) -> Result<Cleaning, Error> {
    cleaning.version += 1;
    cleaning.updated_at = tx.now();
    Ok(cleaning.into_active_model().reset_all().update(&**tx).await?)
}
