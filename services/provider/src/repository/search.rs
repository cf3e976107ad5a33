//! Search: who could take a job, and when customers may book.

use super::{
    Providers,
    profiles::group_by_provider,
    reservation_sql::{active_reservations, overlapping_reservations},
};
use crate::{
    domain::records::{offering, provider, reservation},
    domain::{
        Error, Provider, ProviderId, Span,
        geo::Place,
        profile::{BackgroundCheck, State},
        reservation::Job,
        slots::{self, Free, Wish},
        standing::Standing,
    },
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, Query, SelectStatement},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Profiles judged at a time.
const BATCH: u64 = 100;
/// Batches judged before a search ends.
const MAX_BATCHES: u64 = 5;
/// Profiles whose slots are put together.
const MAX_MERGED: u64 = 20;
/// Reservations looked at for slots.
const MAX_BUSY: u64 = 5_000;

/// A provider who could take a job.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What decides about them.
    pub standing: Standing,
    /// A guess at the time to reach the place, when it is known.
    pub travel: Option<Duration>,
}

impl Providers {
    /// Those that are eligible for `job` and free, best score first; `excluded` profiles and the customer's own left
    /// out.
    pub async fn candidates(
        &self,
        job: &Job,
        excluded: &[ProviderId],
        customer: Option<Uuid>,
        most: usize,
    ) -> Result<Vec<Candidate>, Error> {
        let free =
            provider::Column::Id.in_subquery(taken_spans(&job.busy(), self.clock().now())).not();
        let query = is_bookable(&job.vertical, job.place)
            .filter(free)
            .filter(provider::Column::Id.is_not_in(excluded.iter().copied()));
        let mut candidates = Vec::new();
        for batch in 0..MAX_BATCHES {
            let page = query.clone().limit(BATCH).offset(batch * BATCH);
            let rows = page.all(self.db.connection()).await?;
            let last = (rows.len() as u64) < BATCH;
            let standings = self.standings(&rows).await?;
            let eligible =
                standings.into_iter().filter(|it| it.objections(job, customer).is_empty());
            candidates.extend(eligible.map(|standing| Candidate::of(standing, job)));
            if last || candidates.len() >= most {
                break;
            }
        }
        candidates.truncate(most);
        Ok(candidates)
    }

    /// When customers may book the profile `id`.
    pub async fn slots_of(
        &self,
        id: ProviderId,
        vertical: Option<&str>,
        place: Option<Place>,
        wish: &Wish,
    ) -> Result<BTreeMap<DateTime<Utc>, Free>, Error> {
        let known = provider::Entity::find_by_id(id).one(self.db.connection()).await?;
        let provider = known.filter(Provider::is_public).ok_or(Error::ProviderNotFound)?;
        let standings = self.standings(&[provider]).await?;
        let fits = |standing: &Standing| {
            let in_state = standing.state == State::Active
                && standing.background_check == BackgroundCheck::Clear;
            let offered = vertical.is_none_or(|vertical| offers_work(standing, vertical, place));
            in_state && offered
        };
        self.merged(standings.into_iter().filter(fits).collect(), wish).await
    }

    /// When customers may book a provider who offers `vertical`, for the best-scored of them.
    pub async fn slots_in(
        &self,
        vertical: &str,
        place: Option<Place>,
        wish: &Wish,
    ) -> Result<BTreeMap<DateTime<Utc>, Free>, Error> {
        let rows = is_bookable(vertical, place).limit(MAX_MERGED).all(self.db.connection()).await?;
        let mut standings = self.standings(&rows).await?;
        standings.retain(|standing| offers_work(standing, vertical, place));
        self.merged(standings, wish).await
    }

    async fn merged(
        &self,
        standings: Vec<Standing>,
        wish: &Wish,
    ) -> Result<BTreeMap<DateTime<Utc>, Free>, Error> {
        let ids: Vec<ProviderId> = standings.iter().map(|standing| standing.provider_id).collect();
        let near =
            Span { start: wish.between.start - wish.buffer, end: wish.between.end + wish.buffer };
        let taken =
            group_by_provider(self.busy(&ids, near, MAX_BUSY).await?, |row| row.provider_id);
        let mut merged: BTreeMap<DateTime<Utc>, Free> = BTreeMap::new();
        for standing in standings {
            let rows = taken.get(&standing.provider_id).map(Vec::as_slice).unwrap_or_default();
            let busy: Vec<Span> =
                rows.iter().map(|row| Span { start: row.starts_at, end: row.ends_at }).collect();
            let open = standing.open(&wish.between);
            let zone = wish.zone.unwrap_or(standing.calendar.zone);
            for start in slots::slot_starts(&open, &busy, zone, wish) {
                let free = merged.entry(start).or_insert(Free { zone, providers: Vec::new() });
                free.providers.push(standing.provider_id);
            }
        }
        Ok(merged)
    }
}

impl Candidate {
    fn of(standing: Standing, job: &Job) -> Self {
        let centre = standing.offering(&job.vertical).map(|offering| offering.centre);
        let travel = centre.zip(job.place).map(|(from, to)| from.travel_time_to(&to));
        Self { standing, travel }
    }
}

fn offers_work(standing: &Standing, vertical: &str, place: Option<Place>) -> bool {
    standing
        .offering(vertical)
        .is_some_and(|offered| place.is_none_or(|place| offered.reaches(&place)))
}

/// Profiles that may be booked for a vertical somewhere near, best score first.
fn is_bookable(vertical: &str, place: Option<Place>) -> Select<provider::Entity> {
    let mut offered = Condition::all().add(offering::Column::Vertical.eq(vertical));
    if let Some(Place { lat, lng }) = place {
        offered = offered
            .add(offering::Column::LatMin.lte(lat))
            .add(offering::Column::LatMax.gte(lat))
            .add(offering::Column::LngMin.lte(lng))
            .add(offering::Column::LngMax.gte(lng));
    }
    let offered = Query::select()
        .column(offering::Column::ProviderId)
        .from(offering::Entity)
        .cond_where(offered)
        .to_owned();
    provider::Entity::find()
        .filter(provider::Column::State.eq(State::Active))
        .filter(provider::Column::BackgroundCheck.eq(BackgroundCheck::Clear))
        .filter(provider::Column::Id.in_subquery(offered))
        .order_by_desc(provider::Column::Score)
        .order_by_asc(provider::Column::Id)
}

/// The profiles whose time in `span` is taken.
fn taken_spans(span: &Span, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .expr(Expr::col(reservation::Column::ProviderId))
        .from(reservation::Entity)
        .cond_where(active_reservations(now))
        .cond_where(overlapping_reservations(span))
        .to_owned()
}
