// What `check.py` hands to each client: where the program runs, who books, and what.
import assert from "node:assert/strict";

interface World {
  url: string;
  email: string;
  password: string;
  provider_id: string;
  start: string;
  end: string;
}

const given = process.env.QS_TEST_WORLD;
assert.ok(given, "QS_TEST_WORLD is not set: check.py runs this");

export const world: World = JSON.parse(given);
export const details = { type: "standard", rooms: 2, bathrooms: 1, extras: [{ code: "oven", quantity: 1 }] };
export const address = {
  lines: ["1 rue de la Paix"],
  postcode: "75002",
  city: "Paris",
  country: "FR",
  lat: 48.8566,
  lng: 2.3522,
};
