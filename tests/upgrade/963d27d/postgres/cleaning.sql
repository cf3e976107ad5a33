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
-- Name: cleaning; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA cleaning;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: cleanings; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.cleanings (
    order_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_user_id uuid,
    state integer NOT NULL,
    details bytea NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    time_zone text NOT NULL,
    visit_on date NOT NULL,
    visited boolean NOT NULL,
    checklist json NOT NULL,
    recleans integer NOT NULL,
    access_failed_at timestamp with time zone,
    contact_attempts json NOT NULL,
    version bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.outbox (
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
-- Name: seaql_migrations; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: timers; Type: TABLE; Schema: cleaning; Owner: -
--

CREATE TABLE cleaning.timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Data for Name: cleanings; Type: TABLE DATA; Schema: cleaning; Owner: -
--

INSERT INTO cleaning.cleanings VALUES ('01a22c3d-3574-743d-a381-cda43940b7a2', '01a22c3c-f815-7362-887a-2bd35978935d', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 4, '\x0a087374616e6461726418022001', '2026-11-30 12:15:37+00', '2026-11-30 14:15:37+00', 'Europe/Paris', '2026-11-30', false, '[{"code": "room.1.dust", "note": "", "done_at": null, "reopened": 0}, {"code": "room.1.floor", "note": "", "done_at": null, "reopened": 0}, {"code": "room.2.dust", "note": "", "done_at": null, "reopened": 0}, {"code": "room.2.floor", "note": "", "done_at": null, "reopened": 0}, {"code": "bathroom.1.sanitary", "note": "", "done_at": null, "reopened": 0}, {"code": "bathroom.1.floor", "note": "", "done_at": null, "reopened": 0}, {"code": "kitchen.surfaces", "note": "", "done_at": null, "reopened": 0}, {"code": "kitchen.sink", "note": "", "done_at": null, "reopened": 0}, {"code": "all.bins", "note": "", "done_at": null, "reopened": 0}]', 0, NULL, '[]', 1, 0, '2026-11-30 11:35:44.092114+00', '2026-11-30 11:35:44.092114+00');


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: cleaning; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: cleaning; Owner: -
--



--
-- Data for Name: outbox; Type: TABLE DATA; Schema: cleaning; Owner: -
--



--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: cleaning; Owner: -
--

INSERT INTO cleaning.seaql_migrations VALUES ('common', 1796038520);
INSERT INTO cleaning.seaql_migrations VALUES ('m0001_cleanings', 1796038520);


--
-- Data for Name: timers; Type: TABLE DATA; Schema: cleaning; Owner: -
--



--
-- Name: cleanings cleanings_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.cleanings
    ADD CONSTRAINT cleanings_pkey PRIMARY KEY (order_id);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: cleaning; Owner: -
--

ALTER TABLE ONLY cleaning.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: cleanings_customer_id_visit_on; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE INDEX cleanings_customer_id_visit_on ON cleaning.cleanings USING btree (customer_id, visit_on);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON cleaning.idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE INDEX inbox_seen_at ON cleaning.inbox USING btree (seen_at);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON cleaning.outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE INDEX outbox_due ON cleaning.outbox USING btree (state, next_at);


--
-- Name: timers_due_at; Type: INDEX; Schema: cleaning; Owner: -
--

CREATE INDEX timers_due_at ON cleaning.timers USING btree (due_at);


--
-- PostgreSQL database dump complete
--


