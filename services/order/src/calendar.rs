//! Bookings as calendar programs read them: RFC 5545, with local times and the rules of their zones.

use crate::domain::{AccountId, Order, State};
use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};
use icalendar::{Calendar, CalendarDateTime, Component, Event, EventLike, EventStatus, Property};
use kit::Window;
use std::{collections::BTreeMap, fmt::Write};

/// The offset of a zone at a moment.
type TzOffset = <Tz as TimeZone>::Offset;

/// How long a program may wait before it looks again.
const REFRESH: Duration = Duration::hours(1);
/// How much of a zone's rules is told before and after the bookings.
const RULES_AROUND: Duration = Duration::days(370);

/// The calendar of an account with these orders, as text.
pub fn write_calendar(orders: &[Order], account: AccountId) -> String {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//QuickServe//Bookings//EN"))
        .append_property(Property::new("CALSCALE", "GREGORIAN"))
        .append_property(Property::new("METHOD", "PUBLISH"));
    calendar.name("QuickServe").ttl(&REFRESH);
    let mut zones: BTreeMap<&'static str, (Tz, DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
    for order in orders {
        let visits = order.progress.visits.iter();
        let visits = visits.map(|visit| (visit.id.to_string(), order.window_of_visit(visit)));
        for (uid, window) in [(order.id.to_string(), order.window())].into_iter().chain(visits) {
            calendar.push(event_of(order, account, &uid, &window));
            let seen = (window.zone, window.start, window.end);
            let known = zones.entry(window.zone.name()).or_insert(seen);
            *known = (known.0, known.1.min(window.start), known.2.max(window.end));
        }
    }
    let whole = calendar.done().to_string();
    let events = whole.strip_suffix("END:VCALENDAR\r\n").unwrap_or(&whole);
    let rules = zones
        .into_values()
        .map(|(zone, first, last)| zone_rules(zone, first - RULES_AROUND, last + RULES_AROUND));
    let rules: String = rules.collect();
    format!("{events}{rules}END:VCALENDAR\r\n")
}

/// One appointment. Its number counts up with each change of the order, so that programs take the newest.
fn event_of(order: &Order, account: AccountId, uid: &str, window: &Window) -> Event {
    let status = match order.state {
        _ if order.came_to_nothing() => EventStatus::Cancelled,
        State::PendingPayment | State::Requested | State::Searching => EventStatus::Tentative,
        _ => EventStatus::Confirmed,
    };
    let place = &order.terms.place;
    let town = format!("{} {}", place.postcode, place.city).trim().to_owned();
    let is_customer = order.customer_id == account;
    // How many homes a provider goes to stands in one list: it says no street.
    let location = match is_customer {
        true => place.lines.iter().cloned().chain([town]).collect::<Vec<_>>().join(", "),
        false => town,
    };
    let with = if is_customer { order.provider_name.as_str() } else { place.city.as_str() };
    let what = kind_of_work(&order.vertical);
    let summary = if with.is_empty() { what } else { format!("{what}: {with}") };
    let mut event = Event::new();
    event
        .uid(&format!("{uid}@quickserve"))
        .timestamp(order.updated_at)
        .last_modified(order.updated_at)
        .sequence(u32::try_from(order.version).unwrap_or(u32::MAX))
        .starts(local_time(window.start, window.zone))
        .ends(local_time(window.end, window.zone))
        .summary(&summary)
        .location(&location)
        .status(status);
    event.done()
}

fn local_time(at: DateTime<Utc>, zone: Tz) -> CalendarDateTime {
    CalendarDateTime::WithTimezone {
        date_time: at.with_timezone(&zone).naive_local(),
        tzid: zone.name().to_owned(),
    }
}

/// The key of a vertical in words.
fn kind_of_work(vertical: &str) -> String {
    let words = vertical.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The rules of a zone between two instants: which offset holds from when on.
fn zone_rules(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let mut text = format!("BEGIN:VTIMEZONE\r\nTZID:{}\r\n", zone.name());
    let mut before = offset_at(zone, from);
    write_rule(&mut text, &before, &before, from.naive_utc() + before.fix());
    let mut at = from;
    while at < to {
        at += Duration::hours(1);
        let offset = offset_at(zone, at);
        if offset.fix() == before.fix() && offset.abbreviation() == before.abbreviation() {
            continue;
        }
        let mut change = at;
        while offset_at(zone, change - Duration::minutes(1)).fix() == offset.fix() {
            change -= Duration::minutes(1);
        }
        write_rule(&mut text, &before, &offset, change.naive_utc() + before.fix());
        before = offset;
    }
    text.push_str("END:VTIMEZONE\r\n");
    text
}

fn offset_at(zone: Tz, at: DateTime<Utc>) -> TzOffset {
    zone.offset_from_utc_datetime(&at.naive_utc())
}

fn write_rule(text: &mut String, before: &TzOffset, after: &TzOffset, from: NaiveDateTime) {
    let kind = if after.dst_offset().is_zero() { "STANDARD" } else { "DAYLIGHT" };
    let name = after.abbreviation().unwrap_or_default();
    let (old, new) = (offset_text(before), offset_text(after));
    // Writing to a text does not fail.
    let _ = write!(
        text,
        "BEGIN:{kind}\r\nDTSTART:{}\r\nTZOFFSETFROM:{old}\r\nTZOFFSETTO:{new}\r\nTZNAME:{name}\r\n\
         END:{kind}\r\n",
        from.format("%Y%m%dT%H%M%S"),
    );
}

/// `+0200`.
fn offset_text(offset: &TzOffset) -> String {
    let minutes = offset.fix().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
