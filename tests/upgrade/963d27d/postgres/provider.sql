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
-- Name: provider; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA provider;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: documents; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.documents (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    kind text NOT NULL,
    number text NOT NULL,
    issued_on date NOT NULL,
    expires_on date,
    file_sha256 text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    reviewed_by uuid,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: members; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.members (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: offerings; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.offerings (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    vertical text NOT NULL,
    skills json NOT NULL,
    rate_card json NOT NULL,
    lat double precision NOT NULL,
    lng double precision NOT NULL,
    radius_km double precision NOT NULL,
    lat_min double precision NOT NULL,
    lat_max double precision NOT NULL,
    lng_min double precision NOT NULL,
    lng_max double precision NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.outbox (
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
-- Name: providers; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.providers (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    bio text NOT NULL,
    city text NOT NULL,
    city_key text NOT NULL,
    country text NOT NULL,
    time_zone text NOT NULL,
    state text NOT NULL,
    before_block text,
    blocked_reason text,
    blocked_until timestamp with time zone,
    background_check text NOT NULL,
    weekly json NOT NULL,
    exceptions json NOT NULL,
    stars_sum integer NOT NULL,
    reviews integer NOT NULL,
    accepted integer NOT NULL,
    declined integer NOT NULL,
    cancelled integer NOT NULL,
    arrivals integer NOT NULL,
    on_time integer NOT NULL,
    completed integer NOT NULL,
    score integer NOT NULL,
    standing bigint NOT NULL,
    version bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: reservations; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.reservations (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    order_id uuid NOT NULL,
    state text NOT NULL,
    lapsed boolean NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    hold_expires_at timestamp with time zone NOT NULL,
    job json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT reservations_check CHECK ((ends_at >= starts_at))
);


--
-- Name: seaql_migrations; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: time_off; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.time_off (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    start_local timestamp without time zone NOT NULL,
    end_local timestamp without time zone NOT NULL,
    note text NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: timers; Type: TABLE; Schema: provider; Owner: -
--

CREATE TABLE provider.timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Data for Name: documents; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.documents VALUES ('01a22c3d-00f1-716c-8cfa-00fa0715bfb4', '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', 'identity', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:25.16798+00', '2026-11-30 11:35:25.42414+00');
INSERT INTO provider.documents VALUES ('01a22c3d-02f8-7133-bef3-fc1fc7eee7ce', '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', 'insurance', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:25.684987+00', '2026-11-30 11:35:25.900053+00');
INSERT INTO provider.documents VALUES ('01a22c3d-0e5d-7092-8a24-84f5d4155cb2', '01a22c3d-0b98-76c9-aa7f-79b8261b2ed4', 'identity', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:28.604766+00', '2026-11-30 11:35:28.836703+00');
INSERT INTO provider.documents VALUES ('01a22c3d-1031-71fb-a0a4-189f966056fa', '01a22c3d-0b98-76c9-aa7f-79b8261b2ed4', 'insurance', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:29.072789+00', '2026-11-30 11:35:29.209074+00');
INSERT INTO provider.documents VALUES ('01a22c3d-19a2-754e-bb4e-13a3f962564d', '01a22c3d-17a1-71bf-a379-85f227ddf430', 'identity', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:31.489478+00', '2026-11-30 11:35:31.709707+00');
INSERT INTO provider.documents VALUES ('01a22c3d-1b64-76ce-92a6-231b5b0e8cee', '01a22c3d-17a1-71bf-a379-85f227ddf430', 'insurance', 'DEMO-1', '2020-01-01', '2099-12-31', '', 'VERIFIED', '', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', 2, '2026-11-30 11:35:31.936006+00', '2026-11-30 11:35:32.202269+00');


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: provider; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: provider; Owner: -
--



--
-- Data for Name: members; Type: TABLE DATA; Schema: provider; Owner: -
--



--
-- Data for Name: offerings; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.offerings VALUES ('01a22c3c-ff08-77de-9f07-54b3dc48f8dd', '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', 'cleaning', '["cleaning.standard"]', '[]', 48.8566, 2.3522, 25, 48.631769909068865, 49.081430090931136, 2.0089404880671995, 2.6954595119328, '2026-11-30 11:35:24.664444+00', '2026-11-30 11:35:24.664444+00');
INSERT INTO provider.offerings VALUES ('01a22c3d-0c70-7561-89e0-997c349efd6e', '01a22c3d-0b98-76c9-aa7f-79b8261b2ed4', 'cleaning', '["cleaning.standard"]', '[]', 48.8566, 2.3522, 25, 48.631769909068865, 49.081430090931136, 2.0089404880671995, 2.6954595119328, '2026-11-30 11:35:28.108158+00', '2026-11-30 11:35:28.108158+00');
INSERT INTO provider.offerings VALUES ('01a22c3d-1857-711d-ba22-d8af267326d9', '01a22c3d-17a1-71bf-a379-85f227ddf430', 'cleaning', '["cleaning.standard"]', '[]', 48.8566, 2.3522, 25, 48.631769909068865, 49.081430090931136, 2.0089404880671995, 2.6954595119328, '2026-11-30 11:35:31.158468+00', '2026-11-30 11:35:31.158468+00');


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: provider; Owner: -
--



--
-- Data for Name: providers; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.providers VALUES ('01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'SOLO', 'bob@upgrade.example', '', 'Paris', 'paris', 'FR', 'Europe/Paris', 'ACTIVE', NULL, NULL, NULL, 'CLEAR', '[["Mon", {"end": 1440, "start": 0}], ["Tue", {"end": 1440, "start": 0}], ["Wed", {"end": 1440, "start": 0}], ["Thu", {"end": 1440, "start": 0}], ["Fri", {"end": 1440, "start": 0}], ["Sat", {"end": 1440, "start": 0}], ["Sun", {"end": 1440, "start": 0}]]', '{}', 0, 0, 0, 0, 0, 0, 0, 0, 8600, 10, 10, 2, '2026-11-30 11:35:24.319418+00', '2026-11-30 11:35:26.577893+00');
INSERT INTO provider.providers VALUES ('01a22c3d-0b98-76c9-aa7f-79b8261b2ed4', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'SOLO', 'held@upgrade.example', '', 'Paris', 'paris', 'FR', 'Europe/Paris', 'BLOCKED', 'ACTIVE', 'SAFETY', NULL, 'CLEAR', '[["Mon", {"end": 1440, "start": 0}], ["Tue", {"end": 1440, "start": 0}], ["Wed", {"end": 1440, "start": 0}], ["Thu", {"end": 1440, "start": 0}], ["Fri", {"end": 1440, "start": 0}], ["Sat", {"end": 1440, "start": 0}], ["Sun", {"end": 1440, "start": 0}]]', '{}', 0, 0, 0, 0, 0, 0, 0, 0, 8600, 11, 11, 3, '2026-11-30 11:35:27.896018+00', '2026-11-30 11:35:32.802586+00');
INSERT INTO provider.providers VALUES ('01a22c3d-17a1-71bf-a379-85f227ddf430', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'SOLO', 'paused@upgrade.example', '', 'Paris', 'paris', 'FR', 'Europe/Paris', 'BLOCKED', 'ACTIVE', 'LATE', '2026-11-30 13:35:32+00', 'CLEAR', '[["Mon", {"end": 1440, "start": 0}], ["Tue", {"end": 1440, "start": 0}], ["Wed", {"end": 1440, "start": 0}], ["Thu", {"end": 1440, "start": 0}], ["Fri", {"end": 1440, "start": 0}], ["Sat", {"end": 1440, "start": 0}], ["Sun", {"end": 1440, "start": 0}]]', '{}', 0, 0, 0, 0, 0, 0, 0, 0, 8600, 11, 11, 3, '2026-11-30 11:35:30.97704+00', '2026-11-30 11:35:33.059985+00');


--
-- Data for Name: reservations; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.reservations VALUES ('6bbaebb1-0348-5b85-aef6-62fad7fe305f', '01a22c3c-fd9f-74b0-b2f2-cd245ee6a443', '01a22c3d-3574-743d-a381-cda43940b7a2', 'CONFIRMED', false, '2026-11-30 12:00:37+00', '2026-11-30 14:30:37+00', '2026-11-30 14:15:37+00', '{"place": {"lat": 48.8566, "lng": 2.3522}, "skills": ["cleaning.standard"], "window": {"end": "2026-11-30T14:15:37Z", "zone": "Europe/Paris", "start": "2026-11-30T12:15:37Z"}, "vertical": "cleaning", "documents": ["insurance"], "buffer_after_s": 900, "buffer_before_s": 900}', '2026-11-30 11:35:38.731073+00', '2026-11-30 11:35:44.065472+00');


--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.seaql_migrations VALUES ('common', 1796038515);
INSERT INTO provider.seaql_migrations VALUES ('m0001_providers', 1796038515);
INSERT INTO provider.seaql_migrations VALUES ('m0002_reservations', 1796038515);


--
-- Data for Name: time_off; Type: TABLE DATA; Schema: provider; Owner: -
--



--
-- Data for Name: timers; Type: TABLE DATA; Schema: provider; Owner: -
--

INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-00f1-716c-8cfa-00fa0715bfb4', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-00f1-716c-8cfa-00fa0715bfb4', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-02f8-7133-bef3-fc1fc7eee7ce', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-02f8-7133-bef3-fc1fc7eee7ce', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-0e5d-7092-8a24-84f5d4155cb2', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-0e5d-7092-8a24-84f5d4155cb2', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-1031-71fb-a0a4-189f966056fa', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-1031-71fb-a0a4-189f966056fa', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-19a2-754e-bb4e-13a3f962564d', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-19a2-754e-bb4e-13a3f962564d', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expiring', '01a22c3d-1b64-76ce-92a6-231b5b0e8cee', '2099-11-30 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('document_expired', '01a22c3d-1b64-76ce-92a6-231b5b0e8cee', '2099-12-31 23:00:00+00', NULL, NULL, 0);
INSERT INTO provider.timers VALUES ('block_over', '01a22c3d-17a1-71bf-a379-85f227ddf430', '2026-11-30 13:35:32+00', NULL, NULL, 0);


--
-- Name: documents documents_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: members members_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (id);


--
-- Name: offerings offerings_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.offerings
    ADD CONSTRAINT offerings_pkey PRIMARY KEY (id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: providers providers_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.providers
    ADD CONSTRAINT providers_pkey PRIMARY KEY (id);


--
-- Name: reservations reservations_no_overlap; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.reservations
    ADD CONSTRAINT reservations_no_overlap EXCLUDE USING gist (provider_id WITH =, tstzrange(starts_at, ends_at, '[)'::text) WITH &&) WHERE ((state = ANY (ARRAY['HOLD'::text, 'CONFIRMED'::text])));


--
-- Name: reservations reservations_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (id);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: time_off time_off_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.time_off
    ADD CONSTRAINT time_off_pkey PRIMARY KEY (id);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: documents_provider_id; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX documents_provider_id ON provider.documents USING btree (provider_id);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON provider.idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX inbox_seen_at ON provider.inbox USING btree (seen_at);


--
-- Name: members_provider_id; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX members_provider_id ON provider.members USING btree (provider_id);


--
-- Name: offerings_provider_id_vertical; Type: INDEX; Schema: provider; Owner: -
--

CREATE UNIQUE INDEX offerings_provider_id_vertical ON provider.offerings USING btree (provider_id, vertical);


--
-- Name: offerings_vertical_lat; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX offerings_vertical_lat ON provider.offerings USING btree (vertical, lat_min);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: provider; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON provider.outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX outbox_due ON provider.outbox USING btree (state, next_at);


--
-- Name: providers_city_key; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX providers_city_key ON provider.providers USING btree (city_key);


--
-- Name: providers_user_id; Type: INDEX; Schema: provider; Owner: -
--

CREATE UNIQUE INDEX providers_user_id ON provider.providers USING btree (user_id);


--
-- Name: reservations_busy; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX reservations_busy ON provider.reservations USING btree (provider_id, ends_at, starts_at) WHERE (state = ANY (ARRAY['HOLD'::text, 'CONFIRMED'::text]));


--
-- Name: reservations_holds; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX reservations_holds ON provider.reservations USING btree (hold_expires_at) WHERE (state = 'HOLD'::text);


--
-- Name: reservations_order_id; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX reservations_order_id ON provider.reservations USING btree (order_id);


--
-- Name: time_off_provider_id; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX time_off_provider_id ON provider.time_off USING btree (provider_id);


--
-- Name: timers_due_at; Type: INDEX; Schema: provider; Owner: -
--

CREATE INDEX timers_due_at ON provider.timers USING btree (due_at);


--
-- Name: documents documents_provider; Type: FK CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.documents
    ADD CONSTRAINT documents_provider FOREIGN KEY (provider_id) REFERENCES provider.providers(id);


--
-- Name: members members_provider; Type: FK CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.members
    ADD CONSTRAINT members_provider FOREIGN KEY (provider_id) REFERENCES provider.providers(id);


--
-- Name: offerings offerings_provider; Type: FK CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.offerings
    ADD CONSTRAINT offerings_provider FOREIGN KEY (provider_id) REFERENCES provider.providers(id);


--
-- Name: time_off time_off_provider; Type: FK CONSTRAINT; Schema: provider; Owner: -
--

ALTER TABLE ONLY provider.time_off
    ADD CONSTRAINT time_off_provider FOREIGN KEY (provider_id) REFERENCES provider.providers(id);


--
-- PostgreSQL database dump complete
--


