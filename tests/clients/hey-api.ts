// Books with the client that @hey-api/openapi-ts makes.
import assert from "node:assert/strict";
import { client } from "./generated/hey-api/client.gen.ts";
import { createOrder, createQuote, getOrder, login } from "./generated/hey-api/sdk.gen.ts";
import { address, details, world } from "./world.ts";

client.setConfig({ baseUrl: world.url });

const session = await login({ body: { email: world.email, password: world.password } });
assert.ok(session.data, JSON.stringify(session.error));
const token = session.data.access_token;
client.setConfig({ auth: () => token });

const quote = await createQuote({
  body: {
    vertical: "cleaning",
    provider_id: world.provider_id,
    details,
    window: { start: world.start, end: world.end, time_zone: "Europe/Paris" },
    address,
  },
});
assert.ok(quote.data, JSON.stringify(quote.error));
assert.equal(quote.data.total?.currency, "EUR");

const booked = await createOrder({ body: { quote_id: quote.data.id } });
assert.ok(booked.data, JSON.stringify(booked.error));

const order = await getOrder({ path: { order_id: booked.data.id } });
assert.equal(order.data?.state, "ORDER_STATE_REQUESTED");
assert.equal(order.data?.details?.rooms, details.rooms);

const refused = await createOrder({ body: { quote_id: quote.data.id } });
assert.equal(refused.error?.reason, "QUOTE_USED");
