// Books with openapi-fetch, on the types that openapi-typescript makes.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./generated/openapi-typescript.ts";
import { address, details, world } from "./world.ts";

const client = createClient<paths>({ baseUrl: world.url });

const login = await client.POST("/v1/auth/login", { body: { email: world.email, password: world.password } });
assert.ok(login.data, JSON.stringify(login.error));
const headers = { authorization: `Bearer ${login.data.access_token}` };

const quote = await client.POST("/v1/quotes", {
  headers,
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

const booked = await client.POST("/v1/orders", { headers, body: { quote_id: quote.data.id } });
assert.ok(booked.data, JSON.stringify(booked.error));

const path = { order_id: booked.data.id };
const order = await client.GET("/v1/orders/{order_id}", { headers, params: { path } });
assert.equal(order.data?.state, "ORDER_STATE_REQUESTED");
assert.equal(order.data?.details?.rooms, details.rooms);

const refused = await client.POST("/v1/orders", { headers, body: { quote_id: quote.data.id } });
assert.equal(refused.error?.reason, "QUOTE_USED");
