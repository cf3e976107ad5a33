//! Leases on the partitions of a consumer: each partition has one process of the service at a time that takes its
//! events. They are rows of the consumer's own database, so that an event takes effect in the same transaction in which
//! its lease is seen to hold.

use crate::{
    rpc::error::Error,
    storage::db::{Db, Tx},
};
use chrono::Duration;
use sea_orm::{
    ActiveValue::Set,
    Condition, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, LockType, OnConflict},
};
use std::{collections::BTreeSet, future::Future, sync::Arc};
use tonic::Status;

tokio::task_local! {
    /// The lease under which the running task takes an event.
    static HELD: Lease;
}

/// The right of one process to take the events of a partition for a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Who takes the events, for example `payment.standing`.
    pub consumer: Arc<str>,
    /// Which part of the events it takes.
    pub partition: i16,
    /// The process that holds the lease.
    pub owner: Uuid,
}

impl Lease {
    /// Does `work`, whose transactions that act on an event end without effect once the lease is lost.
    pub(crate) async fn fence<T>(self, work: impl Future<Output = T>) -> T {
        HELD.scope(self, work).await
    }

    /// Whether the partition is still this process's.
    pub(crate) async fn is_held(&self, db: &Db) -> Result<bool, Error> {
        Ok(self.row().one(db.connection()).await?.is_some())
    }

    fn row(&self) -> Select<partition::Entity> {
        partition::Entity::find()
            .filter(partition::Column::Consumer.eq(&*self.consumer))
            .filter(partition::Column::Partition.eq(self.partition))
            .filter(partition::Column::Owner.eq(self.owner))
    }
}

/// Fails when the running task takes an event under a lease that another process has now. Who wants to take it over
/// waits until the transaction ends.
pub(crate) async fn check_held(tx: &Tx) -> Result<(), Error> {
    let Ok(lease) = HELD.try_with(Lease::clone) else { return Ok(()) };
    match lease.row().lock(LockType::Share).one(&**tx).await? {
        Some(_) => Ok(()),
        None => Err(Status::aborted("another process takes this event now").into()),
    }
}

/// One process among those that share the partitions of a consumer.
pub(crate) struct Member {
    /// Whose partitions are shared.
    pub consumer: Arc<str>,
    /// Names the process.
    pub owner: Uuid,
    /// How long what it holds stays its own unless it is renewed.
    pub life: Duration,
}

impl Member {
    /// Renews what the process holds, gives back what is more than its share of `partitions`, and takes what is free
    /// up to that. Returns what it holds now.
    pub(crate) async fn renew(&self, db: &Db, partitions: i16) -> Result<BTreeSet<i16>, Error> {
        let tx = db.begin().await?;
        let members = self.join(&tx).await?;
        let share = partitions.unsigned_abs().div_ceil(members);
        let rows = partition::Entity::find()
            .filter(partition::Column::Consumer.eq(&*self.consumer))
            .all(&*tx)
            .await?;
        let (mine, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.owner == self.owner);
        let mut mine: BTreeSet<i16> = mine.into_iter().map(|row| row.partition).collect();
        while mine.len() > usize::from(share) {
            let Some(surplus) = mine.pop_last() else { break };
            self.give_back(&tx, Some(surplus)).await?;
        }
        self.extend(&tx).await?;
        // Rows that others hold are left alone: two processes would wait for each other.
        let taken: BTreeSet<i16> = others
            .into_iter()
            .filter(|row| row.lease_until >= tx.now())
            .map(|row| row.partition)
            .chain(mine.iter().copied())
            .collect();
        for free in (0..partitions).filter(|partition| !taken.contains(partition)) {
            if mine.len() < usize::from(share) && self.take(&tx, free).await? {
                mine.insert(free);
            }
        }
        tx.commit().await?;
        Ok(mine)
    }

    /// Gives everything back, so that others need not wait for the end of a lease.
    pub(crate) async fn leave(&self, db: &Db) -> Result<(), Error> {
        let tx = db.begin().await?;
        self.give_back(&tx, None).await?;
        member::Entity::delete_by_id((self.consumer.to_string(), self.owner)).exec(&*tx).await?;
        tx.commit().await
    }

    /// Says that the process is there, and returns how many are.
    async fn join(&self, tx: &Tx) -> Result<u16, Error> {
        let row = member::ActiveModel {
            consumer: Set(self.consumer.to_string()),
            owner: Set(self.owner),
            lease_until: Set(tx.now() + self.life),
        };
        let known = OnConflict::columns([member::Column::Consumer, member::Column::Owner])
            .update_column(member::Column::LeaseUntil)
            .to_owned();
        member::Entity::insert(row).on_conflict(known).exec_without_returning(&**tx).await?;
        let members = member::Entity::find().filter(member::Column::Consumer.eq(&*self.consumer));
        let there = members.filter(member::Column::LeaseUntil.gt(tx.now())).count(&**tx).await?;
        member::Entity::delete_many()
            .filter(member::Column::LeaseUntil.lt(tx.now() - self.life))
            .exec(&**tx)
            .await?;
        // This process is there, even when its clock is late.
        Ok(std::cmp::max(1, u16::try_from(there).unwrap_or(u16::MAX)))
    }

    async fn extend(&self, tx: &Tx) -> Result<(), Error> {
        partition::Entity::update_many()
            .col_expr(partition::Column::LeaseUntil, Expr::value(tx.now() + self.life))
            .filter(self.is_mine())
            .exec(&**tx)
            .await?;
        Ok(())
    }

    async fn give_back(&self, tx: &Tx, only: Option<i16>) -> Result<(), Error> {
        let mut mine = partition::Entity::delete_many().filter(self.is_mine());
        if let Some(only) = only {
            mine = mine.filter(partition::Column::Partition.eq(only));
        }
        mine.exec(&**tx).await?;
        Ok(())
    }

    /// Takes a partition if no process holds it. Whether it did.
    async fn take(&self, tx: &Tx, partition: i16) -> Result<bool, Error> {
        let row = partition::ActiveModel {
            consumer: Set(self.consumer.to_string()),
            partition: Set(partition),
            owner: Set(self.owner),
            lease_until: Set(tx.now() + self.life),
        };
        let ended = Expr::col((partition::Entity, partition::Column::LeaseUntil)).lt(tx.now());
        let over = OnConflict::columns([partition::Column::Consumer, partition::Column::Partition])
            .update_columns([partition::Column::Owner, partition::Column::LeaseUntil])
            .action_and_where(ended)
            .to_owned();
        let rows =
            partition::Entity::insert(row).on_conflict(over).exec_without_returning(&**tx).await?;
        Ok(rows > 0)
    }

    fn is_mine(&self) -> Condition {
        Condition::all()
            .add(partition::Column::Consumer.eq(&*self.consumer))
            .add(partition::Column::Owner.eq(self.owner))
    }
}

mod member {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumer_members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub owner: Uuid,
        pub lease_until: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod partition {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumer_partitions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub partition: i16,
        pub owner: Uuid,
        pub lease_until: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
