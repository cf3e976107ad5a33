//! The statements that take time and let it go.

use crate::domain::{
    Error, ProviderId, Reservation, ReservationId, Span,
    records::{
        provider,
        reservation::{ActiveModel, Column, Entity},
    },
    reservation::{ReservationKey, State},
};
use chrono::{DateTime, Utc};
use kit::{Tx, storage::db_error};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait,
    ExprTrait, IdenStatic, IntoActiveModel, QueryFilter, QueryResult, QuerySelect, Set, UpdateMany,
    sea_query::{Expr, InsertStatement, OnConflict, Query, SelectStatement, UnionType},
};
use std::collections::HashSet;

/// The index by which a resource has one running job at most, as PostgreSQL and SQLite name it.
const RUNNING: (&str, &str) = ("reservations_running", "reservations.resource_id");
/// The database's guard against overlaps, as its errors name it.
const GUARD: &str = "reservations_no_overlap";

/// Reservations that take time at `now`.
pub fn active_reservations(now: DateTime<Utc>) -> Condition {
    let held =
        Condition::all().add(Column::State.eq(State::Hold)).add(Column::HoldExpiresAt.gt(now));
    Condition::any().add(Column::State.eq(State::Confirmed)).add(held)
}

/// Reservations that touch a span.
pub fn overlapping_reservations(span: &Span) -> Condition {
    Condition::all().add(Column::EndsAt.gt(span.start)).add(Column::StartsAt.lt(span.end))
}

/// Puts reservations into a state. What is released does not run any more.
pub fn set_state(state: State, lapsed: bool, now: DateTime<Utc>) -> UpdateMany<Entity> {
    let update = match state {
        State::Released => Entity::update_many().col_expr(Column::Running, Expr::value(false)),
        State::Hold | State::Confirmed => Entity::update_many(),
    };
    update
        .col_expr(Column::State, Expr::value(state.to_value()))
        .col_expr(Column::Lapsed, Expr::value(lapsed))
        .col_expr(Column::UpdatedAt, Expr::value(now))
}

/// Inserts rows, each if its provider's standing is still at the revision beside it and its order has not let go of every
/// provider, and tells which were inserted: those are not for which that is not so, or which exist.
/// [`Error::SlotTaken`] and [`Error::DriverBusy`] where the database refuses all of them because one has no time.
pub async fn insert_all<C: ConnectionTrait>(
    connection: &C,
    rows: &[(Reservation, i64)],
) -> Result<Vec<bool>, Error> {
    let Some(statement) = insert_statement(rows).map_err(kit::Error::internal)? else {
        return Ok(Vec::new());
    };
    let inserted = match connection.query_all(&statement).await {
        Ok(inserted) => inserted,
        Err(error) => return Err(refusal_of(error)),
    };
    let id = |row: &QueryResult| row.try_get::<ReservationId>("", Column::Id.as_str());
    let mut ids = inserted.iter().map(id).collect::<Result<HashSet<_>, _>>()?;
    // Of two equal ids one was inserted, the first.
    Ok(rows.iter().map(|(row, _)| ids.remove(&row.id)).collect())
}

/// One INSERT from a SELECT for each row; none without rows.
fn insert_statement(
    rows: &[(Reservation, i64)],
) -> Result<Option<InsertStatement>, sea_orm::sea_query::error::Error> {
    let columns = [
        Column::Id,
        Column::ProviderId,
        Column::OrderId,
        Column::Round,
        Column::ReservationId,
        Column::ResourceId,
        Column::ResourceKind,
        Column::Role,
        Column::Running,
        Column::State,
        Column::Lapsed,
        Column::StartsAt,
        Column::EndsAt,
        Column::HoldExpiresAt,
        Column::Job,
        Column::CreatedAt,
        Column::UpdatedAt,
    ];
    let mut selects = rows.iter().map(|(row, revision)| insert_values(row, *revision));
    let Some(mut all) = selects.next() else { return Ok(None) };
    for select in selects {
        all.union(UnionType::All, select);
    }
    let mut insert = Query::insert();
    insert.into_table(Entity).columns(columns).select_from(all)?;
    insert.on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned());
    insert.returning_col(Column::Id);
    Ok(Some(insert))
}

fn insert_values(row: &Reservation, revision: i64) -> SelectStatement {
    let released = Query::select()
        .expr(Expr::val(1))
        .from(Entity)
        .and_where(Column::Id.eq(ReservationKey::every_provider(row.order_id).id()))
        .to_owned();
    Query::select()
        .exprs([
            Expr::val(row.id),
            Expr::val(row.provider_id),
            Expr::val(row.order_id),
            Expr::val(row.round),
            Expr::val(row.reservation_id),
            Expr::val(row.resource_id),
            Expr::val(row.resource_kind.to_value()),
            Expr::val(row.role.clone()),
            Expr::val(row.running),
            Expr::val(row.state.to_value()),
            Expr::val(row.lapsed),
            Expr::val(row.starts_at),
            Expr::val(row.ends_at),
            Expr::val(row.hold_expires_at),
            Expr::val(row.job.clone()),
            Expr::val(row.created_at),
            Expr::val(row.updated_at),
        ])
        .from(provider::Entity)
        .and_where(provider::Column::Id.eq(row.provider_id))
        .and_where(provider::Column::Standing.eq(revision))
        .and_where(Expr::exists(released).not())
        .to_owned()
}

/// Overwrites a reservation that exists; holds that ran out give way to it.
pub async fn overwrite_reservation(tx: &Tx, row: Reservation) -> Result<(), Error> {
    expire_holds_in_the_way(tx, &row).await?;
    let row = ActiveModel {
        lapsed: Set(false),
        updated_at: Set(tx.now()),
        ..row.into_active_model().reset_all()
    };
    match row.update(&**tx).await {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal_of(error)),
    }
}

/// Releases other holds that ran out and are in the way of `row`, with all that they take.
pub async fn expire_holds_in_the_way(tx: &Tx, row: &Reservation) -> Result<(), Error> {
    let overlapping = overlapping_reservations(&Span { start: row.starts_at, end: row.ends_at });
    let in_the_way = Query::select()
        .column(Column::ReservationId)
        .from(Entity)
        .and_where(Column::ResourceId.eq(row.resource_id))
        .and_where(Column::ReservationId.ne(row.reservation_id))
        .and_where(Column::State.eq(State::Hold))
        .and_where(Column::HoldExpiresAt.lte(tx.now()))
        .cond_where(Condition::any().add(overlapping).add(Column::Running.eq(true)))
        .to_owned();
    set_state(State::Released, true, tx.now())
        .filter(Column::ReservationId.in_subquery(in_the_way))
        .filter(Column::State.eq(State::Hold))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Lets go of a provider, held or not.
pub async fn release_row<C: ConnectionTrait>(
    connection: &C,
    key: ReservationKey,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let released = [Column::State, Column::Lapsed, Column::Running, Column::UpdatedAt];
    Entity::insert(Reservation::released(key, now).into_active_model())
        .on_conflict(OnConflict::column(Column::Id).update_columns(released).to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Lets go of the time that a provider has for an order from rounds before `key`'s.
pub async fn release_earlier_rounds<C: ConnectionTrait>(
    connection: &C,
    key: ReservationKey,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if key.round == 0 {
        return Ok(());
    }
    set_state(State::Released, false, now)
        .filter(Column::OrderId.eq(key.order_id))
        .filter(Column::ProviderId.eq(key.provider_id))
        .filter(Column::Round.lt(key.round))
        .filter(Column::State.ne(State::Released))
        .exec(connection)
        .await?;
    Ok(())
}

/// The count of changes that the standing of a provider is at.
pub async fn revision_of(tx: &Tx, id: ProviderId) -> Result<i64, Error> {
    let revision = provider::Entity::find_by_id(id)
        .select_only()
        .column(provider::Column::Standing)
        .into_tuple::<i64>()
        .one(&**tx)
        .await?;
    revision.ok_or(Error::ProviderNotFound)
}

/// What a failed statement means: the time is taken, the resource does another job, or the database failed. Two that wait
/// for each other count as taken: PostgreSQL breaks one of them off.
fn refusal_of(error: DbErr) -> Error {
    if db_error::is_refused_by(&error, GUARD) || db_error::is_deadlock(&error) {
        return Error::SlotTaken;
    }
    if db_error::is_duplicate(&error, RUNNING.0, RUNNING.1) {
        return Error::DriverBusy;
    }
    error.into()
}
