//! A job: an order as its vertical knows it.

use super::{
    access::Attempts, error::Error, facts::OrderFacts, phase::Phase, place::Place,
    record::Model as OrderRecord,
};
use chrono::{DateTime, Duration, Utc};
use kit::Window;
use std::fmt;
use uuid::Uuid;

/// Seconds for which an open gate, or the word that an order may end, keeps the record as it is, unless the vertical is told of
/// the order before.
const LOCK_S: i64 = 60;

/// What every vertical keeps about an order, and what this one keeps of its own.
#[derive(Clone, PartialEq)]
pub struct Job<O> {
    /// What every vertical keeps about it.
    pub order: OrderRecord,
    /// What the vertical keeps of its own. The record's own column is written from it.
    pub own: O,
}

impl<O> fmt::Debug for Job<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.order.fmt(f)
    }
}

/// An order at one of its versions. Its details are personal: it is never printed.
#[derive(Clone)]
pub struct OrderSnapshot {
    /// Which order it is.
    pub order_id: Uuid,
    /// Counts the changes of the order: of two snapshots the one with the higher version holds.
    pub version: i64,
    /// Number of its state.
    pub state: i32,
    /// The phase of its state.
    pub phase: Phase,
    /// The customer's account.
    pub customer_id: Uuid,
    /// The assigned provider's account.
    pub provider_user_id: Option<Uuid>,
    /// The details message that it was priced on, as bytes; none once the order is erased.
    pub details: Option<Vec<u8>>,
    /// When the work happens.
    pub window: Window,
    /// Where the work happens; none once the order is erased.
    pub place: Option<Place>,
    /// When it was delivered last.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether the account of the provider who did the work is erased.
    pub provider_erased: bool,
    /// What else the order says of itself.
    pub facts: OrderFacts,
}

/// What a later version of an order means for what a vertical keeps of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The order was priced on other details.
    pub details_changed: bool,
    /// The phase that the order has entered, if it is another one. Rework is entered anew by each request for it.
    pub entered: Option<Phase>,
    /// The account of the customer, or of the provider who did the work, is erased.
    pub erased: bool,
}

impl OrderRecord {
    /// The record of an order that is met for the first time; none of an erased one.
    pub fn begin(order: &OrderSnapshot, now: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            order_id: order.order_id,
            customer_id: order.customer_id,
            provider_user_id: order.provider_user_id,
            order_version: order.version,
            state: order.state,
            delivered_at: order.delivered_at,
            delivered: order.phase == Phase::Delivered,
            details: order.details.clone()?,
            starts_at: order.window.start,
            ends_at: order.window.end,
            time_zone: order.window.zone.name().to_owned(),
            lat: order.place.map(|place| place.lat),
            lng: order.place.map(|place| place.lng),
            reworks: i32::from(order.phase == Phase::Rework),
            facts: order.facts.clone(),
            locked_until: None,
            access_failed_at: None,
            contact_attempts: Attempts::default(),
            own: serde_json::Value::Null,
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        })
    }

    /// Follows an order to one of its versions; `phase` is the one of the version on record. None when the record is of
    /// that version or a later one, and stays as it is.
    pub fn follow(&mut self, order: OrderSnapshot, phase: Phase) -> Option<News> {
        if order.version <= self.order_version {
            return None;
        }
        let again = order.phase == Phase::Rework && !self.knows_rework(&order, phase);
        let news = News {
            details_changed: order.details.as_ref().is_some_and(|bytes| *bytes != self.details),
            entered: (again || order.phase != phase).then_some(order.phase),
            erased: order.details.is_none() || order.provider_erased,
        };
        self.reworks += i32::from(again);
        self.order_version = order.version;
        self.state = order.state;
        self.delivered_at = order.delivered_at;
        self.delivered |= order.phase == Phase::Delivered;
        self.customer_id = order.customer_id;
        self.provider_user_id = order.provider_user_id;
        self.details = order.details.unwrap_or_default();
        let Window { start, end, zone } = order.window;
        self.starts_at = start;
        self.ends_at = end;
        self.time_zone = zone.name().to_owned();
        self.lat = order.place.map(|place| place.lat);
        self.lng = order.place.map(|place| place.lng);
        self.facts = order.facts;
        self.locked_until = None;
        Some(news)
    }

    /// Forgets what it knew of an order at this version or a later one, so that it follows the order to where a restore has
    /// put it. An order at a later version than the one on record is followed in any case.
    pub fn forget_version(&mut self, order: &OrderSnapshot) {
        self.order_version = self.order_version.min(order.version - 1);
    }

    /// Whether the rework that an order is in is the one on record. One that follows another delivery is not, even where
    /// the vertical was not told of that delivery.
    fn knows_rework(&self, order: &OrderSnapshot, phase: Phase) -> bool {
        let same_delivery = self.delivered_at.is_none() || self.delivered_at == order.delivered_at;
        phase == Phase::Rework && same_delivery
    }

    /// Where the work happens, as far as that is known.
    pub fn place(&self) -> Option<Place> {
        let (lat, lng) = (self.lat?, self.lng?);
        Some(Place { lat, lng })
    }

    /// When the work happens, on the clock of its place.
    pub fn window(&self) -> Window {
        let zone = self.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
        Window { start: self.starts_at, end: self.ends_at, zone }
    }
}

impl<O> Job<O> {
    /// Refuses what is done in the course of the work while none is going on, and while its delivery or its end is being
    /// written.
    pub fn check_working(&self, now: DateTime<Utc>) -> Result<(), Error> {
        match self.phase() {
            Phase::Working | Phase::Rework => self.order.check_unlocked(now),
            Phase::Booked | Phase::EnRoute | Phase::AtTheDoor => {
                Err(Error::OrderState("the work has not begun"))
            }
            Phase::Delivered | Phase::Ended => Err(Error::OrderState("the work is over")),
        }
    }
}

impl OrderRecord {
    /// Locks the record: the delivery or the end of the order may be written on what the vertical has seen.
    pub fn lock(&mut self, now: DateTime<Utc>) {
        self.locked_until = Some(now + Duration::seconds(LOCK_S));
    }

    /// Refuses what could change the vertical's answer while the delivery or the end is being written.
    pub fn check_unlocked(&self, now: DateTime<Utc>) -> Result<(), Error> {
        match self.locked_until {
            Some(until) if now < until => Err(Error::DeliveryBegun),
            _ => Ok(()),
        }
    }
}
