//! Rides: where one stands, and what its provider may do next.

use super::{details::Undeliverable, fare::Tariff, tables::WaitingRates, way::Itinerary};
use chrono::{DateTime, Utc};
use kit::values::money::Currency;
use serde::{Deserialize, Serialize};
use vertical::{Error, Phase};

/// Where a ride stands. Stops are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RideState {
    /// The provider has not set out.
    Booked,
    /// The provider is on the way to the pick-up.
    ToPickup,
    /// The provider is at the pick-up.
    Waiting,
    /// On the way to a stop.
    Riding(u32),
    /// At a stop.
    Stop(u32),
    /// The last stop is done.
    Dropped,
    /// The parcel could not be handed over, and comes back to the pick-up.
    Returning,
    /// The parcel is back at the pick-up.
    Returned,
    /// The order ended without the ride.
    Off,
}

/// What happens to a ride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RideStep {
    /// The order has entered a phase, and the ride is told of it.
    Told(Phase),
    /// The provider is at a stop.
    Arrive(u32),
    /// A stop is done.
    Complete(u32),
    /// The parcel cannot be handed over at a stop.
    Undeliverable(u32),
    /// The parcel is back.
    Return,
}

/// What a ride is for, as far as its steps mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RideShape {
    /// How many stops it has by now.
    pub stops: u32,
    /// What happens to the parcel when no one takes it; none where people ride.
    pub undeliverable: Option<Undeliverable>,
}

impl RideShape {
    /// Whether a parcel is carried, and no people.
    pub const fn is_parcel(self) -> bool {
        self.undeliverable.is_some()
    }
}

impl RideState {
    /// The state after a step. What the ride is told of has happened and is never refused: where it means nothing, the ride
    /// stays as it is. A ride that is off follows its order back, as a restore may have put it there.
    pub fn next(self, step: RideStep, shape: RideShape) -> Result<Self, Error> {
        use Phase::{AtTheDoor, Booked, Delivered, EnRoute, Ended, Rework, Working};
        use RideStep::{Arrive, Complete, Return, Told};
        match (self, step) {
            (Self::Dropped | Self::Returned, Told(_)) => Ok(self),
            (Self::Off, Told(Delivered)) => Ok(self),
            (_, Told(Booked)) => Ok(Self::Booked),
            (_, Told(Ended)) => Ok(Self::Off),
            (Self::Booked | Self::ToPickup | Self::Waiting | Self::Off, Told(EnRoute)) => {
                Ok(Self::ToPickup)
            }
            (Self::Booked | Self::ToPickup | Self::Waiting | Self::Off, Told(AtTheDoor)) => {
                Ok(Self::Waiting)
            }
            (Self::Booked | Self::ToPickup | Self::Waiting | Self::Off, Told(Working | Rework)) => {
                Ok(Self::Riding(1))
            }
            (Self::Booked | Self::ToPickup | Self::Waiting, Told(Delivered)) => Ok(self),
            (Self::Riding(_) | Self::Stop(_) | Self::Returning, Told(_)) => Ok(self),
            (Self::Riding(at), Arrive(n)) if at == n => Ok(Self::Stop(n)),
            (Self::Stop(at), Complete(n)) if at == n => Ok(match n < shape.stops {
                true => Self::Riding(n + 1),
                false => Self::Dropped,
            }),
            (Self::Stop(at), RideStep::Undeliverable(n)) if at == n => match shape.undeliverable {
                Some(Undeliverable::Return) => Ok(Self::Returning),
                Some(Undeliverable::Leave) => Err(Error::Refused(
                    "LEAVE_PARCEL",
                    "the parcel may be left: complete the stop, with a photo".to_owned(),
                )),
                None => Err(Error::OrderState("only a parcel can be undeliverable")),
            },
            (Self::Returning, Return) => Ok(Self::Returned),
            (_, Arrive(_)) => Err(Error::OrderState("the provider is not on the way to this stop")),
            (_, Complete(_)) => Err(Error::OrderState("the provider is not at this stop")),
            (_, RideStep::Undeliverable(_)) => {
                Err(Error::OrderState("the provider is not at this stop"))
            }
            (_, Return) => Err(Error::OrderState("no parcel is on its way back")),
        }
    }

    /// The stop that the ride is on the way to, or at.
    pub const fn leg(self) -> Option<u32> {
        match self {
            Self::Riding(n) | Self::Stop(n) => Some(n),
            _ => None,
        }
    }

    /// Whether the ride is over, so that it can be delivered.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Dropped | Self::Returned)
    }

    /// Its name in contracts, for example `STOP 2`.
    pub fn name(self) -> String {
        match self {
            Self::Booked => "BOOKED".to_owned(),
            Self::ToPickup => "TO_PICKUP".to_owned(),
            Self::Waiting => "WAITING".to_owned(),
            Self::Riding(n) => format!("RIDING {n}"),
            Self::Stop(n) => format!("STOP {n}"),
            Self::Dropped => "DROPPED".to_owned(),
            Self::Returning => "RETURNING".to_owned(),
            Self::Returned => "RETURNED".to_owned(),
            Self::Off => "OFF".to_owned(),
        }
    }

    /// What the provider may do next.
    pub fn provider_actions(self, shape: RideShape) -> Vec<&'static str> {
        match self {
            Self::Riding(_) => vec!["arriveAtStop"],
            Self::Stop(_) if shape.undeliverable == Some(Undeliverable::Return) => {
                vec!["completeStop", "reportUndeliverable"]
            }
            Self::Stop(_) => vec!["completeStop"],
            Self::Returning => vec!["reportReturned"],
            _ => Vec::new(),
        }
    }
}

/// The terms of a ride, as they were when it was booked: they price what it comes to, and other stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RideTerms {
    pub currency: Currency,
    pub tariff: Tariff,
    /// What everything costs at the hour of the pick-up, in percent.
    pub surge_percent: i64,
    /// Each stop beyond the first.
    pub stop_fee: i64,
    pub waiting: WaitingRates,
}

/// When the provider was at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopTimes {
    /// When the provider said to be there.
    pub reached_at: DateTime<Utc>,
    /// When the provider went on.
    pub left_at: Option<DateTime<Utc>>,
}

/// A parcel that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBack {
    /// The stop at which no one took it.
    pub stop: u32,
    /// The way from there to the pick-up.
    pub way: Itinerary,
    /// When it is back.
    pub returned_at: Option<DateTime<Utc>>,
}

/// What transport keeps of its own about an order. Places and names stay in the order's details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ride {
    pub state: RideState,
    /// The stops that were reached, in their order.
    pub visits: Vec<StopTimes>,
    /// The terms that were agreed; none where the country was not served any more when the order was first heard of.
    pub terms: Option<RideTerms>,
    /// The way back of a parcel that no one took.
    pub way_back: Option<WayBack>,
}

impl Ride {
    /// A ride of which nothing has happened.
    pub const fn begin(terms: Option<RideTerms>) -> Self {
        Self { state: RideState::Booked, visits: Vec::new(), terms, way_back: None }
    }

    /// Follows the order to a phase. A ride that begins anew, with another provider, has reached nothing.
    pub fn enter_phase(&mut self, phase: Phase) {
        // Telling is never refused, and the number of stops makes no difference to it.
        let shape = RideShape { stops: 1, undeliverable: None };
        let Ok(state) = self.state.next(RideStep::Told(phase), shape) else { return };
        self.state = state;
        if state == RideState::Booked {
            self.visits.clear();
            self.way_back = None;
        }
    }

    /// The provider is at a stop. False when that was said before.
    pub fn arrive(&mut self, n: u32, shape: RideShape, now: DateTime<Utc>) -> Result<bool, Error> {
        if self.visit(n).is_some() {
            return Ok(false);
        }
        self.take_step(RideStep::Arrive(n), n, shape)?;
        self.visits.push(StopTimes { reached_at: now, left_at: None });
        Ok(true)
    }

    /// A stop is done. False when that was said before.
    pub fn complete(
        &mut self,
        n: u32,
        shape: RideShape,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let was_left = self.visit(n).is_some_and(|visit| visit.left_at.is_some());
        if was_left && self.way_back.is_none_or(|back| back.stop != n) {
            return Ok(false);
        }
        self.take_step(RideStep::Complete(n), n, shape)?;
        self.leave_stop(now);
        Ok(true)
    }

    /// The parcel cannot be handed over at a stop, and takes a way back. False when that was said before.
    pub fn turn_back(
        &mut self,
        n: u32,
        shape: RideShape,
        way: Itinerary,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        if self.way_back.is_some_and(|back| back.stop == n) {
            return Ok(false);
        }
        self.take_step(RideStep::Undeliverable(n), n, shape)?;
        self.leave_stop(now);
        self.way_back = Some(WayBack { stop: n, way, returned_at: None });
        Ok(true)
    }

    /// The parcel is back. False when that was said before.
    pub fn come_back(&mut self, shape: RideShape, now: DateTime<Utc>) -> Result<bool, Error> {
        if self.state == RideState::Returned {
            return Ok(false);
        }
        self.state = self.state.next(RideStep::Return, shape)?;
        if let Some(back) = &mut self.way_back {
            back.returned_at = Some(now);
        }
        Ok(true)
    }

    /// When the provider was at a stop, if it was.
    pub fn visit(&self, n: u32) -> Option<&StopTimes> {
        let index = usize::try_from(n).ok()?.checked_sub(1)?;
        self.visits.get(index)
    }

    /// How many stops the ride has by now, of which `listed` are asked for. The one that it is on the way to is none less,
    /// also where a change has taken it out in the meantime.
    pub fn shape(&self, listed: usize, undeliverable: Option<Undeliverable>) -> RideShape {
        let listed = u32::try_from(listed).unwrap_or(u32::MAX);
        RideShape { stops: listed.max(self.state.leg().unwrap_or(1)), undeliverable }
    }

    fn take_step(&mut self, step: RideStep, n: u32, shape: RideShape) -> Result<(), Error> {
        if n == 0 || n > shape.stops {
            return Err(Error::invalid("n", format!("must be 1 to {}", shape.stops)));
        }
        self.state = self.state.next(step, shape)?;
        Ok(())
    }

    fn leave_stop(&mut self, now: DateTime<Utc>) {
        if let Some(visit) = self.visits.last_mut() {
            visit.left_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
