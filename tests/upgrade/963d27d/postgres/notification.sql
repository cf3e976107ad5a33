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
-- Name: notification; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA notification;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: idempotency_keys; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: messages; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.messages (
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    addressee text NOT NULL,
    channel text NOT NULL,
    user_id uuid NOT NULL,
    template text NOT NULL,
    importance text NOT NULL,
    particulars json NOT NULL,
    order_id uuid,
    order_seq bigint NOT NULL,
    fades boolean NOT NULL,
    stale boolean NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    failure text NOT NULL,
    due_at timestamp with time zone,
    claimed_by uuid,
    created_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone
);


--
-- Name: outbox; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.outbox (
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
-- Name: seaql_migrations; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: settings; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.settings (
    user_id uuid NOT NULL,
    email boolean NOT NULL,
    locale text NOT NULL,
    preferences_version bigint NOT NULL,
    quiet boolean NOT NULL,
    quiet_from smallint NOT NULL,
    quiet_to smallint NOT NULL,
    time_zone text NOT NULL,
    quiet_version bigint NOT NULL
);


--
-- Name: timers; Type: TABLE; Schema: notification; Owner: -
--

CREATE TABLE notification.timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: notification; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: notification; Owner: -
--



--
-- Data for Name: messages; Type: TABLE DATA; Schema: notification; Owner: -
--

INSERT INTO notification.messages VALUES ('01a22c3c-f970-7516-8be4-da36b5be0893', '01a22c3c-f90c-70a7-ab09-e617605f9a0b', 'account', 'inbox', '01a22c3c-f815-7362-887a-2bd35978935d', 'user.registered.account', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:23.248358+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3c-fb64-7097-ae5f-500e2b5e8f7a', '01a22c3c-facc-71de-be14-1b8cc55fe9c2', 'account', 'inbox', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'user.registered.account', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:23.74854+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3c-f980-7229-aea7-07ddfdadd359', '01a22c3c-f92c-72c6-9b2b-6137b48d4f0e', 'account', 'email', '01a22c3c-f815-7362-887a-2bd35978935d', 'user.contact_verification_requested.account', 'critical', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:23.264465+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3c-fe34-74ab-bc30-9813b9502a06', '01a22c3c-fd9f-74b0-b2f2-cd2593dca2b1', 'provider', 'inbox', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:24.468715+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3c-fb74-73fc-80f8-9bcfbd34c3ff', '01a22c3c-fb09-7631-92cf-66a596e4785e', 'account', 'email', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'user.contact_verification_requested.account', 'critical', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:23.764846+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3c-fe34-74ab-bc30-98149756164e', '01a22c3c-fd9f-74b0-b2f2-cd2593dca2b1', 'provider', 'email', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:24.468715+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-06d6-710c-b494-c0086109eca7', '01a22c3d-0688-77f4-ac1b-168131e5b1f0', 'provider', 'inbox', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:26.678242+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-06d6-710c-b494-c009a3b5114d', '01a22c3d-0688-77f4-ac1b-168131e5b1f0', 'provider', 'email', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:26.678242+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-0938-74aa-bd7b-edcb6c8da0f2', '01a22c3d-0905-713d-aee7-57bd484c8321', 'account', 'inbox', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'user.registered.account', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:27.288372+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-095c-76b8-b2fe-2a8145bcf7f8', '01a22c3d-0910-7527-81c7-7ec00d831b91', 'account', 'email', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'user.contact_verification_requested.account', 'critical', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:27.324401+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-0bcc-720c-bb9b-9b66c9f0fca1', '01a22c3d-0b98-76c9-aa7f-79b91bbf99f3', 'provider', 'inbox', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:27.948448+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-0bcc-720c-bb9b-9b67bcb8dee7', '01a22c3d-0b98-76c9-aa7f-79b91bbf99f3', 'provider', 'email', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:27.948448+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-13a0-75cf-b417-9287d31cd693', '01a22c3d-1328-7138-8e83-8afd1fccff8b', 'provider', 'inbox', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:29.952497+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-13a0-75cf-b417-92887a9c2d83', '01a22c3d-1328-7138-8e83-8afd1fccff8b', 'provider', 'email', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:29.952497+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-15e7-7709-bbd5-823e6f8a3881', '01a22c3d-156c-7391-9870-7d92a3920c9b', 'account', 'inbox', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'user.registered.account', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:30.535455+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-15f3-77d1-8e98-39e0dd1112f7', '01a22c3d-1598-7746-85f2-1137080ae50e', 'account', 'email', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'user.contact_verification_requested.account', 'critical', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:30.547747+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-17c4-7454-b5ad-2a0292da6140', '01a22c3d-17a1-71bf-a379-85f3cfbdc51a', 'provider', 'inbox', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:31.01218+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-17c4-7454-b5ad-2a035ee18f2a', '01a22c3d-17a1-71bf-a379-85f3cfbdc51a', 'provider', 'email', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.applied.provider', 'routine', '{}', NULL, 1, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:31.01218+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-1e56-7588-ac26-20c1aaed9659', '01a22c3d-1e0e-7655-8ee9-d87af17d8ed1', 'provider', 'inbox', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:32.694786+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-1f18-7415-b399-c91940434ac5', '01a22c3d-1ec8-72e7-a7ac-a93ba5f31e72', 'provider', 'inbox', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.blocked.provider', 'essential', '{"subject": "SAFETY"}', NULL, 3, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:32.88849+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-1e56-7588-ac26-20c2acfa37a7', '01a22c3d-1e0e-7655-8ee9-d87af17d8ed1', 'provider', 'email', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.verified.provider', 'routine', '{}', NULL, 2, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:32.694786+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-1f18-7415-b399-c91ae64809bc', '01a22c3d-1ec8-72e7-a7ac-a93ba5f31e72', 'provider', 'email', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'provider.blocked.provider', 'essential', '{"subject": "SAFETY"}', NULL, 3, false, false, 'DELIVERED', 1, '', NULL, NULL, '2026-11-30 11:35:32.88849+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-2004-711f-b1d0-66a096aa6971', '01a22c3d-1fc5-7018-945d-e26ae748d3f4', 'provider', 'inbox', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.blocked.provider', 'essential', '{"subject": "LATE"}', NULL, 3, false, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:33.124633+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-2004-711f-b1d0-66a15390f3a1', '01a22c3d-1fc5-7018-945d-e26ae748d3f4', 'provider', 'email', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'provider.blocked.provider', 'essential', '{"subject": "LATE"}', NULL, 3, false, false, 'QUEUED', 1, 'SMTP_UNREACHABLE', '2026-11-30 11:36:46.53343+00', NULL, '2026-11-30 11:35:33.124633+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-3761-7178-bf08-cf8173461f0b', '01a22c3d-372e-71bc-8c1f-ed3160c5f8be', 'customer', 'inbox', '01a22c3c-f815-7362-887a-2bd35978935d', 'order.created.customer', 'routine', '{"zone": "Europe/Paris", "amount": {"currency": "EUR", "minor_units": 5600}, "service": "cleaning", "starts_at": "2026-11-30T12:15:37Z"}', '01a22c3d-3574-743d-a381-cda43940b7a2', 1, true, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:39.105001+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-3761-7178-bf08-cf836bddbff3', '01a22c3d-372e-71bc-8c1f-ed3160c5f8be', 'provider', 'inbox', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'order.created.provider', 'routine', '{"zone": "Europe/Paris", "amount": {"currency": "EUR", "minor_units": 5600}, "service": "cleaning", "starts_at": "2026-11-30T12:15:37Z"}', '01a22c3d-3574-743d-a381-cda43940b7a2', 1, true, false, 'DELIVERED', 0, '', NULL, NULL, '2026-11-30 11:35:39.105001+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-3761-7178-bf08-cf826d5d2b60', '01a22c3d-372e-71bc-8c1f-ed3160c5f8be', 'customer', 'email', '01a22c3c-f815-7362-887a-2bd35978935d', 'order.created.customer', 'routine', '{"zone": "Europe/Paris", "amount": {"currency": "EUR", "minor_units": 5600}, "service": "cleaning", "starts_at": "2026-11-30T12:15:37Z"}', '01a22c3d-3574-743d-a381-cda43940b7a2', 1, true, false, 'QUEUED', 1, 'SMTP_UNREACHABLE', '2026-11-30 11:36:35.909072+00', NULL, '2026-11-30 11:35:39.105001+00', NULL);
INSERT INTO notification.messages VALUES ('01a22c3d-3761-7178-bf08-cf8449729ff9', '01a22c3d-372e-71bc-8c1f-ed3160c5f8be', 'provider', 'email', '01a22c3c-f9ed-74f1-a830-5f6429f10365', 'order.created.provider', 'routine', '{"zone": "Europe/Paris", "amount": {"currency": "EUR", "minor_units": 5600}, "service": "cleaning", "starts_at": "2026-11-30T12:15:37Z"}', '01a22c3d-3574-743d-a381-cda43940b7a2', 1, true, false, 'QUEUED', 1, 'SMTP_UNREACHABLE', '2026-11-30 11:36:29.309101+00', NULL, '2026-11-30 11:35:39.105001+00', NULL);


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: notification; Owner: -
--



--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: notification; Owner: -
--

INSERT INTO notification.seaql_migrations VALUES ('common', 1796038518);
INSERT INTO notification.seaql_migrations VALUES ('m0001_messages', 1796038519);


--
-- Data for Name: settings; Type: TABLE DATA; Schema: notification; Owner: -
--



--
-- Data for Name: timers; Type: TABLE DATA; Schema: notification; Owner: -
--



--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (user_id);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: notification; Owner: -
--

ALTER TABLE ONLY notification.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON notification.idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX inbox_seen_at ON notification.inbox USING btree (seen_at);


--
-- Name: messages_due; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX messages_due ON notification.messages USING btree (due_at) WHERE (due_at IS NOT NULL);


--
-- Name: messages_once; Type: INDEX; Schema: notification; Owner: -
--

CREATE UNIQUE INDEX messages_once ON notification.messages USING btree (event_id, addressee, channel);


--
-- Name: messages_order; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX messages_order ON notification.messages USING btree (order_id) WHERE (due_at IS NOT NULL);


--
-- Name: messages_reader; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX messages_reader ON notification.messages USING btree (user_id, channel, id);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: notification; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON notification.outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX outbox_due ON notification.outbox USING btree (state, next_at);


--
-- Name: timers_due_at; Type: INDEX; Schema: notification; Owner: -
--

CREATE INDEX timers_due_at ON notification.timers USING btree (due_at);


--
-- PostgreSQL database dump complete
--


