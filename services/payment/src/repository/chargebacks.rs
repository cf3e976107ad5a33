//! Chargebacks: found, inserted and saved. Who touches one holds the row of its payment.

use super::intents;
use crate::domain::{
    AttemptId, Chargeback, Error, IntentId, OrderId,
    chargeback::{self, State},
    intent,
};
use kit::Tx;
use sea_orm::{IntoActiveModel, PaginatorTrait, entity::prelude::*, sea_query::Query};

/// The chargeback of a charge, if there is one.
pub async fn find(tx: &Tx, charge: AttemptId) -> Result<Option<Chargeback>, Error> {
    Ok(chargeback::Entity::find_by_id(charge).one(&**tx).await?)
}

/// Whether the customer's bank still looks at a dispute of a payment.
pub async fn is_any_open(tx: &Tx, intent: IntentId) -> Result<bool, Error> {
    let open = chargeback::Entity::find()
        .filter(chargeback::Column::IntentId.eq(intent))
        .filter(chargeback::Column::State.eq(State::Open));
    Ok(open.count(&**tx).await? > 0)
}

/// Whether the customer's bank still looks at a dispute of a charge of an order or of its dues. Who asks holds the row of
/// the order's payment, so that of two disputes which end at the same time one ends last.
pub async fn is_any_open_of_order(tx: &Tx, order: OrderId) -> Result<bool, Error> {
    let payments = Query::select()
        .column(intent::Column::Id)
        .from(intent::Entity)
        .cond_where(intents::is_for_order(order))
        .to_owned();
    let open = chargeback::Entity::find()
        .filter(chargeback::Column::IntentId.in_subquery(payments))
        .filter(chargeback::Column::State.eq(State::Open));
    Ok(open.count(&**tx).await? > 0)
}

/// The chargebacks of a payment, the decided ones too.
pub async fn list_of_intent(tx: &Tx, intent: IntentId) -> Result<Vec<Chargeback>, Error> {
    let found = chargeback::Entity::find().filter(chargeback::Column::IntentId.eq(intent));
    Ok(found.all(&**tx).await?)
}

/// Inserts a new chargeback.
pub async fn insert(tx: &Tx, chargeback: &Chargeback) -> Result<(), Error> {
    let row = chargeback.clone().into_active_model();
    chargeback::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Saves a chargeback.
pub async fn save(tx: &Tx, chargeback: &Chargeback) -> Result<(), Error> {
    chargeback.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}
