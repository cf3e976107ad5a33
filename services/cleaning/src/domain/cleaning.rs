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

/// How much earlier than the visit the provider may try to reach the customer.
const EARLY: Duration = Duration::hours(1);
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
    pub channel: String,
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

/// What an order says of itself when it moves.
#[derive(Clone, Debug)]
pub struct Move {
    pub order_id: Uuid,
    /// Number of the state it leaves; 0 for a new order.
    pub from: i32,
    /// Number of the state it enters.
    pub state: i32,
    /// The phase it enters.
    pub phase: Phase,
    pub customer_id: Option<Uuid>,
    /// The assigned provider's account.
    pub provider_user_id: Option<Uuid>,
    /// What it was priced on, as stored and as read.
    pub details: Option<(Vec<u8>, Details)>,
    /// When the work happens.
    pub window: Option<Window>,
}

/// The date of a visit on the clock of its place.
pub fn visit_on(window: &Window) -> NaiveDate {
    window.start.with_timezone(&window.zone).date_naive()
}

impl Cleaning {
    /// The cleaning of an order that is met for the first time.
    pub fn begin(moved: Move, now: DateTime<Utc>) -> Result<Self, Error> {
        let missing = |field: &'static str| Error::invalid(field, "must be given");
        let Move {
            order_id,
            from: _,
            state,
            phase,
            customer_id,
            provider_user_id,
            details,
            window,
        } = moved;
        let (details, read) = details.ok_or_else(|| missing("details"))?;
        let window = window.ok_or_else(|| missing("window"))?;
        Ok(Self {
            order_id,
            customer_id: customer_id.ok_or_else(|| missing("customer_id"))?,
            provider_user_id,
            state,
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

    /// Follows an order. The codes of what speaks against the move; nothing means it is allowed. Saying it again
    /// changes nothing, nor does a move that is told after a later one.
    pub fn follow(&mut self, moved: Move, leaves: Phase) -> Vec<&'static str> {
        let Move {
            order_id: _,
            from,
            state,
            phase,
            customer_id,
            provider_user_id,
            details,
            window,
        } = moved;
        if phase == Phase::Done && leaves != Phase::Done && !self.checklist.is_complete() {
            return vec![missing::CHECKLIST];
        }
        // The numbers of states follow the life of an order: only a move out of the state on record leads back.
        if from != self.state && state < self.state {
            return Vec::new();
        }
        if phase == Phase::Rework && self.state != state {
            self.recleans += 1;
            self.checklist.reopen();
        }
        self.state = state;
        self.visited |= phase == Phase::Done;
        if let Some(customer_id) = customer_id {
            self.customer_id = customer_id;
        }
        self.provider_user_id = provider_user_id;
        if let Some((bytes, details)) = details
            && bytes != self.details
        {
            self.checklist = self.checklist.changed_to(&details);
            self.details = bytes;
        }
        if let Some(window) = window {
            self.starts_at = window.start;
            self.ends_at = window.end;
            self.time_zone = window.zone.name().to_owned();
            self.visit_on = visit_on(&window);
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

    /// Notes that the provider was not let in. False when it was noted before.
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
            if attempt.at < self.starts_at - EARLY {
                return refused("must not be more than an hour before the visit");
            }
            if attempts.iter().take(index).any(|other| other.at == attempt.at) {
                return refused("is there twice");
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
