//! Events of payment providers.

use crate::domain::{Error, psp_event};
use kit::Tx;
use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

/// Notes that an event takes effect in this transaction; false when it did so before.
pub async fn first_time(
    tx: &Tx,
    psp: &str,
    event_id: &str,
    kind: &str,
    reference: Uuid,
) -> Result<bool, Error> {
    let row = psp_event::ActiveModel {
        psp: Set(psp.to_owned()),
        event_id: Set(event_id.to_owned()),
        kind: Set(kind.to_owned()),
        reference: Set(reference),
        received_at: Set(tx.now()),
    };
    let known = [psp_event::Column::Psp, psp_event::Column::EventId];
    let inserted = psp_event::Entity::insert(row)
        .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(inserted > 0)
}
