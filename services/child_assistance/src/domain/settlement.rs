//! Settlement: what care comes to when it is delivered, beside what was quoted. Beyond the cap it is due.

use super::{
    Care,
    price::{AgreedCare, KEY, cost_of, hours, started_minutes, started_quarters},
    tables::CareTerms,
};
use chrono::{DateTime, Duration, Utc};
use kit::{Window, values::money::Currency};
use vertical::price::{Line, Lines};

/// What a delivery comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CareBill {
    /// Lines within the cap.
    pub settlement: Vec<Line>,
    /// Lines beyond it.
    pub due: Vec<Line>,
}

/// The course of the care, as far as its price minds it.
#[derive(Clone, Copy, Debug)]
pub struct CareCourse {
    /// When it was to happen.
    pub window: Window,
    /// When the work began.
    pub started_at: Option<DateTime<Utc>>,
}

impl CareTerms {
    /// What care came to. Who was ill and not taken in pays the least; a carer who came late is paid from the start; a late
    /// pick-up costs the rate at first and more after that.
    pub fn settle(
        &self,
        care: &Care,
        agreed: &AgreedCare,
        course: CareCourse,
        currency: Currency,
    ) -> CareBill {
        let mut bill = Bill {
            room: agreed.room,
            settlement: Lines::new(KEY, currency),
            due: Lines::new(KEY, currency),
        };
        if care.was_refused() {
            let least = cost_of(agreed.rate, self.min_minutes);
            bill.add("refused", 0, (least - agreed.total).min(0));
            return bill.into_care_bill();
        }
        let late_start = course.started_at.filter(|started_at| {
            *started_at - course.window.start > Duration::minutes(self.carer_late_minutes)
        });
        let mut paid_until =
            course.window.end.max(course.window.start + Duration::minutes(agreed.paid_minutes));
        if let Some(started_at) = late_start {
            let shorter = Window { start: started_at.min(course.window.end), ..course.window };
            let minutes = started_quarters(shorter.start, shorter.end);
            let paid = minutes.max(self.min_minutes);
            let night = self.night_minutes(&shorter, minutes);
            let total = cost_of(agreed.rate, paid) + self.night_cost(agreed.rate, night);
            bill.add("carer_late", paid - agreed.paid_minutes, (total - agreed.total).min(0));
            paid_until = course.window.end.max(started_at + Duration::minutes(paid));
        }
        if let Some(out_at) = care.last_out_at() {
            self.add_overtime(&mut bill, agreed.rate, started_minutes(out_at - paid_until));
        }
        bill.into_care_bill()
    }

    /// Adds so many minutes of a late pick-up, by quarters begun.
    fn add_overtime(&self, bill: &mut Bill, rate: i64, minutes: i64) {
        let whole = |minutes: i64| (minutes.max(0) + 14) / 15 * 15;
        let first = whole(minutes.min(self.late_minutes));
        let further = whole(minutes - self.late_minutes);
        bill.add("overtime", first, cost_of(rate, first));
        bill.add("late_overtime", further, self.late_cost(rate, further));
    }
}

/// Lines of which those beyond the cap are due.
struct Bill {
    room: i64,
    settlement: Lines,
    due: Lines,
}

impl Bill {
    /// Adds an amount: as much as there is room for, the rest is due.
    fn add(&mut self, code: &str, minutes: i64, amount: i64) {
        let within = amount.min(self.room);
        if within != 0 {
            self.settlement.add_total(code, hours(minutes), "hour", within);
            self.room -= within;
        }
        if amount > within {
            self.due.add_total(code, hours(minutes), "hour", amount - within);
        }
    }

    fn into_care_bill(self) -> CareBill {
        CareBill { settlement: self.settlement.into_vec(), due: self.due.into_vec() }
    }
}

#[cfg(test)]
mod tests;
