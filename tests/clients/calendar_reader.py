"""Reads the calendar of an account with icalendar, and compares what it finds with what the orders say."""

import datetime
import json
import os

import icalendar

WORLD = json.loads(os.environ["QS_TEST_WORLD"])

calendar = icalendar.Calendar.from_ical(WORLD["text"])
found = {}
for event in calendar.walk("VEVENT"):
    start, end = event["DTSTART"].dt, event["DTEND"].dt
    found[str(event["UID"])] = {
        "start": start.strftime("%Y-%m-%dT%H:%M:%S"),
        "end": end.strftime("%Y-%m-%dT%H:%M:%S"),
        "utc": start.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": str(event["STATUS"]),
    }
    assert not event.errors, event.errors
zones = {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")}
assert zones == {"Europe/Paris"}, zones
# The rules that the calendar carries say what the zone of this machine's own data says.
for zone in calendar.walk("VTIMEZONE"):
    own = zone.to_tz(lookup_tzid=False)
    for event in calendar.walk("VEVENT"):
        start = event["DTSTART"].dt
        assert start.replace(tzinfo=own).utcoffset() == start.utcoffset(), start
assert found == WORLD["expected"], (found, WORLD["expected"])
