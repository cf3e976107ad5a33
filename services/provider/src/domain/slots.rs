//! Slots: the times at which customers may book.

use super::{ProviderId, Span};
use chrono::{DateTime, Duration, DurationRound, Timelike, Utc};
use chrono_tz::Tz;

/// What slots are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Where to look; nothing starts before it begins.
    pub between: Span,
    /// How long the work takes.
    pub length: Duration,
    /// Time to keep free on both sides of the work.
    pub buffer: Duration,
    /// Slots begin at multiples of this on the local clock; divides an hour.
    pub step: Duration,
    /// Most slots to return.
    pub most: usize,
    /// Zone of the place, whose clock counts; without a place that of each provider's hours counts.
    pub zone: Option<Tz>,
}

/// Who is free at a time, best first, and the zone of the place, or else of the best one's hours.
#[derive(Clone, Debug)]
pub struct Free {
    pub zone: Tz,
    pub providers: Vec<ProviderId>,
}

/// The starts of work that lie in `open` and keep clear of `busy`, in order.
pub fn slot_starts(open: &[Span], busy: &[Span], zone: Tz, wish: &Wish) -> Vec<DateTime<Utc>> {
    let mut starts = Vec::new();
    for span in open {
        let mut next = on_the_grid(span.start.max(wish.between.start), zone, wish.step);
        let last = span.end.min(wish.between.end) - wish.length;
        while next <= last && starts.len() < wish.most {
            let needed = Span { start: next - wish.buffer, end: next + wish.length + wish.buffer };
            if !busy.iter().any(|taken| taken.overlaps(&needed)) {
                starts.push(next);
            }
            next = on_the_grid(next + wish.step, zone, wish.step);
        }
    }
    starts
}

/// The first moment at or after `at` that is a multiple of `step` on the clock of `zone`.
fn on_the_grid(at: DateTime<Utc>, zone: Tz, step: Duration) -> DateTime<Utc> {
    let minute = at.duration_trunc(Duration::minutes(1)).unwrap_or(at);
    let whole = if minute < at { minute + Duration::minutes(1) } else { minute };
    let local = whole.with_timezone(&zone);
    let over = i64::from(local.hour() * 60 + local.minute()) % step.num_minutes().max(1);
    if over == 0 { whole } else { whole + Duration::minutes(step.num_minutes() - over) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Asia::Kathmandu, Europe::Paris};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn span(start: &str, end: &str) -> Span {
        Span { start: at(start), end: at(end) }
    }

    fn wish() -> Wish {
        Wish {
            between: span("2027-05-24T06:00:00Z", "2027-05-24T12:00:00Z"),
            length: Duration::hours(2),
            buffer: Duration::minutes(15),
            step: Duration::minutes(30),
            most: 100,
            zone: None,
        }
    }

    #[test]
    fn slots_keep_clear_of_what_is_taken() {
        let open = [span("2027-05-24T07:10:00Z", "2027-05-24T12:00:00Z")];
        let all = slot_starts(&open, &[], Paris, &wish());
        assert_eq!(all.first(), Some(&at("2027-05-24T07:30:00Z")));
        assert_eq!(all.last(), Some(&at("2027-05-24T10:00:00Z")));
        assert_eq!(all.len(), 6);
        let busy = [span("2027-05-24T09:30:00Z", "2027-05-24T09:45:00Z")];
        assert_eq!(slot_starts(&open, &busy, Paris, &wish()), [at("2027-05-24T10:00:00Z")]);
        assert_eq!(slot_starts(&open, &[], Paris, &Wish { most: 2, ..wish() }).len(), 2);
    }

    #[test]
    fn slots_follow_the_local_clock() {
        let open = [span("2027-05-24T06:00:00Z", "2027-05-24T09:00:00Z")];
        let first = slot_starts(&open, &[], Kathmandu, &wish())[0];
        assert_eq!(first, at("2027-05-24T06:15:00Z"), "noon in Kathmandu");
    }
}
