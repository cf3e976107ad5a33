//! The inbox: a consumer acts once on a fact that may be delivered many times.

use crate::{
    messaging::{event::Event, lease},
    rpc::error::Error,
    storage::db::Tx,
};
use chrono::Duration;
use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

/// How long a consumer remembers a fact. Redelivery ends long before.
const KEPT: Duration = Duration::days(30);

/// Notes that `consumer` acts on `event` in this transaction; false when it did so before. Fails when another process
/// has taken over the part of the stream that the event came from.
pub async fn first_time(tx: &Tx, consumer: &str, event: &Event) -> Result<bool, Error> {
    lease::check_held(tx).await?;
    let row = ActiveModel {
        consumer: Set(consumer.to_owned()),
        event_id: Set(event.id),
        seen_at: Set(tx.now()),
    };
    let inserted = Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::Consumer, Column::EventId]).do_nothing().to_owned(),
        )
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}

/// Forgets facts that cannot come again.
pub async fn prune_inbox(tx: &Tx) -> Result<(), Error> {
    Entity::delete_many().filter(Column::SeenAt.lt(tx.now() - KEPT)).exec(&**tx).await?;
    Ok(())
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "inbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        pub seen_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column, Entity};
