//! Search: who could take a job, and when customers may book.

use super::{
    Providers,
    reservation_sql::{active_reservations, overlapping_reservations},
};
use crate::{
    domain::records::{offering, provider, reservation},
    domain::{
        Error, Provider, ProviderId, Span,
        geo::GeoPlace,
        profile::{BackgroundCheck, ProviderKind, State, zone_named},
        reservation::JobRequest,
        slots::{Slots, Wish, has_free_resources},
        standing::Standing,
    },
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, Query, SelectStatement},
};
use std::{cmp::Reverse, collections::HashMap};
use uuid::Uuid;

/// Profiles that a search has in memory at a time.
const PAGE: u64 = 500;

/// What candidates are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    pub job: &'a JobRequest,
    /// Profiles that are left out.
    pub excluded: &'a [ProviderId],
    /// Profiles that come first among those who are equally good.
    pub preferred: &'a [ProviderId],
    /// Whether only those are looked at.
    pub preferred_only: bool,
    /// The customer's account.
    pub customer: Option<Uuid>,
    /// How far from the place they may be, in metres; none for as far as their own areas say.
    pub radius_m: Option<f64>,
    /// How many to find at most.
    pub most: usize,
}

/// A provider who could take a job.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What decides about them.
    pub standing: Standing,
    /// A guess at the time to reach the place, when it is known.
    pub travel: Option<Duration>,
}

impl Providers {
    /// Those that are eligible for `job` and free, first those with a skill that it prefers, then best score first; `excluded` profiles and the customer's own left
    /// out. It looks at every profile in reach, page by page, until it has found `most`.
    pub async fn candidates(&self, search: Search<'_>) -> Result<Vec<Candidate>, Error> {
        let Search { job, excluded, preferred, preferred_only, customer, radius_m, most } = search;
        // What a company has free its members and vehicles tell.
        let free = Condition::any().add(provider::Column::Kind.eq(ProviderKind::Company)).add(
            provider::Column::Id.in_subquery(taken_spans(&job.busy(), self.clock().now())).not(),
        );
        let mut query = is_bookable(&job.vertical, job.place)
            .filter(free)
            .filter(provider::Column::Id.is_not_in(excluded.iter().copied()));
        if preferred_only {
            query = query.filter(provider::Column::Id.is_in(preferred.iter().copied()));
        }
        let mut pages = BestFirst::new(query);
        let (mut candidates, mut scores) = (Vec::new(), HashMap::new());
        while candidates.len() < most {
            let Some(mut rows) = self.next_page(&mut pages).await? else { break };
            rows.retain(|row| row.usual_calendar().covers(&job.work()));
            scores.extend(rows.iter().map(|row| (row.id, row.score)));
            let mut standings = self.standings(&rows).await?;
            standings.retain(|standing| standing.objections(job, customer).is_empty());
            if let Some(radius_m) = radius_m {
                standings
                    .retain(|it| it.metres_to_job(job).is_none_or(|metres| metres <= radius_m));
            }
            self.retain_free(&mut standings, job).await?;
            candidates.extend(standings.into_iter().map(|it| Candidate::of(it, job)));
        }
        candidates.sort_by_key(|candidate: &Candidate| {
            let id = candidate.standing.provider_id;
            let score = scores.get(&id).copied().unwrap_or_default();
            let lacks_preferred = !candidate.standing.offers_preferred(job);
            (lacks_preferred, Reverse(score), !preferred.contains(&id), id)
        });
        candidates.truncate(most);
        Ok(candidates)
    }

    /// Keeps those who have enough people and vehicles free for the job.
    pub async fn retain_free(
        &self,
        standings: &mut Vec<Standing>,
        job: &JobRequest,
    ) -> Result<(), Error> {
        // The query has looked at the time of people who work alone.
        let undecided = standings
            .iter()
            .filter(|it| it.kind == ProviderKind::Company || !it.gives_profile_only(job));
        let ids: Vec<ProviderId> = undecided.map(|standing| standing.provider_id).collect();
        let taken = self.taken_by(&ids, job.busy()).await?;
        standings.retain(|standing| {
            let taken = taken.get(&standing.provider_id).map(Vec::as_slice).unwrap_or_default();
            has_free_resources(standing, job, taken)
        });
        Ok(())
    }

    /// Those of `ids` who may be booked for a vertical at all.
    pub async fn bookable_of(
        &self,
        ids: &[ProviderId],
        vertical: &str,
    ) -> Result<Vec<Provider>, Error> {
        let bookable = is_bookable(vertical, None)
            .filter(provider::Column::Id.is_in(ids.iter().copied()))
            .all(self.db.connection())
            .await?;
        Ok(bookable)
    }

    /// When customers may book the profile `id`.
    pub async fn slots_of(&self, id: ProviderId, wish: Wish) -> Result<Slots, Error> {
        let known = provider::Entity::find_by_id(id).one(self.db.connection()).await?;
        let provider = known.filter(Provider::is_public).ok_or(Error::ProviderNotFound)?;
        let mut slots = Slots::new(wish, &[provider.zone()]);
        self.add_slots(&mut slots, &[provider]).await?;
        Ok(slots)
    }

    /// When customers may book somebody who offers the vertical. It looks at every profile in reach, page by page, until
    /// somebody is found for each start that could be one.
    pub async fn slots_in(&self, wish: Wish) -> Result<Slots, Error> {
        let bookable = is_bookable(&wish.job.vertical, wish.job.place);
        let zones = match wish.zone {
            Some(zone) => vec![zone],
            None => self.zones_of(&bookable).await?,
        };
        let mut pages = BestFirst::new(bookable);
        let mut slots = Slots::new(wish, &zones);
        while let Some(undecided) = slots.undecided() {
            let Some(mut rows) = self.next_page(&mut pages).await? else { break };
            rows.retain(|row| {
                let open = row.usual_calendar().open(undecided.start, undecided.end);
                slots.could_decide(&open)
            });
            self.add_slots(&mut slots, &rows).await?;
        }
        Ok(slots)
    }

    /// The zones of the hours of `profiles`, each once.
    async fn zones_of(&self, profiles: &Select<provider::Entity>) -> Result<Vec<Tz>, Error> {
        let names: Vec<String> = profiles
            .clone()
            .select_only()
            .column(provider::Column::TimeZone)
            .distinct()
            .into_tuple()
            .all(self.db.connection())
            .await?;
        Ok(names.iter().map(|name| zone_named(name)).collect())
    }

    /// Adds the times at which some profiles can be booked.
    async fn add_slots(&self, slots: &mut Slots, profiles: &[Provider]) -> Result<(), Error> {
        let Some(undecided) = slots.undecided().filter(|_| !profiles.is_empty()) else {
            return Ok(());
        };
        let ids: Vec<ProviderId> = profiles.iter().map(|profile| profile.id).collect();
        let taken = self.taken_by(&ids, undecided).await?;
        for standing in self.standings(profiles).await? {
            let taken = taken.get(&standing.provider_id).map(Vec::as_slice).unwrap_or_default();
            slots.add(&standing, taken);
        }
        Ok(())
    }

    /// The next profiles of a search; none after the last ones.
    async fn next_page(&self, pages: &mut BestFirst) -> Result<Option<Vec<Provider>>, Error> {
        if pages.is_over {
            return Ok(None);
        }
        let rows = pages.next_query().all(self.db.connection()).await?;
        pages.after = rows.last().map(|last| (last.score, last.id));
        pages.is_over = (rows.len() as u64) < PAGE;
        Ok(Some(rows))
    }
}

/// Profiles page by page, best score first.
struct BestFirst {
    query: Select<provider::Entity>,
    /// Score and id of the last one that was read.
    after: Option<(i32, ProviderId)>,
    is_over: bool,
}

impl BestFirst {
    fn new(query: Select<provider::Entity>) -> Self {
        let query = query
            .order_by_desc(provider::Column::Score)
            .order_by_asc(provider::Column::Id)
            .limit(PAGE);
        Self { query, after: None, is_over: false }
    }

    fn next_query(&self) -> Select<provider::Entity> {
        let query = self.query.clone();
        let Some((score, id)) = self.after else { return query };
        let as_good = Condition::all()
            .add(provider::Column::Score.eq(score))
            .add(provider::Column::Id.gt(id));
        query.filter(Condition::any().add(provider::Column::Score.lt(score)).add(as_good))
    }
}

impl Candidate {
    fn of(standing: Standing, job: &JobRequest) -> Self {
        let centre = standing.offering(&job.vertical).map(|offering| offering.centre);
        let travel = centre.zip(job.place).map(|(from, to)| from.travel_time_to(&to));
        Self { standing, travel }
    }
}

/// Profiles that may be booked for a vertical somewhere near.
fn is_bookable(vertical: &str, place: Option<GeoPlace>) -> Select<provider::Entity> {
    let mut offered = Condition::all().add(offering::Column::Vertical.eq(vertical));
    if let Some(GeoPlace { lat, lng }) = place {
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
}

/// The resources whose time in `span` is taken.
fn taken_spans(span: &Span, now: DateTime<Utc>) -> SelectStatement {
    Query::select()
        .expr(Expr::col(reservation::Column::ResourceId))
        .from(reservation::Entity)
        .cond_where(active_reservations(now))
        .cond_where(overlapping_reservations(span))
        .to_owned()
}
