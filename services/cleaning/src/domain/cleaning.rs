//! The cleaning of an order: how it goes.

use super::{
    Cleaning, Details, Error,
    checklist::{Checklist, Tick},
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use kit::Window;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Time between two tries to reach the customer.
const MINUTES_APART: i64 = 5;
/// Tries to reach the customer before a closed door counts.
const ATTEMPTS_LEAST: usize = 2;

/// Where an order stands, as far as a cleaning minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The provider is not there yet.
    Booked,
    /// The provider is at the door.
    AtTheDoor,
    /// The work is going on.
    Working,
    /// The customer asked for rework.
    Rework,
    /// The provider says the work is done.
    Done,
    /// It will not be done.
    Off,
}

/// A try to reach the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How.
    pub channel: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Tries to reach the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Attempts(pub Vec<Attempt>);

/// What is missing before a cleaning may be delivered.
pub mod missing {
    /// Something on the checklist.
    pub const CHECKLIST: &str = "checklist.incomplete";
    /// A photo from before the work.
    pub const BEFORE: &str = "photo.before";
    /// A photo from after the work.
    pub const AFTER: &str = "photo.after";
}

/// An order at one of its versions. Its details are personal: it is never printed.
#[derive(Clone)]
pub struct OrderSnapshot {
    /// The order.
    pub order_id: Uuid,
    /// Its version.
    pub version: i64,
    /// Number of its state.
    pub state: i32,
    /// The phase of its state.
    pub phase: Phase,
    /// The customer.
    pub customer_id: Uuid,
    /// The assigned provider's account.
    pub provider_user_id: Option<Uuid>,
    /// What it was priced on, as stored and as read; none once the order is erased.
    pub details: Option<(Vec<u8>, Details)>,
    /// When the work happens.
    pub window: Window,
    /// When it was delivered last.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// The date of a visit on the clock of its place.
pub fn visit_on(window: &Window) -> NaiveDate {
    window.start.with_timezone(&window.zone).date_naive()
}

impl Cleaning {
    /// The cleaning of an order that is met for the first time; none for an erased order.
    pub fn begin(order: OrderSnapshot, now: DateTime<Utc>) -> Option<Self> {
        let OrderSnapshot {
            order_id,
            version,
            state,
            phase,
            customer_id,
            provider_user_id,
            details,
            window,
            delivered_at,
        } = order;
        let (details, read) = details?;
        Some(Self {
            order_id,
            customer_id,
            provider_user_id,
            order_version: version,
            state,
            delivered_at,
            details,
            starts_at: window.start,
            ends_at: window.end,
            time_zone: window.zone.name().to_owned(),
            visit_on: visit_on(&window),
            visited: phase == Phase::Done,
            checklist: Checklist::of(&read),
            recleans: 0,
            access_failed_at: None,
            contact_attempts: Attempts::default(),
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        })
    }

    /// Follows an order to one of its versions; `phase` is the one of the version on record. False when the record is of
    /// that version or a later one, and stays as it is.
    pub fn follow(&mut self, order: OrderSnapshot, phase: Phase) -> bool {
        if order.version <= self.order_version {
            return false;
        }
        if order.phase == Phase::Rework && !self.knows_rework(&order, phase) {
            self.recleans += 1;
            self.checklist.reopen();
        }
        self.order_version = order.version;
        self.state = order.state;
        self.delivered_at = order.delivered_at;
        self.visited |= order.phase == Phase::Done;
        self.customer_id = order.customer_id;
        self.provider_user_id = order.provider_user_id;
        match order.details {
            None => self.forget(),
            Some((bytes, _)) if bytes == self.details => {}
            Some((bytes, details)) => {
                self.checklist = self.checklist.changed_to(&details);
                self.details = bytes;
            }
        }
        let Window { start, end, zone } = order.window;
        self.starts_at = start;
        self.ends_at = end;
        self.time_zone = zone.name().to_owned();
        self.visit_on = visit_on(&order.window);
        true
    }

    /// Whether the rework that an order is in is the one on record. One that follows another delivery is not, even where
    /// the vertical was not told of that delivery.
    fn knows_rework(&self, order: &OrderSnapshot, phase: Phase) -> bool {
        let same_delivery = self.delivered_at.is_none() || self.delivered_at == order.delivered_at;
        phase == Phase::Rework && same_delivery
    }

    /// Forgets what people wrote: the order is erased.
    fn forget(&mut self) {
        self.details.clear();
        for item in &mut self.checklist.0 {
            item.note.clear();
        }
    }

    /// What speaks against the order's entering a phase.
    pub fn denials(&self, to: Phase) -> Vec<&'static str> {
        if to == Phase::Done && !self.checklist.is_complete() {
            return vec![missing::CHECKLIST];
        }
        Vec::new()
    }

    /// Ticks items off or opens them again.
    pub fn tick(
        &mut self,
        ticks: Vec<Tick>,
        phase: Phase,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        match phase {
            Phase::Working | Phase::Rework => {}
            Phase::Booked | Phase::AtTheDoor => {
                return Err(Error::OrderState("the work has not begun"));
            }
            Phase::Done | Phase::Off => return Err(Error::OrderState("the work is over")),
        }
        for (index, Tick { code, done, note }) in ticks.into_iter().enumerate() {
            let item = self.checklist.item_mut(&code).ok_or_else(|| {
                Error::invalid(format!("items[{index}].code"), "is not on the checklist")
            })?;
            item.done_at = match done {
                true => item.done_at.or(Some(now)),
                false => None,
            };
            if let Some(note) = note {
                item.note = note;
            }
        }
        Ok(())
    }

    /// Notes that nobody let the provider in. False when it was noted before.
    pub fn fail_access(
        &mut self,
        attempts: Vec<Attempt>,
        phase: Phase,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        if self.access_failed_at.is_some() {
            return Ok(false);
        }
        if phase != Phase::AtTheDoor {
            return Err(Error::OrderState("the provider is not at the door"));
        }
        if attempts.len() < ATTEMPTS_LEAST {
            return Err(Error::invalid("contact_attempts", "must be two at least"));
        }
        for (index, attempt) in attempts.iter().enumerate() {
            let refused = |problem: &str| {
                Err(Error::invalid(format!("contact_attempts[{index}].at"), problem))
            };
            if attempt.at > now {
                return refused("must not be in the future");
            }
            if attempt.at < self.starts_at {
                return refused("must not be before the visit");
            }
            let apart = |other: &Attempt| (attempt.at - other.at).abs();
            let gap = Duration::minutes(MINUTES_APART);
            if attempts.iter().take(index).any(|other| apart(other) < gap) {
                return refused("must be five minutes or more from every other one");
            }
        }
        self.access_failed_at = Some(now);
        self.contact_attempts = Attempts(attempts);
        Ok(true)
    }

    /// What is missing before the work may be delivered, given the kinds of proof on file.
    pub fn missing(&self, proof_kinds: &[String]) -> Vec<&'static str> {
        let has = |kind: &str| proof_kinds.iter().any(|proof| proof == kind);
        let checks = [
            (missing::CHECKLIST, self.checklist.is_complete()),
            (missing::BEFORE, has(missing::BEFORE)),
            (missing::AFTER, has(missing::AFTER)),
        ];
        checks.into_iter().filter(|(_, there)| !there).map(|(code, _)| code).collect()
    }
}
