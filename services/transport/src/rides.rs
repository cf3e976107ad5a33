//! What transport says of its own as a vertical.

use crate::{
    convert::{self, CHANGE_MESSAGE, CurrentRide, Observed, RideJob, read_places},
    domain::{
        Ride, RideInputs,
        price::{SURGE, change_lines},
        ride::{RideState, RideTerms},
        settlement::AgreedPrice,
        tables::RideTables,
        waiting::{Stay, TrackMeasure},
        way::{BilledWay, Itinerary, is_near},
    },
    meter::Meter,
    router::Router,
};
use chrono::{DateTime, Duration, Utc};
use kit::Clock;
use proto::quickserve::transport::v1::{RideChange, RideDetails, RideStop};
use std::sync::Arc;
use vertical::{
    ChangeInputs, Description, Error, OrderSnapshot, Phase, Place, QuoteInputs, Side, Vertical,
    price::{ChangeQuote, GateAnswer, JobRequirements, Quote},
};

/// What is missing while the last stop is not done.
const UNFINISHED: &str = "ride.unfinished";
/// The ride is over: its stops cannot change any more.
const RIDE_OVER: &str = "RIDE_OVER";
/// A stop that was reached would change.
const STOPS_FIXED: &str = "STOPS_FIXED";
/// Other stops would make the ride much longer.
const TOO_FAR: &str = "TOO_FAR";
/// The country is not served any more, so that no change can be priced.
const NOT_SERVED: &str = "NOT_SERVED";
/// How far two positions of one stop may lie apart, in metres.
const SAME_STOP_M: i64 = 20;

/// Prices and follows rides, by its tables.
#[derive(Clone)]
pub struct Rides {
    tables: Arc<RideTables>,
    router: Arc<dyn Router>,
    meter: Arc<dyn Meter>,
    clock: Clock,
}

impl Rides {
    /// Prices by `tables` the ways that `router` finds and `meter` measures.
    pub fn new(
        tables: RideTables,
        router: Arc<dyn Router>,
        meter: Arc<dyn Meter>,
        clock: Clock,
    ) -> Self {
        Self { tables: Arc::new(tables), router, meter, clock }
    }

    /// The way from a pick-up over some stops, none of which is too far away.
    async fn find_way(&self, pick_up: Place, stops: &[Place]) -> Result<Itinerary, Error> {
        self.tables.road.check_stops(&pick_up, stops)?;
        let places: Vec<Place> = [pick_up].into_iter().chain(stops.iter().copied()).collect();
        self.router.find_way(&places).await
    }

    /// The way back to the pick-up from a stop.
    pub async fn find_way_back(&self, job: &RideJob, n: u32) -> Result<Itinerary, Error> {
        let current = CurrentRide::of(job)?;
        let places = current.places(job).unwrap_or_default();
        let stop = usize::try_from(n).ok().and_then(|n| places.get(n));
        match (places.first(), stop) {
            (Some(pick_up), Some(stop)) => self.router.find_way(&[*stop, *pick_up]).await,
            _ => Ok(Itinerary::default()),
        }
    }

    /// What was measured of a ride from its pick-up to its last stop, once it is over.
    async fn measure_ride(&self, job: &RideJob) -> Result<Option<TrackMeasure>, Error> {
        let started_at = job.order.facts.times.started_at;
        let left_at = job.own.visits.last().and_then(|visit| visit.left_at);
        match (started_at, left_at) {
            (Some(from), Some(to)) if job.own.state.is_over() => {
                self.meter.measure_track(job.order.order_id, from, to, None).await
            }
            _ => Ok(None),
        }
    }

    /// Since when the provider waited in the course of a stay, if it did.
    async fn find_waiting(
        &self,
        job: &RideJob,
        places: &[Place],
        stay: &Stay,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let (id, to) = (job.order.order_id, stay.until.unwrap_or_else(|| self.clock.now()));
        let measure = match places.get(stay.place) {
            Some(place) => self.meter.measure_track(id, stay.since, to, Some(*place)).await?,
            None => None,
        };
        Ok(stay.waiting_from(measure.as_ref(), self.tables.meter.min_covered_percent))
    }

    /// The minutes that the provider waited beyond the free ones, in all.
    async fn count_waited_minutes(&self, job: &RideJob, places: &[Place]) -> Result<i64, Error> {
        let mut minutes = 0;
        for stay in convert::stays_of(job) {
            let from = self.find_waiting(job, places, &stay).await?;
            minutes += from.map_or(0, |from| stay.billed_minutes(from));
        }
        Ok(minutes)
    }

    /// What is known of a ride beside its record.
    pub async fn observe(&self, job: &RideJob, current: &CurrentRide) -> Result<Observed, Error> {
        let waits = matches!(job.own.state, RideState::Waiting | RideState::Stop(_));
        let stay = convert::stays_of(job).pop().filter(|_| waits);
        let places = current.places(job).unwrap_or_default();
        let waiting_from = match stay {
            Some(stay) => self.find_waiting(job, &places, &stay).await?,
            None => None,
        };
        let measure = self.measure_ride(job).await?;
        let agreed = AgreedPrice::of(&job.order.facts);
        let metered = self.tables.meter.is_metered(&job.own, &agreed, measure.as_ref());
        Ok(Observed { waiting_from, measure, metered })
    }

    /// The terms of an order, whose country may not be served any more.
    fn terms_of(&self, inputs: &RideInputs, order: &OrderSnapshot) -> Option<RideTerms> {
        let surge = order.facts.quoted_quantity(SURGE);
        #[expect(clippy::cast_possible_truncation, reason = "it is a percentage")]
        let surge_percent = if surge > 0.0 { surge.round() as i64 } else { 100 };
        self.tables.prices.get(&order.facts.country)?.terms(inputs, surge_percent)
    }

    /// What speaks against other stops for a ride.
    fn change_denial(
        &self,
        job: &RideJob,
        now: &[RideStop],
        then: &[RideStop],
    ) -> Option<&'static str> {
        let has_ended = job.own.state.is_over()
            || matches!(job.own.state, RideState::Returning | RideState::Off);
        if has_ended {
            return Some(RIDE_OVER);
        }
        let reached = job.own.visits.len();
        let keeps_reached = then.len() >= reached
            && read_places(now)
                .iter()
                .zip(&read_places(then))
                .take(reached)
                .all(|(before, after)| is_near(before, after, SAME_STOP_M));
        let has_next = job
            .own
            .state
            .leg()
            .is_none_or(|leg| usize::try_from(leg).is_ok_and(|leg| then.len() >= leg));
        (!keeps_reached || !has_next).then_some(STOPS_FIXED)
    }

    /// Prices other stops at the terms of the quote.
    async fn price_change(
        &self,
        job: &RideJob,
        current: &CurrentRide,
        change: &RideChange,
    ) -> Result<ChangeQuote, Error> {
        if let Some(denial) = self.change_denial(job, &current.stops, &change.stops) {
            return Ok(denied(denial));
        }
        let (Some(terms), Some(pick_up)) = (&job.own.terms, job.order.place()) else {
            return Ok(denied(NOT_SERVED));
        };
        let way = self.find_way(pick_up, &read_places(&change.stops)).await?;
        let agreed = AgreedPrice::of(&job.order.facts);
        let after = BilledWay::of(way.metres, way.seconds);
        if after.hectometres - agreed.way.hectometres > self.tables.road.max_longer_km * 10 {
            return Ok(denied(TOO_FAR));
        }
        let lines = change_lines(
            terms,
            (agreed.way, current.stops.len()),
            (after, change.stops.len()),
            way.tolls - agreed.tolls,
        );
        let valid_for = Some(Duration::minutes(self.tables.meter.change_valid_minutes));
        Ok(ChangeQuote { lines: Some(lines), valid_for, denials: Vec::new() })
    }
}

fn denied(denial: &'static str) -> ChangeQuote {
    ChangeQuote { denials: vec![denial], ..ChangeQuote::default() }
}

/// The proofs that a ride must have: what was handed over, or is back, is shown by a photo or a signature.
fn missing_proofs(ride: &Ride, parcel: bool, proof_kinds: &[String]) -> Vec<String> {
    let places: Vec<String> = match ride.state {
        RideState::Returned => vec!["return".to_owned()],
        _ if parcel => (1..=ride.visits.len()).map(|n| format!("dropoff.{n}")).collect(),
        _ => Vec::new(),
    };
    let missing = places.into_iter().filter(|place| {
        let (photo, signature) = (format!("{place}.photo"), format!("{place}.signature"));
        !proof_kinds.iter().any(|kind| [&photo, &signature].contains(&kind))
    });
    missing.map(|place| format!("{place}.photo")).collect()
}

impl Vertical for Rides {
    type Details = RideDetails;
    type Change = RideChange;
    type Own = Ride;

    const KEY: &'static str = "transport";
    const DETAILS: &'static str = "quickserve.transport.v1.RideDetails";
    const CHANGE: Option<&'static str> = Some(CHANGE_MESSAGE);

    fn base_requirements(&self) -> JobRequirements {
        self.tables.base_requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<RideDetails>) -> Result<Quote, Error> {
        let QuoteInputs { details, window, address, place, asap, .. } = inputs;
        let inputs = convert::read_details(&details)?;
        let way = self.find_way(place, &inputs.stops).await?;
        let now = self.clock.now();
        self.tables.quote(&address.country, &inputs, way, window, asap, now)
    }

    fn begin_job(&self, details: &RideDetails, order: &OrderSnapshot) -> Result<Ride, Error> {
        let inputs = convert::read_details(details)?;
        Ok(Ride::begin(self.terms_of(&inputs, order)))
    }

    fn change_details(&self, _: &mut Ride, _: &RideDetails) -> Result<(), Error> {
        Ok(())
    }

    fn enter_phase(&self, own: &mut Ride, phase: Phase) {
        own.enter_phase(phase);
    }

    /// Until the ride begins its terms follow the quote, which a move to another hour replaces.
    fn follow_order(&self, own: &mut Ride, order: &OrderSnapshot) -> Result<(), Error> {
        let is_to_come =
            matches!(own.state, RideState::Booked | RideState::ToPickup | RideState::Waiting);
        if let Some(bytes) = order.details.as_deref().filter(|_| is_to_come) {
            let inputs = convert::read_details(&convert::stored_details(bytes)?)?;
            own.terms = self.terms_of(&inputs, order);
        }
        Ok(())
    }

    /// Nothing that people wrote is in it: places and names stay in the order's details.
    fn forget_texts(&self, _: &mut Ride) {}

    fn denials(&self, job: &RideJob, to: Phase) -> Vec<&'static str> {
        match to {
            Phase::Delivered if !job.own.state.is_over() => vec![UNFINISHED],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        job: &RideJob,
        proof_kinds: &[String],
    ) -> Result<GateAnswer, Error> {
        let current = CurrentRide::of(job)?;
        if !job.own.state.is_over() {
            return Ok(GateAnswer::as_agreed([UNFINISHED]));
        }
        let missing = missing_proofs(&job.own, current.shape.is_parcel(), proof_kinds);
        if !missing.is_empty() {
            return Ok(GateAnswer::as_agreed(missing));
        }
        let places = current.places(job).unwrap_or_default();
        let waited_minutes = self.count_waited_minutes(job, &places).await?;
        let measure = self.measure_ride(job).await?;
        let agreed = AgreedPrice::of(&job.order.facts);
        let settlement =
            self.tables.meter.settle(&job.own, &agreed, measure.as_ref(), waited_minutes);
        Ok(GateAnswer { settlement, ..GateAnswer::default() })
    }

    async fn quote_change(
        &self,
        job: &RideJob,
        change: ChangeInputs<RideChange>,
    ) -> Result<ChangeQuote, Error> {
        match change.details {
            None => Ok(ChangeQuote::default()),
            Some(change) => self.price_change(job, &CurrentRide::of(job)?, &change).await,
        }
    }

    fn describe_job(&self, job: &RideJob, side: Side, _: DateTime<Utc>) -> Description {
        let shape = CurrentRide::of(job).map(|current| current.shape);
        let actions = match (side, shape) {
            (Side::Provider, Ok(shape)) => job.own.state.provider_actions(shape),
            _ => Vec::new(),
        };
        Description { state: job.own.state.name(), actions }
    }
}
