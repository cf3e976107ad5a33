//! What happened to children.

use crate::domain::{
    Error,
    records::{
        Incident,
        incident::{Column, Entity},
    },
};
use kit::Tx;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, sea_query::OnConflict,
};
use uuid::Uuid;

/// Most incidents that are reported in the course of an order.
const MAX_INCIDENTS: u64 = 200;

/// Inserts an incident of a locked order. False when there is one of its id.
pub async fn insert_incident(tx: &Tx, incident: &Incident) -> Result<bool, Error> {
    let reported = Entity::find().filter(Column::OrderId.eq(incident.order_id));
    if reported.count(&**tx).await? >= MAX_INCIDENTS {
        return Err(Error::TooMany("incidents", MAX_INCIDENTS));
    }
    let inserted = Entity::insert(incident.clone().into_active_model())
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted == 1)
}

/// An incident, if there is one.
pub async fn find_incident(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Incident>, Error> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// What happened in the course of an order, the first thing first.
pub async fn list_of_order(
    db: &impl ConnectionTrait,
    order_id: Uuid,
) -> Result<Vec<Incident>, Error> {
    let incidents = Entity::find().filter(Column::OrderId.eq(order_id));
    Ok(incidents.order_by_asc(Column::At).order_by_asc(Column::Id).all(db).await?)
}

/// What happened to a child.
pub async fn list_of_child(tx: &Tx, child_id: Uuid) -> Result<Vec<Incident>, Error> {
    Ok(Entity::find().filter(Column::ChildId.eq(child_id)).all(&**tx).await?)
}

/// Saves an incident.
pub async fn save_incident(tx: &Tx, incident: Incident) -> Result<(), Error> {
    incident.into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}

/// Deletes the incidents of erased families past their time.
pub async fn delete_old(tx: &Tx) -> Result<(), Error> {
    Entity::delete_many().filter(Column::KeptUntil.lte(tx.now())).exec(&**tx).await?;
    Ok(())
}
