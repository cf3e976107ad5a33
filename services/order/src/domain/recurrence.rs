//! When a series recurs: the part of RFC 5545 that can be booked, checked here and expanded by the crate `rrule`.
//!
//! Only dates are expanded, since a visit keeps its local time whatever the clocks do: the time of day is added by
//! [`kit::values::time::resolve_local`].

use super::Error;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc, Weekday};
use rrule::{NWeekday, RRule, RRuleSet, Tz};
use std::fmt;

/// Most steps from one visit to the next.
const MAX_INTERVAL: u16 = 52;
/// Most visits that a rule counts.
const MAX_COUNT: u32 = 520;
/// How many years after its first date a rule may end.
const MAX_YEARS: i32 = 20;
/// Last day of the month that every month has.
const LAST_SAFE_DAY: i8 = 28;
/// Stands for the last day of a month, however long the month is.
const LAST_DAY: i8 = -1;
/// Most dates that are asked for at a time.
const MAX_DATES: u16 = 4_000;
const DAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

/// How often a series recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleFrequency {
    Daily,
    Weekly,
    Monthly,
}

/// A day of the week; in a month the nth one, from its end where the number is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Day {
    nth: Option<i16>,
    weekday: Weekday,
}

/// A rule that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    frequency: RuleFrequency,
    interval: u16,
    days: Vec<Day>,
    month_days: Vec<i8>,
    count: Option<u32>,
    until: Option<NaiveDate>,
    week_start: Option<Weekday>,
}

impl Rule {
    /// Reads a rule such as `FREQ=WEEKLY;INTERVAL=2;BYDAY=TU`. What cannot be booked is refused, and the refusal says why.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        parse_rule(text).map_err(|problem| kit::Error::invalid(field, problem).into())
    }

    /// The dates of the rule from `from` to `to`, both included, when `anchor` is its first date. This is the only place
    /// that knows the crate `rrule`: it expands midnights of UTC, so that no zone shifts a date.
    pub fn dates(&self, anchor: NaiveDate, from: NaiveDate, to: NaiveDate) -> Vec<NaiveDate> {
        self.first_dates(anchor, from, to, MAX_DATES)
    }

    /// The first `limit` of these dates. Every step from the anchor on is counted, so that it costs what the time from the
    /// anchor to the last date is long: one expansion serves for all dates that are wanted.
    pub fn first_dates(
        &self,
        anchor: NaiveDate,
        from: NaiveDate,
        to: NaiveDate,
        limit: u16,
    ) -> Vec<NaiveDate> {
        if to < from.max(anchor) {
            return Vec::new();
        }
        #[cfg(test)]
        EXPANSIONS.with(|count| count.set(count.get() + 1));
        let start = midnight(anchor);
        let expanded = self.unchecked().validate(start).map(|rule| {
            let dates = RRuleSet::new(start).rrule(rule);
            dates.after(midnight(from.max(anchor))).before(midnight(to)).all(limit)
        });
        match expanded {
            Ok(found) => found.dates.iter().map(DateTime::date_naive).collect(),
            Err(error) => {
                tracing::error!(%error, rule = %self, "a rule that was checked cannot be expanded, nothing is booked by it");
                Vec::new()
            }
        }
    }

    /// Refuses a first date that the rule does not have: the others are counted from it.
    pub fn check_anchor(&self, field: &str, anchor: NaiveDate) -> Result<(), Error> {
        let needs_day = self.frequency == RuleFrequency::Monthly && self.days.is_empty();
        if needs_day
            && self.month_days.is_empty()
            && anchor.day() > LAST_SAFE_DAY.unsigned_abs().into()
        {
            let problem = "must be at most the 28th of the month, or the rule say BYMONTHDAY=-1 for the last day";
            return Err(kit::Error::invalid(field, problem).into());
        }
        if self.until.is_some_and(|until| until < anchor) {
            return Err(kit::Error::invalid(field, "must not be after UNTIL of the rule").into());
        }
        if self.until.is_some_and(|until| until.year() - anchor.year() > MAX_YEARS) {
            let problem = format!("must be at most {MAX_YEARS} years before UNTIL of the rule");
            return Err(kit::Error::invalid(field, problem).into());
        }
        if self.dates(anchor, anchor, anchor).is_empty() {
            return Err(kit::Error::invalid(field, "must be a date of the rule").into());
        }
        Ok(())
    }

    /// The rule from one of its later dates on, when `taken` of its dates lie before: a count goes on where it stands.
    #[must_use]
    pub fn without_first(&self, taken: usize) -> Self {
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        Self { count: self.count.map(|count| count.saturating_sub(taken)), ..self.clone() }
    }

    fn unchecked(&self) -> RRule<rrule::Unvalidated> {
        let frequency = match self.frequency {
            RuleFrequency::Daily => rrule::Frequency::Daily,
            RuleFrequency::Weekly => rrule::Frequency::Weekly,
            RuleFrequency::Monthly => rrule::Frequency::Monthly,
        };
        let mut rule = RRule::new(frequency)
            .interval(self.interval)
            .week_start(self.week_start.unwrap_or(Weekday::Mon))
            .by_weekday(self.days.iter().map(|day| NWeekday::new(day.nth, day.weekday)).collect())
            .by_month_day(self.month_days.clone());
        if let Some(count) = self.count {
            rule = rule.count(count);
        }
        if let Some(until) = self.until {
            rule = rule.until(midnight(until));
        }
        rule
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frequency = match self.frequency {
            RuleFrequency::Daily => "DAILY",
            RuleFrequency::Weekly => "WEEKLY",
            RuleFrequency::Monthly => "MONTHLY",
        };
        write!(f, "FREQ={frequency}")?;
        if self.interval > 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if !self.days.is_empty() {
            let days: Vec<_> = self.days.iter().map(|day| day_text(*day)).collect();
            write!(f, ";BYDAY={}", days.join(","))?;
        }
        if !self.month_days.is_empty() {
            let days: Vec<_> = self.month_days.iter().map(ToString::to_string).collect();
            write!(f, ";BYMONTHDAY={}", days.join(","))?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if let Some(until) = self.until {
            write!(f, ";UNTIL={}", until.format("%Y%m%d"))?;
        }
        if let Some(day) = self.week_start {
            write!(f, ";WKST={}", day_text(Day { nth: None, weekday: day }))?;
        }
        Ok(())
    }
}

fn midnight(date: NaiveDate) -> DateTime<Tz> {
    date.and_time(NaiveTime::MIN).and_utc().with_timezone(&Tz::UTC)
}

fn day_text(day: Day) -> String {
    let name =
        DAYS.iter().find(|(_, weekday)| *weekday == day.weekday).map_or("", |(name, _)| name);
    day.nth.map_or_else(|| name.to_owned(), |nth| format!("{nth}{name}"))
}

fn parse_rule(text: &str) -> Result<Rule, String> {
    let mut rule = Rule {
        frequency: RuleFrequency::Daily,
        interval: 1,
        days: Vec::new(),
        month_days: Vec::new(),
        count: None,
        until: None,
        week_start: None,
    };
    let mut seen = Vec::new();
    for part in text.split(';') {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            "must be parts such as FREQ=WEEKLY, separated by semicolons".to_owned()
        })?;
        if seen.contains(&name) {
            return Err(format!("must have {name} once"));
        }
        seen.push(name);
        match name {
            "FREQ" => rule.frequency = parse_frequency(value)?,
            "INTERVAL" => rule.interval = parse_number(name, value, 1, MAX_INTERVAL)?,
            "BYDAY" => rule.days = value.split(',').map(parse_day).collect::<Result<_, _>>()?,
            "BYMONTHDAY" => {
                rule.month_days =
                    value.split(',').map(parse_month_day).collect::<Result<_, _>>()?;
            }
            "COUNT" => rule.count = Some(parse_number(name, value, 1, MAX_COUNT)?),
            "UNTIL" => rule.until = Some(parse_until(value)?),
            "WKST" => rule.week_start = Some(parse_weekday(value)?),
            _ => {
                let known = "FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT, UNTIL and WKST";
                return Err(format!("must have only {known}"));
            }
        }
    }
    if !seen.contains(&"FREQ") {
        return Err("must have FREQ".to_owned());
    }
    check_parts(&rule)?;
    Ok(rule)
}

/// Refuses parts that do not go together.
fn check_parts(rule: &Rule) -> Result<(), String> {
    let monthly = rule.frequency == RuleFrequency::Monthly;
    let problem = if !monthly && !rule.month_days.is_empty() {
        "must have BYMONTHDAY only with FREQ=MONTHLY"
    } else if !monthly && rule.days.iter().any(|day| day.nth.is_some()) {
        "must number the days of BYDAY only with FREQ=MONTHLY"
    } else if !rule.month_days.is_empty() && !rule.days.is_empty() {
        "must have BYDAY or BYMONTHDAY, not both"
    } else if rule.count.is_some() && rule.until.is_some() {
        "must have COUNT or UNTIL, not both"
    } else {
        return Ok(());
    };
    Err(problem.to_owned())
}

fn parse_frequency(text: &str) -> Result<RuleFrequency, String> {
    match text {
        "DAILY" => Ok(RuleFrequency::Daily),
        "WEEKLY" => Ok(RuleFrequency::Weekly),
        "MONTHLY" => Ok(RuleFrequency::Monthly),
        _ => Err("must have FREQ=DAILY, WEEKLY or MONTHLY".to_owned()),
    }
}

fn parse_number<T>(name: &str, text: &str, least: T, most: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + fmt::Display,
{
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_plain && *number >= least && *number <= most);
    number.ok_or_else(|| format!("must have {name} from {least} to {most}"))
}

fn parse_weekday(text: &str) -> Result<Weekday, String> {
    let found = DAYS.iter().find(|(name, _)| *name == text).map(|(_, day)| *day);
    found.ok_or_else(|| "must name days as MO, TU, WE, TH, FR, SA and SU".to_owned())
}

/// Reads `TU`, `2TU` or `-1FR`. A fifth weekday is refused: most months have none.
fn parse_day(text: &str) -> Result<Day, String> {
    let at = text.len().saturating_sub(2);
    let (number, name) = text.split_at_checked(at).unwrap_or(("", text));
    let weekday = parse_weekday(name)?;
    if number.is_empty() {
        return Ok(Day { nth: None, weekday });
    }
    let nth = number.parse().ok().filter(|nth: &i16| (1..=4).contains(&nth.abs()));
    let problem =
        "must number days from 1 to 4, or -1 to -4 from the end: not every month has a fifth";
    nth.map(|nth| Day { nth: Some(nth), weekday }).ok_or_else(|| problem.to_owned())
}

/// Reads a day of the month. Days from 29 on are refused: months without them would be skipped.
fn parse_month_day(text: &str) -> Result<i8, String> {
    let day = text.parse().ok();
    day.filter(|day: &i8| (1..=LAST_SAFE_DAY).contains(day) || *day == LAST_DAY).ok_or_else(|| {
        "must have BYMONTHDAY from 1 to 28, or -1 for the last day: not every month has a 29th"
            .to_owned()
    })
}

fn parse_until(text: &str) -> Result<NaiveDate, String> {
    let is_date = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| is_date);
    date.ok_or_else(|| "must have UNTIL as a date such as 20271231, without a time".to_owned())
}

/// The date so many days after `date`; the last one of the calendar when there is none.
pub fn days_after(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// The date before `date`; `date` itself at the beginning of the calendar.
pub fn day_before(date: NaiveDate) -> NaiveDate {
    date.checked_sub_days(Days::new(1)).unwrap_or(date)
}

/// The date of an instant in a zone.
pub fn local_date(at: DateTime<Utc>, zone: chrono_tz::Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

#[cfg(test)]
thread_local! {
    /// How often a test has expanded rules.
    pub static EXPANSIONS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests;
