//! Prices: the fare of the way, what comes on top, and what a ride requires.

use super::{
    RideInputs,
    details::Load,
    fare::{Fare, Tariff},
    ride::RideTerms,
    tables::{CountryTariff, RideTables},
    way::{BilledWay, Itinerary, started_minutes},
};
use chrono::{DateTime, Duration, Utc};
use kit::{Money, Window};
use vertical::{
    Error,
    price::{Asset, Dispatch, JobRequirements, Line, Lines, Quote},
};

/// The vertical in the codes of lines.
const KEY: &str = "transport";

/// The lines that make up the fare of the way.
pub const FARE_CODES: [&str; 5] =
    ["transport.base", "transport.distance", "transport.time", "transport.minimum", SURGE];
/// The line whose quantity is what everything costs at the hour, in percent.
pub const SURGE: &str = "transport.surge";
/// The line whose quantity is the kilometres of the way.
pub const DISTANCE: &str = "transport.distance";
/// The line whose quantity is the minutes of the way.
pub const TIME: &str = "transport.time";
/// The line of what is paid on the way.
pub const TOLLS: &str = "transport.tolls";

impl RideTables {
    /// The prices of a country.
    pub fn country(&self, country: &str) -> Result<&CountryTariff, Error> {
        self.prices
            .get(country)
            .ok_or_else(|| Error::invalid("address.country", "is not served yet"))
    }

    /// Prices a ride in `country` on its way; for one as soon as possible the answer says when it begins.
    pub fn quote(
        &self,
        country: &str,
        inputs: &RideInputs,
        way: Itinerary,
        asked: Window,
        asap: bool,
        now: DateTime<Utc>,
    ) -> Result<Quote, Error> {
        let prices = self.country(country)?;
        let start = match asap {
            true => now + Duration::minutes(self.live.asap_minutes),
            false => asked.start,
        };
        let minutes = self.work_minutes(prices, inputs, way)?;
        let window = Window { start, end: start + Duration::minutes(minutes), ..asked };
        let lines = prices.lines(inputs, way, &window)?;
        let total: i64 = lines.iter().map(|line| line.total.minor_units).sum();
        let mut requirements = self.requirements(prices, inputs)?;
        requirements.minutes = minutes;
        requirements.dispatch = self.dispatch(start, now);
        Ok(Quote {
            cap: Some(Money::new(prices.currency, total * prices.cap_percent / 100)),
            window: asap.then_some(window),
            ..Quote::binding(lines, requirements)
        })
    }

    /// What every ride requires.
    pub fn base_requirements(&self) -> JobRequirements {
        JobRequirements {
            documents: self.documents.clone(),
            crew_size: 1,
            buffer_minutes: self.buffer_minutes,
            exclusive: true,
            ..JobRequirements::default()
        }
    }

    /// The time of the way and the minutes of waiting that cost nothing.
    fn work_minutes(
        &self,
        prices: &CountryTariff,
        inputs: &RideInputs,
        way: Itinerary,
    ) -> Result<i64, Error> {
        let stops = i64::try_from(inputs.stops.len()).unwrap_or(i64::MAX);
        let waiting = prices.waiting.stop_free_minutes * stops;
        let minutes = started_minutes(way.seconds) + prices.waiting.pick_up_free_minutes + waiting;
        if minutes > self.max_minutes {
            return Err(Error::invalid("details.stops", "is more than one ride can reach"));
        }
        Ok(minutes)
    }

    /// How providers are looked for: live where the ride begins soon.
    fn dispatch(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> Option<Dispatch> {
        let live = &self.live;
        (start <= now + Duration::minutes(live.within_minutes)).then(|| Dispatch {
            live: true,
            wave_size: live.wave_size,
            answer: Duration::seconds(live.answer_seconds),
            radius_m: live.radius_m,
            max_radius_m: live.max_radius_m,
            search: Duration::seconds(live.search_seconds),
            favourites_first: false,
        })
    }

    fn requirements(
        &self,
        prices: &CountryTariff,
        inputs: &RideInputs,
    ) -> Result<JobRequirements, Error> {
        let class = self
            .vehicles
            .get(&inputs.tier)
            .ok_or_else(|| kit::Error::internal("the tables lack a tier"))?;
        let mut vehicle = Asset { kinds: class.kinds.clone(), count: 1, ..Asset::default() };
        let mut requirements = self.base_requirements();
        let skill = match inputs.load {
            Load::People(people) => {
                if people.seats > class.max_seats {
                    let problem = format!("must be {} at most in this tier", class.max_seats);
                    return Err(Error::invalid("details.passengers", problem));
                }
                vehicle.seats = people.seats;
                requirements.documents.extend(prices.ride_documents.iter().cloned());
                "transport.ride"
            }
            Load::Parcel(parcel) => {
                if parcel.kg > class.max_kg {
                    let problem = format!("must be {} at most in this tier", class.max_kg);
                    return Err(Error::invalid("details.parcel.kg", problem));
                }
                if parcel.longest_cm > class.max_cm {
                    let problem = format!("must be {} at most in this tier", class.max_cm);
                    return Err(Error::invalid("details.parcel.longest_cm", problem));
                }
                vehicle.payload_kg = parcel.kg;
                "transport.parcel"
            }
        };
        requirements.skills = vec![skill.to_owned()];
        requirements.assets = vec![vehicle];
        Ok(requirements)
    }
}

impl CountryTariff {
    /// The terms of a ride of this tier that was quoted at `surge_percent`.
    pub fn terms(&self, inputs: &RideInputs, surge_percent: i64) -> Option<RideTerms> {
        Some(RideTerms {
            currency: self.currency,
            tariff: self.tiers.get(&inputs.tier)?.clone(),
            surge_percent,
            stop_fee: self.stop_fee,
            waiting: self.waiting,
        })
    }

    fn lines(
        &self,
        inputs: &RideInputs,
        way: Itinerary,
        window: &Window,
    ) -> Result<Vec<Line>, Error> {
        let surge_percent = self.surge_percent(window.start, window.zone);
        let terms = self
            .terms(inputs, surge_percent)
            .ok_or_else(|| kit::Error::internal("the tables lack a tier"))?;
        let mut lines = Lines::new(KEY, self.currency);
        let billed = BilledWay::of(way.metres, way.seconds);
        add_fare(&mut lines, billed, terms.tariff.fare(billed, surge_percent), surge_percent);
        if self.night.contains(window.start, window.zone) {
            lines.add_line("night", 1, "ride", self.night_fee);
        }
        let further = further_stops(inputs.stops.len());
        if further > 0 {
            lines.add_line("stops", further, "stop", self.stop_fee);
        }
        if let Load::People(people) = inputs.load
            && people.bags > self.free_bags
        {
            lines.add_line("luggage", people.bags - self.free_bags, "bag", self.bag_fee);
        }
        if way.tolls > 0 {
            lines.add_pass_through("tolls", "ride", way.tolls);
        }
        Ok(lines.into_vec())
    }
}

/// The stops beyond the first.
pub fn further_stops(stops: usize) -> i64 {
    i64::try_from(stops.saturating_sub(1)).unwrap_or_default()
}

/// Adds the lines of a fare. Those of the way say how far and how long it is, also where that costs nothing.
fn add_fare(lines: &mut Lines, way: BilledWay, fare: Fare, surge_percent: i64) {
    lines.add_line("base", 1, "ride", fare.base);
    lines.add_total("distance", kilometres(way.hectometres), "km", fare.distance);
    lines.add_total("time", to_f64(way.minutes), "minute", fare.time);
    if fare.minimum > 0 {
        lines.add_line("minimum", 1, "ride", fare.minimum);
    }
    if surge_percent > 100 {
        lines.add_total("surge", to_f64(surge_percent), "percent", fare.surge);
    }
}

/// The lines by which another way changes the price, part by part.
pub fn change_lines(
    terms: &RideTerms,
    (before, stops_before): (BilledWay, usize),
    (after, stops_after): (BilledWay, usize),
    tolls: i64,
) -> Vec<Line> {
    let RideTerms { currency, tariff, surge_percent, stop_fee, .. } = terms;
    let (old, new) = (tariff.fare(before, *surge_percent), tariff.fare(after, *surge_percent));
    let mut lines = Lines::new(KEY, *currency);
    let longer = after.hectometres - before.hectometres;
    if longer != 0 {
        lines.add_total("distance", kilometres(longer), "km", new.distance - old.distance);
    }
    let later = after.minutes - before.minutes;
    if later != 0 {
        lines.add_total("time", to_f64(later), "minute", new.time - old.time);
    }
    if new.minimum != old.minimum {
        lines.add_total("minimum", 0.0, "ride", new.minimum - old.minimum);
    }
    if new.surge != old.surge {
        lines.add_total("surge", 0.0, "percent", new.surge - old.surge);
    }
    let more_stops = further_stops(stops_after) - further_stops(stops_before);
    if more_stops != 0 {
        lines.add_line("stops", more_stops, "stop", *stop_fee);
    }
    if tolls != 0 {
        lines.add_pass_through("tolls", "ride", tolls);
    }
    lines.into_vec()
}

impl Tariff {
    /// Whether a way costs `fare` by this tariff, so that it is the one of the quote.
    pub fn explains(&self, way: BilledWay, surge_percent: i64, fare: i64) -> bool {
        self.fare(way, surge_percent).total() == fare
    }
}

/// Kilometres of so many hundred metres.
pub fn kilometres(hectometres: i64) -> f64 {
    to_f64(hectometres) / 10.0
}

/// A quantity of a line.
#[expect(clippy::cast_precision_loss, reason = "quantities are small")]
pub const fn to_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
