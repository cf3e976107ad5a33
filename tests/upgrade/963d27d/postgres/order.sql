--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: order; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA "order";


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: change_orders; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".change_orders (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    lines json NOT NULL,
    reason text NOT NULL,
    amount bigint NOT NULL,
    state text NOT NULL,
    valid_till timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone
);


--
-- Name: disputes; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".disputes (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    opened_by text NOT NULL,
    reason text NOT NULL,
    body text NOT NULL,
    state text NOT NULL,
    refund bigint,
    created_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone
);


--
-- Name: effects; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".effects (
    order_id uuid NOT NULL,
    seq bigint NOT NULL,
    effect json NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: messages; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".messages (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    author_id uuid NOT NULL,
    side text NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: offers; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".offers (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    provider_user_id uuid NOT NULL,
    provider_name text NOT NULL,
    round integer NOT NULL,
    wave integer NOT NULL,
    state text NOT NULL,
    tried boolean NOT NULL,
    valid_till timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: orders; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".orders (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    quote_id uuid NOT NULL,
    request_id uuid,
    vertical text NOT NULL,
    state text NOT NULL,
    disputed boolean NOT NULL,
    booking boolean NOT NULL,
    provider_id uuid,
    provider_user_id uuid,
    provider_name text NOT NULL,
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    time_zone text NOT NULL,
    details bytea NOT NULL,
    terms json NOT NULL,
    notes text NOT NULL,
    search_if_declined boolean NOT NULL,
    total bigint NOT NULL,
    currency text NOT NULL,
    payment json NOT NULL,
    progress json NOT NULL,
    hold_expires_at timestamp with time zone NOT NULL,
    version bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    given_up boolean DEFAULT false NOT NULL,
    joined boolean DEFAULT false NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".outbox (
    id uuid NOT NULL,
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    seq bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    traceparent text NOT NULL,
    data bytea NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL,
    next_at timestamp with time zone NOT NULL,
    state smallint NOT NULL
);


--
-- Name: proofs; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".proofs (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    sha256 text NOT NULL,
    lat double precision,
    lng double precision,
    taken_at timestamp with time zone NOT NULL,
    added_by uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: quotes; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".quotes (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    vertical text NOT NULL,
    details bytea NOT NULL,
    terms json NOT NULL,
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    time_zone text NOT NULL,
    provider_id uuid,
    total bigint NOT NULL,
    currency text NOT NULL,
    inputs_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: reviews; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".reviews (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    side text NOT NULL,
    provider_id uuid,
    stars integer NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    published_at timestamp with time zone
);


--
-- Name: seaql_migrations; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: timeline; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".timeline (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    action text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    actor_id uuid,
    note text NOT NULL,
    at timestamp with time zone NOT NULL
);


--
-- Name: timers; Type: TABLE; Schema: order; Owner: -
--

CREATE TABLE "order".timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Data for Name: change_orders; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: disputes; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: effects; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: messages; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: offers; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: orders; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".orders VALUES ('01a22c3d-3574-743d-a381-cda43940b7a2', '01a22c3c-f815-7362-887a-2bd35978935d', '01a22c3d-34c8-7674-ad62-79240fa2fd5c', NULL, 'cleaning', 'ASSIGNED', false, false, '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'bob@upgrade.example', '2026-11-30 12:15:37+00', '2026-11-30 14:15:37+00', 'Europe/Paris', '\x0a160a0962617468726f6f6d73120911000000000000f03f0a120a05726f6f6d7312091100000000000000400a120a0474797065120a1a087374616e64617264', '{"lines": [{"code": "cleaning.base", "unit": "visit", "payer": "customer", "total": 2500, "earner": "provider", "quantity": 1.0}, {"code": "cleaning.rooms", "unit": "room", "payer": "customer", "total": 1800, "earner": "provider", "quantity": 2.0}, {"code": "cleaning.bathrooms", "unit": "bathroom", "payer": "customer", "total": 1300, "earner": "provider", "quantity": 1.0}], "place": {"lat": 48.8566, "lng": 2.3522, "city": "Paris", "lines": ["1 rue de la Paix"], "country": "FR", "postcode": "75002", "access_notes": ""}, "policy": {"rules": [{"fault": "provider"}, {"fault": "none"}, {"states": ["PENDING_PAYMENT", "REQUESTED", "SEARCHING"]}, {"states": ["NO_SHOW"], "percent": 100, "provider_share": 100}, {"fault": "shared", "states": ["ASSIGNED", "EN_ROUTE", "ARRIVED"], "percent": 25, "waivable": true, "within_hours": 24, "provider_share": 100}, {"fault": "customer", "states": ["ASSIGNED", "EN_ROUTE", "ARRIVED"], "percent": 50, "waivable": true, "within_hours": 24, "provider_share": 100}], "version": "2027-05"}, "requirements": {"skills": ["cleaning.standard"], "crew_size": 1, "documents": ["insurance"], "duration_s": 7200, "buffer_after_s": 900, "buffer_before_s": 900}}', '', false, 5600, 'EUR', '{"state": "AUTHORIZED", "attempt": 0, "method_id": null, "payment_id": "01a22c3d-366c-75bb-9218-626e8fa37263", "late_attempts": 0, "decline_reason": "", "confirmation_url": ""}', '{"wave": 0, "round": 0, "erased": false, "paid_out": false, "published": false, "reduction": 0, "reassigned": 0, "assigned_at": "2026-11-30T11:35:44.139997Z", "assignments": 1, "wrong_codes": 0, "requested_at": "2026-11-30T11:35:39.005628Z", "reviews_over": false, "arrival_flagged": false, "contact_attempts": 0}', '2026-11-30 11:50:38.612594+00', 3, 2, '2026-11-30 11:35:38.612594+00', '2026-11-30 11:35:44.139997+00', false, false);


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".outbox VALUES ('01a22c3d-4b90-717a-a996-a9255cd3f677', 'order.assigned', '01a22c3d-3574-743d-a381-cda43940b7a2', 2, '2026-11-30 11:35:44.139997+00', 'user:01a22c3c-f9ed-74f1-a830-5f6429f10365', '', '\x0a2430316132326333642d333537342d373433642d613338312d6364613433393430623761321208636c65616e696e671a2430316132326333632d663831352d373336322d383837612d326264333539373839333564222430316132326333632d666439662d373462302d623266322d6364323435656536613434332a2430316132326333632d663965642d373466312d613833302d35663634323966313033363530023804421e0a0608e9d1b5d806120608898ab6d8061a0c4575726f70652f50617269734a080a0345555210e02b6a0b0890bfb5d80610c8dee042', NULL, NULL, 0, '2026-11-30 11:35:44.139997+00', 0);


--
-- Data for Name: proofs; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: quotes; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".quotes VALUES ('01a22c3d-34c8-7674-ad62-79240fa2fd5c', '01a22c3c-f815-7362-887a-2bd35978935d', 'cleaning', '\x0a160a0962617468726f6f6d73120911000000000000f03f0a120a05726f6f6d7312091100000000000000400a120a0474797065120a1a087374616e64617264', '{"lines": [{"code": "cleaning.base", "unit": "visit", "payer": "customer", "total": 2500, "earner": "provider", "quantity": 1.0}, {"code": "cleaning.rooms", "unit": "room", "payer": "customer", "total": 1800, "earner": "provider", "quantity": 2.0}, {"code": "cleaning.bathrooms", "unit": "bathroom", "payer": "customer", "total": 1300, "earner": "provider", "quantity": 1.0}], "place": {"lat": 48.8566, "lng": 2.3522, "city": "Paris", "lines": ["1 rue de la Paix"], "country": "FR", "postcode": "75002", "access_notes": ""}, "policy": {"rules": [{"fault": "provider"}, {"fault": "none"}, {"states": ["PENDING_PAYMENT", "REQUESTED", "SEARCHING"]}, {"states": ["NO_SHOW"], "percent": 100, "provider_share": 100}, {"fault": "shared", "states": ["ASSIGNED", "EN_ROUTE", "ARRIVED"], "percent": 25, "waivable": true, "within_hours": 24, "provider_share": 100}, {"fault": "customer", "states": ["ASSIGNED", "EN_ROUTE", "ARRIVED"], "percent": 50, "waivable": true, "within_hours": 24, "provider_share": 100}], "version": "2027-05"}, "requirements": {"skills": ["cleaning.standard"], "crew_size": 1, "documents": ["insurance"], "duration_s": 7200, "buffer_after_s": 900, "buffer_before_s": 900}}', '2026-11-30 12:15:37+00', '2026-11-30 14:15:37+00', 'Europe/Paris', '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', 5600, 'EUR', '\x5496e95c8a8580703f7bab6e54e50e14e485b81f5c253095ae2bcf8c0839f1a7', '2026-11-30 12:05:37.970868+00', 1, '2026-11-30 11:35:37.970868+00', '2026-11-30 11:35:37.970868+00');


--
-- Data for Name: reviews; Type: TABLE DATA; Schema: order; Owner: -
--



--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".seaql_migrations VALUES ('common', 1796038520);
INSERT INTO "order".seaql_migrations VALUES ('m0001_orders', 1796038521);
INSERT INTO "order".seaql_migrations VALUES ('m0002_records', 1796038521);
INSERT INTO "order".seaql_migrations VALUES ('m0003_bookings', 1796038521);
INSERT INTO "order".seaql_migrations VALUES ('m0004_joined', 1796038521);


--
-- Data for Name: timeline; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".timeline VALUES ('01a22c3d-3720-7002-a0bc-5fb9f25d5a3f', '01a22c3d-3574-743d-a381-cda43940b7a2', 'book', 'PENDING_PAYMENT', 'PENDING_PAYMENT', 'customer', '01a22c3c-f815-7362-887a-2bd35978935d', '', '2026-11-30 11:35:39.005628+00');
INSERT INTO "order".timeline VALUES ('01a22c3d-3720-7002-a1bc-5fba7ff99208', '01a22c3d-3574-743d-a381-cda43940b7a2', 'authorize', 'PENDING_PAYMENT', 'REQUESTED', 'payment', '01a22c3c-f815-7362-887a-2bd35978935d', '', '2026-11-30 11:35:39.005628+00');
INSERT INTO "order".timeline VALUES ('01a22c3d-4b28-7003-90d1-0db0c0b0a84a', '01a22c3d-3574-743d-a381-cda43940b7a2', 'accept', 'REQUESTED', 'ASSIGNED', 'provider', '01a22c3c-f9ed-74f1-a830-5f6429f10365', '', '2026-11-30 11:35:44.139997+00');


--
-- Data for Name: timers; Type: TABLE DATA; Schema: order; Owner: -
--

INSERT INTO "order".timers VALUES ('deadline', '01a22c3d-3574-743d-a381-cda43940b7a2', '2026-12-01 14:15:37+00', NULL, NULL, 0);


--
-- Name: change_orders change_orders_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".change_orders
    ADD CONSTRAINT change_orders_pkey PRIMARY KEY (id);


--
-- Name: disputes disputes_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (id);


--
-- Name: effects effects_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".effects
    ADD CONSTRAINT effects_pkey PRIMARY KEY (order_id, seq);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);


--
-- Name: offers offers_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".offers
    ADD CONSTRAINT offers_pkey PRIMARY KEY (id);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: proofs proofs_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".proofs
    ADD CONSTRAINT proofs_pkey PRIMARY KEY (id);


--
-- Name: quotes quotes_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".quotes
    ADD CONSTRAINT quotes_pkey PRIMARY KEY (id);


--
-- Name: reviews reviews_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (id);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: timeline timeline_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".timeline
    ADD CONSTRAINT timeline_pkey PRIMARY KEY (id);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: order; Owner: -
--

ALTER TABLE ONLY "order".timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: change_orders_order; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX change_orders_order ON "order".change_orders USING btree (order_id, id);


--
-- Name: disputes_order; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX disputes_order ON "order".disputes USING btree (order_id, id);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON "order".idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX inbox_seen_at ON "order".inbox USING btree (seen_at);


--
-- Name: messages_order; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX messages_order ON "order".messages USING btree (order_id, id);


--
-- Name: offers_order_provider_round; Type: INDEX; Schema: order; Owner: -
--

CREATE UNIQUE INDEX offers_order_provider_round ON "order".offers USING btree (order_id, provider_id, round);


--
-- Name: offers_provider_user; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX offers_provider_user ON "order".offers USING btree (provider_user_id, id);


--
-- Name: orders_booking; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX orders_booking ON "order".orders USING btree (created_at) WHERE ((booking = true) AND (given_up = false));


--
-- Name: orders_customer; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX orders_customer ON "order".orders USING btree (customer_id, id);


--
-- Name: orders_provider_user; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX orders_provider_user ON "order".orders USING btree (provider_user_id, id);


--
-- Name: orders_quote; Type: INDEX; Schema: order; Owner: -
--

CREATE UNIQUE INDEX orders_quote ON "order".orders USING btree (quote_id) WHERE (given_up = false);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: order; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON "order".outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX outbox_due ON "order".outbox USING btree (state, next_at);


--
-- Name: proofs_order; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX proofs_order ON "order".proofs USING btree (order_id, id);


--
-- Name: reviews_order_side; Type: INDEX; Schema: order; Owner: -
--

CREATE UNIQUE INDEX reviews_order_side ON "order".reviews USING btree (order_id, side);


--
-- Name: reviews_provider; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX reviews_provider ON "order".reviews USING btree (provider_id, id);


--
-- Name: timeline_order; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX timeline_order ON "order".timeline USING btree (order_id, id);


--
-- Name: timers_due_at; Type: INDEX; Schema: order; Owner: -
--

CREATE INDEX timers_due_at ON "order".timers USING btree (due_at);


--
-- PostgreSQL database dump complete
--


