//! Quotes: what a price is made of, and what binds it to its inputs.

use super::{
    Address, Error, JobDetails, OrderId, PriceLine, ProviderId, Quote, Requirements, Timing,
    timing::seconds_of,
};
use chrono::{DateTime, Utc};
use kit::{Window, values::money::Currency};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A finished order whose work another one makes good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentOrder {
    pub order_id: OrderId,
    /// The first order of the chain of recalls.
    pub root_order_id: OrderId,
    /// When the work of the first order was accepted.
    pub root_completed_at: DateTime<Utc>,
}

/// The sum of a price's lines. A price is in one currency and not negative.
pub fn total_price(lines: &[(PriceLine, Currency)]) -> Result<(i64, Currency), Error> {
    let currency = lines.first().map_or(Currency::EUR, |(_, currency)| *currency);
    if lines.iter().any(|(_, other)| *other != currency) {
        return Err(kit::Error::internal("the price mixes currencies").into());
    }
    let sum = lines.iter().try_fold(0_i64, |sum, (line, _)| sum.checked_add(line.total));
    match sum {
        Some(total) if total >= 0 => Ok((total, currency)),
        _ => Err(kit::Error::internal("the price is out of range").into()),
    }
}

/// Takes a part with its length, so that no two lists of parts are the same bytes.
fn hash_part(hash: &mut Sha256, part: &[u8]) {
    hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
    hash.update(part);
}

/// What a price is computed from.
#[derive(Clone, Copy, Debug)]
pub struct PriceInputs<'a> {
    pub vertical: &'a str,
    pub details: &'a JobDetails,
    pub window: &'a Window,
    pub place: &'a Address,
    pub provider: Option<ProviderId>,
    /// Whether the nearest provider comes as soon as possible.
    pub asap: bool,
    /// The order whose work is made good.
    pub parent: Option<OrderId>,
}

/// Binds a price to all it was computed from.
pub fn inputs_hash(inputs: &PriceInputs<'_>) -> Vec<u8> {
    let PriceInputs { vertical, details, window, place, provider, asap, parent } = inputs;
    let mut hash = Sha256::new();
    hash_part(&mut hash, vertical.as_bytes());
    hash_part(&mut hash, &details.0);
    hash_part(&mut hash, &window.start.timestamp_micros().to_be_bytes());
    hash_part(&mut hash, &window.end.timestamp_micros().to_be_bytes());
    hash_part(&mut hash, window.zone.name().as_bytes());
    for text in place.lines.iter().chain([&place.postcode, &place.city, &place.country]) {
        hash_part(&mut hash, text.as_bytes());
    }
    hash_part(&mut hash, &place.lat.to_be_bytes());
    hash_part(&mut hash, &place.lng.to_be_bytes());
    hash_part(&mut hash, provider.map(|id| id.to_string()).unwrap_or_default().as_bytes());
    hash_part(&mut hash, &[u8::from(*asap)]);
    hash_part(&mut hash, parent.map(|id| id.to_string()).unwrap_or_default().as_bytes());
    hash.finalize().to_vec()
}

impl Requirements {
    /// Refuses a window that is shorter than the work, or much longer: another job must not fit into the first, and a
    /// provider is not kept for a week by two hours of work.
    pub fn check_window(&self, window: &Window, timing: &Timing) -> Result<(), Error> {
        if self.duration_s <= 0 {
            let problem = "the vertical does not say how long the work takes";
            return Err(kit::Error::internal(problem).into());
        }
        let shortest = seconds_of(self.duration_s);
        let longest = seconds_of(self.duration_s * timing.window_percent.clamp(100, 1000) / 100);
        if (shortest..=longest).contains(&window.length()) {
            return Ok(());
        }
        let work = (shortest.num_seconds() + 59) / 60;
        let problem = format!(
            "must be {work} to {} minutes after window.start, as the work takes {work} minutes",
            longest.num_minutes()
        );
        Err(kit::Error::invalid("window.end", problem).into())
    }
}

impl Requirements {
    /// The window from the same start that fits the work and is as long as `window`, or as close to that as can be.
    pub fn fit_window(&self, window: &Window, timing: &Timing) -> Window {
        let shortest = seconds_of(self.duration_s);
        let longest = seconds_of(self.duration_s * timing.window_percent.clamp(100, 1000) / 100);
        let length = window.length().clamp(shortest, longest.max(shortest));
        Window { end: window.start + length, ..*window }
    }
}

impl Quote {
    /// When the work shall happen.
    pub fn window(&self) -> Window {
        Window {
            start: self.window_start,
            end: self.window_end,
            zone: self.time_zone.parse().unwrap_or(chrono_tz_utc()),
        }
    }
}

/// Rows hold zones that were read as such.
pub(crate) const fn chrono_tz_utc() -> chrono_tz::Tz {
    chrono_tz::Tz::UTC
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;
    use kit::testing::start;
    use std::collections::BTreeSet;

    #[test]
    fn every_input_changes_the_hash() {
        let place = Address {
            lines: vec!["1 rue de la Paix".to_owned()],
            postcode: "75002".to_owned(),
            city: "Paris".to_owned(),
            country: "FR".to_owned(),
            lat: 48.86,
            lng: 2.34,
            access_notes: String::new(),
        };
        let elsewhere = Address { lng: 2.35, ..place.clone() };
        let window =
            Window { start: start(), end: start() + Duration::hours(1), zone: chrono_tz_utc() };
        let later = Window { end: start() + Duration::hours(2), ..window };
        let (details, others) = (JobDetails(vec![1]), JobDetails(vec![2]));
        let base = PriceInputs {
            vertical: "cleaning",
            details: &details,
            window: &window,
            place: &place,
            provider: None,
            asap: false,
            parent: None,
        };
        let id = uuid::Uuid::from_u128(1);
        let all = [
            base,
            PriceInputs { vertical: "transport", ..base },
            PriceInputs { details: &others, ..base },
            PriceInputs { window: &later, ..base },
            PriceInputs { place: &elsewhere, ..base },
            PriceInputs { provider: Some(ProviderId::from_uuid(id)), ..base },
            PriceInputs { asap: true, ..base },
            PriceInputs { parent: Some(OrderId::from_uuid(id)), ..base },
        ];
        let hashes: BTreeSet<Vec<u8>> = all.iter().map(inputs_hash).collect();
        assert_eq!(hashes.len(), all.len());
    }
}
