//! Between the rows and rules of transport and the messages of its contract.

use crate::domain::{
    Ride, RideInputs,
    details::{GivenParcel, GivenPassengers, Load, RideTier, Undeliverable},
    ride::{RideShape, RideState},
    settlement::AgreedPrice,
    tables::WaitingRates,
    waiting::{PickUpTimes, Stay, TrackMeasure, list_stays},
};
use chrono::{DateTime, Utc};
use kit::{Money, rpc::details::decode_accepted, values::time::timestamp};
use prost::Message;
use prost_types::Struct;
use proto::quickserve::transport::v1 as pb;
use vertical::{Error, OrderFacts, Place, facts::JobChangeState};

/// The ride of an order, as its vertical knows it.
pub type RideJob = vertical::Job<Ride>;

/// The full name of the message of changes.
pub const CHANGE_MESSAGE: &str = "quickserve.transport.v1.RideChange";

/// Reads the details of an order as a whole.
pub fn read_details(message: &pb::RideDetails) -> Result<RideInputs, Error> {
    let pb::RideDetails { kind, stops, tier, passengers, luggage, child_seats, pet, parcel } =
        message;
    let people = GivenPassengers {
        passengers: *passengers,
        luggage: *luggage,
        child_seats: *child_seats,
        pet: *pet,
    };
    let parcel = parcel.as_ref().map(|parcel| GivenParcel {
        kg: parcel.kg,
        longest_cm: parcel.longest_cm,
        undeliverable: &parcel.undeliverable,
    });
    Ok(RideInputs {
        load: Load::parse(kind, people, parcel)?,
        tier: RideTier::parse(tier)?,
        stops: read_places(stops),
    })
}

/// Where stops are. The contract demands their positions.
pub fn read_places(stops: &[pb::RideStop]) -> Vec<Place> {
    let places = stops
        .iter()
        .map(|stop| Place { lat: stop.lat.unwrap_or_default(), lng: stop.lng.unwrap_or_default() });
    places.collect()
}

/// Reads details as they are stored with an order.
pub fn stored_details(bytes: &[u8]) -> Result<pb::RideDetails, Error> {
    Ok(pb::RideDetails::decode(bytes).map_err(kit::Error::internal)?)
}

/// The stops of a ride by now: those of the last change that was approved, or else those that were booked.
pub fn current_stops(
    details: &pb::RideDetails,
    facts: &OrderFacts,
) -> Result<Vec<pb::RideStop>, Error> {
    let approved = facts.changes.iter().rev().filter(|it| it.state == JobChangeState::Approved);
    match approved.filter_map(|change| change.details.as_deref()).next() {
        None => Ok(details.stops.clone()),
        Some(bytes) => {
            let details = Struct::decode(bytes).map_err(kit::Error::internal)?;
            let change: pb::RideChange = decode_accepted(CHANGE_MESSAGE, &details)?;
            Ok(change.stops)
        }
    }
}

/// What a ride is about by now.
pub struct CurrentRide {
    pub details: pb::RideDetails,
    pub stops: Vec<pb::RideStop>,
    /// What its steps mind of that.
    pub shape: RideShape,
}

impl CurrentRide {
    /// Reads what the order of a job asks for by now.
    pub fn of(job: &RideJob) -> Result<Self, Error> {
        let details = stored_details(&job.order.details)?;
        let stops = current_stops(&details, &job.order.facts)?;
        let undeliverable = match &details.parcel {
            Some(parcel) => Some(Undeliverable::parse(&parcel.undeliverable)?),
            None => None,
        };
        let shape = job.own.shape(stops.len(), undeliverable);
        Ok(Self { details, stops, shape })
    }

    /// The pick-up and the stops; none once the order is erased.
    pub fn places(&self, job: &RideJob) -> Option<Vec<Place>> {
        let pick_up = job.order.place()?;
        Some([pick_up].into_iter().chain(read_places(&self.stops)).collect())
    }
}

/// Where the provider was in the course of a ride.
pub fn stays_of(job: &RideJob) -> Vec<Stay> {
    let times = job.order.facts.times;
    let times = PickUpTimes {
        expected_at: job.order.starts_at,
        departed_at: times.departed_at,
        arrived_at: times.arrived_at,
        started_at: times.started_at,
    };
    let terms = job.own.terms.as_ref();
    terms.map(|terms| list_stays(&job.own, terms.waiting, times)).unwrap_or_default()
}

/// What is known of a ride beside its record.
#[derive(Default)]
pub struct Observed {
    /// Since when the provider waits, while it does.
    pub waiting_from: Option<DateTime<Utc>>,
    /// What was measured of the whole ride, once it is over.
    pub measure: Option<TrackMeasure>,
    /// Whether the price follows that.
    pub metered: bool,
}

/// The message for a ride.
pub fn ride(job: &RideJob, current: CurrentRide, observed: &Observed) -> pb::Ride {
    let (order, own) = (&job.order, &job.own);
    let agreed = AgreedPrice::of(&order.facts);
    let measure = observed.measure.unwrap_or_default();
    let measure = pb::RideMeasure {
        metres: measure.metres,
        seconds: measure.seconds,
        covered_percent: measure.covered_percent,
        metered: observed.metered,
    };
    pb::Ride {
        id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        order_state: order.state,
        state: to_state(own.state).into(),
        leg: own.state.leg().and_then(|leg| i32::try_from(leg).ok()).unwrap_or_default(),
        details: Some(current.details),
        stops: to_visits(own, current.stops),
        window: Some(order.window().into()),
        waiting_from: observed.waiting_from.map(timestamp),
        free_waiting_minutes: free_minutes(own),
        waiting_minute: own
            .terms
            .as_ref()
            .map(|terms| Money::new(terms.currency, terms.waiting.minute).into()),
        metres: agreed.way.hectometres * 100,
        seconds: agreed.way.minutes * 60,
        measure: own.state.is_over().then_some(measure),
        version: order.version,
        updated_at: Some(timestamp(order.updated_at)),
    }
}

/// The minutes of waiting that cost nothing where the ride is.
fn free_minutes(ride: &Ride) -> i32 {
    let Some(terms) = &ride.terms else { return 0 };
    let WaitingRates { pick_up_free_minutes, stop_free_minutes, .. } = terms.waiting;
    let minutes = match ride.state.leg() {
        Some(_) => stop_free_minutes,
        None => pick_up_free_minutes,
    };
    i32::try_from(minutes).unwrap_or_default()
}

fn to_visits(ride: &Ride, stops: Vec<pb::RideStop>) -> Vec<pb::StopVisit> {
    let visits = stops.into_iter().zip(1_u32..).map(|(place, n)| {
        let visit = ride.visit(n);
        pb::StopVisit {
            n: i32::try_from(n).unwrap_or_default(),
            place: Some(place),
            reached_at: visit.map(|visit| timestamp(visit.reached_at)),
            left_at: visit.and_then(|visit| visit.left_at).map(timestamp),
        }
    });
    visits.collect()
}

const fn to_state(state: RideState) -> pb::RideState {
    match state {
        RideState::Booked => pb::RideState::Booked,
        RideState::ToPickup => pb::RideState::ToPickup,
        RideState::Waiting => pb::RideState::Waiting,
        RideState::Riding(_) => pb::RideState::Riding,
        RideState::Stop(_) => pb::RideState::Stop,
        RideState::Dropped => pb::RideState::Dropped,
        RideState::Returning => pb::RideState::Returning,
        RideState::Returned => pb::RideState::Returned,
        RideState::Off => pb::RideState::Off,
    }
}
