//! Series: read, locked and saved with their rules and dates. Ownership is in the query: a series that is not the caller's
//! is absent.

use super::{SERIES, SERIES_NEWS, orders};
use crate::{
    domain::{
        AccountId, Error, LOOK_BACK_DAYS, Occurrence, Order, OrderId, Principal, Resource,
        Revision, Series, SeriesChange, SeriesId, SeriesPlan, SeriesState, Timing,
        series_records::{occurrence, revision, series},
    },
    events,
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use kit::{
    Tx,
    messaging::{outbox, timers},
    storage::page::Page,
};
use sea_orm::{
    Condition, IntoActiveModel, Iterable, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use std::{collections::BTreeMap, sync::Arc};

/// Series of one customer that may go on at a time.
const MAX_GOING_ON: u64 = 50;

/// Keeps a new series with its first rule. Its visits are booked from now on.
pub async fn insert_series(tx: &Tx, new: &Series, first: &Revision) -> Result<(), Error> {
    let row = new.clone().into_active_model().reset_all();
    series::Entity::insert(row).exec_without_returning(&**tx).await?;
    let row = first.clone().into_active_model().reset_all();
    revision::Entity::insert(row).exec_without_returning(&**tx).await?;
    let going_on = series::Entity::find()
        .filter(series::Column::CustomerId.eq(new.customer_id))
        .filter(series::Column::State.ne(SeriesState::Ended));
    if going_on.count(&**tx).await? > MAX_GOING_ON {
        return Err(Error::SeriesLimit);
    }
    Ok(timers::schedule_timer(tx, SERIES, new.id.uuid(), tx.now()).await?)
}

/// A series, if `principal` may see it.
pub async fn get_series(
    db: &impl ConnectionTrait,
    id: SeriesId,
    principal: &Principal,
) -> Result<Series, Error> {
    find_series(id, principal).one(db).await?.ok_or(Error::NotFound(Resource::Series))
}

/// A page of the series in which an account is customer or named provider, the newest first.
pub async fn list_series(
    db: &impl ConnectionTrait,
    account: AccountId,
    page: &Page,
) -> Result<Vec<Series>, Error> {
    let select = series::Entity::find().filter(is_side(account));
    Ok(page.of(select, series::Column::Id).all(db).await?)
}

/// The series that an account has made, and those in which it is the named provider.
pub async fn all_of_account(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<Series>, Error> {
    Ok(series::Entity::find().filter(is_side(account)).all(db).await?)
}

/// The rules of several series, oldest first, by their series.
pub async fn revisions_of(
    db: &impl ConnectionTrait,
    ids: Vec<SeriesId>,
) -> Result<BTreeMap<SeriesId, Vec<Revision>>, Error> {
    let rows = revision::Entity::find()
        .filter(revision::Column::SeriesId.is_in(ids))
        .order_by_asc(revision::Column::FromOn)
        .all(db)
        .await?;
    let mut by_series: BTreeMap<SeriesId, Vec<Revision>> = BTreeMap::new();
    for row in rows {
        by_series.entry(row.series_id).or_default().push(row);
    }
    Ok(by_series)
}

/// A series with its rules, and its dates and orders from `since` on.
pub async fn read_plan(
    db: &impl ConnectionTrait,
    series: Series,
    since: NaiveDate,
) -> Result<SeriesPlan, Error> {
    let revisions = revisions_of(db, vec![series.id]).await?.remove(&series.id).unwrap_or_default();
    let rows = occurrence::Entity::find()
        .filter(occurrence::Column::SeriesId.eq(series.id))
        .filter(occurrence::Column::OnDate.gte(since))
        .all(db)
        .await?;
    let ids: Vec<OrderId> = rows.iter().filter_map(|row| row.order_id).collect();
    let found = orders::of_ids(db, ids).await?;
    let by_id: BTreeMap<OrderId, Order> = found.into_iter().map(|it| (it.id, it)).collect();
    let booked = rows.iter().filter_map(|row| {
        let order = by_id.get(&row.order_id?)?;
        Some((row.on_date, order.clone()))
    });
    let orders = booked.collect();
    let occurrences = rows.into_iter().map(|row| (row.on_date, row)).collect();
    Ok(SeriesPlan { series, revisions, occurrences, orders })
}

/// A series as far back as visits before are looked for; none of an unknown id.
pub async fn find_plan(
    db: &impl ConnectionTrait,
    id: SeriesId,
    now: DateTime<Utc>,
) -> Result<Option<SeriesPlan>, Error> {
    let Some(series) = series::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    read_plan(db, series, earliest(now)).await.map(Some)
}

/// Begins a change of a series, which nothing else changes until the transaction ends.
pub async fn lock_series(
    tx: &Tx,
    id: SeriesId,
    principal: &Principal,
    timing: &Arc<Timing>,
) -> Result<SeriesChange, Error> {
    let series = find_series(id, principal).lock_exclusive().one(&**tx).await?;
    let series = series.ok_or(Error::NotFound(Resource::Series))?;
    let plan = read_plan(&**tx, series, earliest(tx.now())).await?;
    Ok(SeriesChange::new(plan, tx.now(), timing.clone()))
}

/// Saves the change of a locked series, if there is any, with its rules, dates and facts.
pub async fn save_series(tx: &Tx, mut change: SeriesChange) -> Result<SeriesPlan, Error> {
    if !change.has_changes() {
        return Ok(change.plan);
    }
    change.close();
    outbox::record_all(tx, events::encode_series_event(&change)).await?;
    let SeriesPlan { series, revisions, occurrences, .. } = &change.plan;
    series.clone().into_active_model().reset_all().update(&**tx).await?;
    if change.revised {
        revision::Entity::delete_many()
            .filter(revision::Column::SeriesId.eq(series.id))
            .exec(&**tx)
            .await?;
        let rows = revisions.iter().map(|row| row.clone().into_active_model().reset_all());
        revision::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    }
    let rows: Vec<Occurrence> =
        change.touched.iter().filter_map(|date| occurrences.get(date).cloned()).collect();
    write_occurrences(tx, rows).await?;
    if change.forgets_details {
        occurrence::Entity::update_many()
            .col_expr(occurrence::Column::Details, Expr::value(Option::<Vec<u8>>::None))
            .filter(occurrence::Column::SeriesId.eq(change.plan.series.id))
            .exec(&**tx)
            .await?;
    }
    Ok(change.plan)
}

async fn write_occurrences(tx: &Tx, rows: Vec<Occurrence>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let key = [occurrence::Column::SeriesId, occurrence::Column::OnDate];
    let others = occurrence::Column::iter().filter(|column| {
        !matches!(column, occurrence::Column::SeriesId | occurrence::Column::OnDate)
    });
    let replace = OnConflict::columns(key).update_columns(others).to_owned();
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    occurrence::Entity::insert_many(rows)
        .on_conflict(replace)
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Has what a change of the series asks for done at once: bookings, cancellations, acceptances.
pub async fn wake_series(tx: &Tx, id: SeriesId) -> Result<(), Error> {
    Ok(timers::schedule_timer(tx, SERIES_NEWS, id.uuid(), tx.now()).await?)
}

fn earliest(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today.checked_sub_days(Days::new(LOOK_BACK_DAYS)).unwrap_or(today)
}

fn find_series(id: SeriesId, principal: &Principal) -> sea_orm::Select<series::Entity> {
    let select = series::Entity::find_by_id(id);
    match principal {
        Principal::System | Principal::User { operator: true, .. } => select,
        Principal::User { id, operator: false } => select.filter(is_side(*id)),
    }
}

fn is_side(account: AccountId) -> Condition {
    Condition::any()
        .add(series::Column::CustomerId.eq(account))
        .add(series::Column::ProviderUserId.eq(account))
}
