//! How the captures of payments were split.

use crate::domain::{Capture, Error, IntentId, capture};
use kit::Tx;
use sea_orm::{IntoActiveModel, Iterable, entity::prelude::*, sea_query::OnConflict};

/// Writes down how a capture is to be split.
pub async fn insert_capture(tx: &Tx, capture: Capture) -> Result<(), Error> {
    capture::Entity::insert(capture.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes down how a capture is to be split that may take the place of one that was declined.
pub async fn upsert(tx: &Tx, capture: Capture) -> Result<(), Error> {
    let known = OnConflict::column(capture::Column::IntentId)
        .update_columns(capture::Column::iter())
        .to_owned();
    capture::Entity::insert(capture.into_active_model())
        .on_conflict(known)
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// How the capture of a payment is split, if one was asked for.
pub async fn find_capture(tx: &Tx, intent: IntentId) -> Result<Option<Capture>, Error> {
    Ok(capture::Entity::find_by_id(intent).one(&**tx).await?)
}

/// Saves a capture of a locked payment.
pub async fn save_capture(tx: &Tx, capture: &Capture) -> Result<(), Error> {
    capture.clone().into_active_model().reset_all().update(&**tx).await?;
    Ok(())
}
