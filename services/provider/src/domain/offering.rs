//! Offerings: what a provider does, for how much and where.

use super::{
    Offering, OfferingId, ProviderId,
    geo::{Bounds, GeoPlace},
};
use chrono::{DateTime, Utc};
use kit::Money;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Skills of an offering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Skills(pub Vec<String>);

/// A rate card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct RateCard(pub Vec<Rate>);

/// One line of a rate card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub code: String,
    /// What is counted.
    pub unit: String,
    /// Price of one unit.
    pub price: Money,
}

/// What an offering says.
#[derive(Clone, Debug)]
pub struct OfferingTerms {
    pub skills: Vec<String>,
    pub rate_card: Vec<Rate>,
    /// Centre of the area.
    pub centre: GeoPlace,
    /// Radius of the area.
    pub radius_km: f64,
}

impl Offering {
    /// A new offering.
    pub fn new(
        id: OfferingId,
        provider_id: ProviderId,
        vertical: String,
        terms: OfferingTerms,
        now: DateTime<Utc>,
    ) -> Self {
        let mut offering = Self {
            id,
            provider_id,
            vertical,
            skills: Skills::default(),
            rate_card: RateCard::default(),
            lat: 0.0,
            lng: 0.0,
            radius_km: 0.0,
            lat_min: 0.0,
            lat_max: 0.0,
            lng_min: 0.0,
            lng_max: 0.0,
            created_at: now,
            updated_at: now,
        };
        offering.replace(terms, now);
        offering
    }

    /// Gives it other terms.
    pub fn replace(&mut self, terms: OfferingTerms, now: DateTime<Utc>) {
        let OfferingTerms { skills, rate_card, centre, radius_km } = terms;
        let Bounds { lat_min, lat_max, lng_min, lng_max } = Bounds::round(centre, radius_km);
        self.skills = Skills(skills);
        self.rate_card = RateCard(rate_card);
        (self.lat, self.lng, self.radius_km) = (centre.lat, centre.lng, radius_km);
        (self.lat_min, self.lat_max) = (lat_min, lat_max);
        (self.lng_min, self.lng_max) = (lng_min, lng_max);
        self.updated_at = now;
    }
}
