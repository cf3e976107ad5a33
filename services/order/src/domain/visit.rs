//! Further visits: work that is under way takes the provider more than one appointment.

use super::{
    Action, Actor, Error, Order, OrderChange, SideEffect, Timing, VisitId, records::visit,
    timing::seconds_of,
};
use chrono::{DateTime, Duration, Utc};
use kit::Window;
use serde::{Deserialize, Serialize};

/// The shortest visit.
const SHORTEST: Duration = Duration::minutes(15);
/// The longest one.
const LONGEST: Duration = Duration::hours(24);

/// A further visit to work that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Names it, and the time at provider.
    pub id: VisitId,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Timing {
    /// Refuses a visit that begins in the past or too far ahead, or is too short or too long.
    pub fn check_visit(&self, window: &Window, now: DateTime<Utc>) -> Result<(), Error> {
        let latest = now + seconds_of(self.horizon_s);
        let (field, problem) = if window.start < now || window.start > latest {
            let days = self.horizon_s / 86_400;
            ("window.start", format!("must be at most {days} days from now and not in the past"))
        } else if window.length() < SHORTEST || window.length() > LONGEST {
            ("window.end", "must be 15 minutes to 24 hours after window.start".to_owned())
        } else {
            return Ok(());
        };
        Err(kit::Error::invalid(field, problem).into())
    }
}

impl Order {
    /// When the last appointment for the work ends.
    pub fn last_appointment_ends(&self) -> DateTime<Utc> {
        let visits = self.progress.visits.iter().map(|visit| visit.end);
        visits.fold(self.window_end, DateTime::max)
    }

    /// The visits that are still to come.
    pub fn visits_after(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Visit> {
        self.progress.visits.iter().filter(move |visit| visit.start > now)
    }

    /// When a visit is.
    pub fn window_of_visit(&self, visit: &Visit) -> Window {
        Window { start: visit.start, end: visit.end, ..self.window() }
    }
}

impl OrderChange {
    /// The provider comes again, at a time that provider has confirmed.
    pub fn book_visit(&mut self, visit: &visit::Model) -> Result<(), Error> {
        if self.order.provider_id != Some(visit.provider_id) {
            return Err(Error::Changed);
        }
        self.act(Action::BookVisit, "")?;
        let booked = Visit { id: visit.id, start: visit.starts_at, end: visit.ends_at };
        self.order.progress.visits.push(booked);
        // Work goes on at the visit: it is late after that one only.
        self.order.progress.escalated = false;
        let event = self.publish("order.visit_booked");
        event.addressee = "customer";
        event.visit = Some(booked);
        Ok(())
    }

    /// The provider cannot make a visit that is to come: who was planned for it is gone or may not work, and no other one is
    /// free. The work goes on, and the provider may name another time.
    pub fn lose_visit(&mut self, id: VisitId, cause: &str) {
        let lost = self.order.visits_after(self.now).find(|visit| visit.id == id).copied();
        let Some(visit) = lost else { return };
        self.order.progress.visits.retain(|visit| visit.id != id);
        self.note("visitLost", Actor::System, cause.to_owned());
        self.enqueue(SideEffect::ReleaseVisit { visit: id });
        self.publish("order.visit_lost").visit = Some(visit);
    }
}
