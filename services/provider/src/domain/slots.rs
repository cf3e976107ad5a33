//! Slots: the times at which customers may book.

use super::{ProviderId, Span, reservation::JobRequest, standing::Standing};
use chrono::{DateTime, Duration, DurationRound, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use kit::Window;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Most providers that a slot names.
const MAX_NAMED: usize = 20;

/// What slots are asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where to look; nothing starts before it begins.
    pub between: Span,
    /// How long the work takes.
    pub length: Duration,
    /// Slots begin at multiples of this on the local clock; divides an hour.
    pub step: Duration,
    /// Most slots to return.
    pub most: usize,
    /// Zone of the place, whose clock counts; without a place that of each provider's hours counts.
    pub zone: Option<Tz>,
    /// The work, whenever it is.
    pub job: JobRequest,
    /// The customer's account, when it is known.
    pub customer: Option<Uuid>,
}

impl Wish {
    /// The zone of the clock that counts for a provider.
    fn zone_for(&self, standing: &Standing) -> Tz {
        self.zone.unwrap_or(standing.calendar.zone)
    }

    fn window_at(&self, start: DateTime<Utc>, zone: Tz) -> Window {
        Window { start, end: start + self.length, zone }
    }
}

/// Who is free at a time, best first, and the zone of the place, or else of the best one's hours.
#[derive(Clone, Debug)]
pub struct Free {
    pub zone: Tz,
    pub providers: Vec<ProviderId>,
}

/// Time that is taken of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub resource: Uuid,
    pub span: Span,
}

/// Whether enough of the provider's people and vehicles are free for the job.
pub fn has_free_resources(standing: &Standing, job: &JobRequest, taken: &[Taken]) -> bool {
    let busy = job.busy();
    let taken = taken.iter().filter(|it| it.span.overlaps(&busy)).map(|it| it.resource);
    standing.choose_resources(job, &taken.collect(), Uuid::nil()).is_some()
}

/// The slots of an answer as they are found, from one provider after the other, the best one first.
pub struct Slots {
    wish: Wish,
    free: BTreeMap<DateTime<Utc>, Free>,
    /// Starts at which no provider is known to be free.
    undecided: BTreeSet<DateTime<Utc>>,
}

impl Slots {
    /// An empty answer. Without a place, `zones` are those of the hours of everyone who may be asked: a start counts as
    /// undecided when the clock of one of them shows a multiple of the step.
    pub fn new(wish: Wish, zones: &[Tz]) -> Self {
        let whole = [wish.between];
        let all = Wish { most: usize::MAX, ..wish.clone() };
        let zones = wish.zone.as_ref().map_or(zones, std::slice::from_ref);
        let starts = zones.iter().flat_map(|zone| slot_starts(&whole, &[], *zone, &all));
        Self { undecided: starts.collect(), wish, free: BTreeMap::new() }
    }

    /// The time that is not decided yet, the work and what is kept free around it included; none when all is.
    pub fn undecided(&self) -> Option<Span> {
        let (first, last) = (self.undecided.first()?, self.undecided.last()?);
        let works = Span { start: *first, end: *last + self.wish.length };
        Some(self.wish.job.busy_around(works))
    }

    /// Whether somebody who works in these spans could be free at a start that is not decided yet.
    pub fn could_decide(&self, open: &[Span]) -> bool {
        open.iter().any(|span| {
            let start = self.undecided.range(span.start..).next();
            start.is_some_and(|start| *start + self.wish.length <= span.end)
        })
    }

    /// Adds the starts at which a provider can be booked, of whom `taken` time is not free: judged on each date by the rule
    /// by which a hold is judged.
    pub fn add(&mut self, standing: &Standing, taken: &[Taken]) {
        let zone = self.wish.zone_for(standing);
        let profile_only = standing.gives_profile_only(&self.wish.job);
        let of_profile = taken.iter().filter(|it| it.resource == standing.provider_id.uuid());
        let busy: Vec<Span> = match profile_only {
            true => of_profile.map(|it| it.span).collect(),
            false => Vec::new(),
        };
        let open = standing.open(&self.wish.between);
        let mut judged: HashMap<(NaiveDate, NaiveDate), bool> = HashMap::new();
        for start in slot_starts(&open, &busy, zone, &self.wish) {
            if self.free.get(&start).is_some_and(|free| free.providers.len() >= MAX_NAMED) {
                continue;
            }
            let job = self.wish.job.moved_to(self.wish.window_at(start, zone));
            let is_eligible = judged
                .entry(job.dates())
                .or_insert_with(|| standing.objections(&job, self.wish.customer).is_empty());
            if *is_eligible && (profile_only || has_free_resources(standing, &job, taken)) {
                self.undecided.remove(&start);
                let free = self.free.entry(start).or_insert(Free { zone, providers: Vec::new() });
                free.providers.push(standing.provider_id);
            }
        }
        self.forget_later();
    }

    /// Once the answer is full, starts after its last one do not matter.
    fn forget_later(&mut self) {
        if let Some((first_left_out, _)) = self.free.iter().nth(self.wish.most) {
            let first_left_out = *first_left_out;
            self.free.split_off(&first_left_out);
            self.undecided.split_off(&first_left_out);
        }
    }

    /// What was found: windows of the work, and who is free.
    pub fn into_found(self) -> Vec<(Window, Vec<ProviderId>)> {
        let Self { wish, free, .. } = self;
        free.into_iter()
            .take(wish.most)
            .map(|(start, Free { zone, providers })| (wish.window_at(start, zone), providers))
            .collect()
    }
}

/// The starts of work that lie in `open` and keep clear of `busy`, in order.
pub fn slot_starts(open: &[Span], busy: &[Span], zone: Tz, wish: &Wish) -> Vec<DateTime<Utc>> {
    let mut starts = Vec::new();
    for span in open {
        let mut next = on_the_grid(span.start.max(wish.between.start), zone, wish.step);
        let last = span.end.min(wish.between.end) - wish.length;
        while next <= last && starts.len() < wish.most {
            let needed = wish.job.busy_around(Span { start: next, end: next + wish.length });
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
            step: Duration::minutes(30),
            most: 100,
            zone: None,
            job: JobRequest {
                vertical: "cleaning".to_owned(),
                window: Window {
                    start: at("2027-05-24T06:00:00Z"),
                    end: at("2027-05-24T08:00:00Z"),
                    zone: Paris,
                },
                buffer_before_s: 900,
                buffer_after_s: 900,
                skills: Vec::new(),
                preferred_skills: Vec::new(),
                documents: Vec::new(),
                place: None,
                country: None,
                needs: crate::domain::crew::Needs::default(),
            },
            customer: None,
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
    fn without_a_place_the_grids_of_all_zones_are_asked_for() {
        let hours = [span("2027-05-24T06:15:00Z", "2027-05-24T08:15:00Z")];
        let wish = Wish { step: Duration::hours(1), ..wish() };
        let slots = Slots::new(wish.clone(), &[Paris, Kathmandu]);
        assert!(slots.could_decide(&hours), "noon in Kathmandu is 06:15 UTC");
        assert!(!Slots::new(wish, &[Paris]).could_decide(&hours));
    }

    #[test]
    fn slots_follow_the_local_clock() {
        let open = [span("2027-05-24T06:00:00Z", "2027-05-24T09:00:00Z")];
        let first = slot_starts(&open, &[], Kathmandu, &wish())[0];
        assert_eq!(first, at("2027-05-24T06:15:00Z"), "noon in Kathmandu");
    }
}
