//! By when a repairer is to be at work, and whether one was.

use super::{
    Repair,
    details::Urgency,
    tables::{RepairTables, Tempo},
};
use chrono::{DateTime, Duration, Utc};
use kit::Window;
use vertical::Phase;

impl RepairTables {
    /// When a repairer is to be at work: so many hours after the booking, or at the end of the window that the customer
    /// chose where that is later.
    pub fn sla_due_at(
        &self,
        urgency: Urgency,
        booked_at: DateTime<Utc>,
        window: &Window,
    ) -> DateTime<Utc> {
        let Tempo { sla_hours, .. } = self.tempo(urgency);
        (booked_at + Duration::hours(sla_hours)).max(window.end)
    }
}

impl Repair {
    /// When to look whether a repairer is at work, in the phase of its order; none once one is, or was not in time.
    pub fn sla_timer(&self, phase: Phase) -> Option<DateTime<Utc>> {
        let is_awaited = matches!(phase, Phase::Booked | Phase::EnRoute | Phase::AtTheDoor);
        self.sla_due_at.filter(|_| is_awaited && self.sla_missed_at.is_none())
    }

    /// The time is over. True when no repairer is at work, which is noted once.
    pub fn miss_sla(&mut self, phase: Phase, now: DateTime<Utc>) -> bool {
        let is_missed = self.sla_timer(phase).is_some_and(|due| due <= now);
        if is_missed {
            self.sla_missed_at = Some(now);
        }
        is_missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Paris;
    use kit::testing::at;

    #[test]
    fn the_time_runs_from_the_booking_or_to_the_end_of_the_window() {
        let tables = RepairTables::default();
        let booked = at("2027-05-24T08:00:00Z");
        for (urgency, window_hours, due_hours) in [
            (Urgency::Normal, 10, 72),
            (Urgency::Today, 10, 24),
            (Urgency::Urgent, 3, 4),
            // A visit in a week is not late before it.
            (Urgency::Normal, 170, 170),
        ] {
            let end = booked + Duration::hours(window_hours);
            let window = Window { start: end - Duration::minutes(90), end, zone: Paris };
            let due = tables.sla_due_at(urgency, booked, &window);
            assert_eq!((due - booked).num_hours(), due_hours, "{urgency:?} {window_hours}");
        }
    }

    #[test]
    fn it_is_missed_once_and_only_before_the_work() {
        let due = at("2027-05-24T12:00:00Z");
        let mut repair = Repair::begin(None, false);
        assert!(!repair.miss_sla(Phase::Booked, due), "none is promised");
        repair.sla_due_at = Some(due);
        assert!(!repair.miss_sla(Phase::Booked, due - Duration::seconds(1)));
        for phase in [Phase::Working, Phase::Rework, Phase::Delivered, Phase::Ended] {
            assert!(!repair.miss_sla(phase, due), "{phase:?}");
        }
        assert!(repair.miss_sla(Phase::AtTheDoor, due));
        assert_eq!(repair.sla_missed_at, Some(due));
        assert!(!repair.miss_sla(Phase::AtTheDoor, due), "it is told once");
        assert_eq!(repair.sla_timer(Phase::Booked), None);
    }
}
