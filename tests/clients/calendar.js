// Reads the calendar of an account with ical.js, and compares what it finds with what the orders say. Not TypeScript: the types
// that ical.js carries do not compile.
import ICAL from "ical.js";
import { ok, deepEqual } from "node:assert/strict";

// The text of the calendar, and of each event by its UID: start and end on the local clock, start in UTC, status.
const world = JSON.parse(process.env.QS_TEST_WORLD ?? "");

const calendar = new ICAL.Component(ICAL.parse(world.text));
for (const zone of calendar.getAllSubcomponents("vtimezone")) {
  ICAL.TimezoneService.register(new ICAL.Timezone(zone));
}
const found = {};
for (const component of calendar.getAllSubcomponents("vevent")) {
  const event = new ICAL.Event(component);
  ok(event.summary && event.sequence > 0, event.uid);
  found[event.uid] = {
    start: event.startDate.toString(),
    end: event.endDate.toString(),
    // By the rules of the zone that the calendar itself carries.
    utc: event.startDate.toJSDate().toISOString().replace(".000Z", "Z"),
    status: String(component.getFirstPropertyValue("status")),
  };
}
deepEqual(found, world.expected);
