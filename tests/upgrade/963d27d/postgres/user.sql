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
-- Name: user; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA "user";


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: addresses; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".addresses (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    label text NOT NULL,
    address json NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: consents; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".consents (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    text_version text NOT NULL,
    granted boolean NOT NULL,
    answered_at timestamp with time zone NOT NULL
);


--
-- Name: contact_codes; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".contact_codes (
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    selector text,
    code_hash text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    attempts integer NOT NULL
);


--
-- Name: credentials; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".credentials (
    user_id uuid NOT NULL,
    password_hash text NOT NULL,
    changed_at timestamp with time zone NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".outbox (
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
-- Name: refresh_tokens; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".refresh_tokens (
    hash text NOT NULL,
    session_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    rotated_at timestamp with time zone,
    successor bytea
);


--
-- Name: revocations; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".revocations (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid,
    token_version bigint NOT NULL,
    revoked_at timestamp with time zone NOT NULL
);


--
-- Name: seaql_migrations; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: sessions; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);


--
-- Name: timers; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Name: users; Type: TABLE; Schema: user; Owner: -
--

CREATE TABLE "user".users (
    id uuid NOT NULL,
    email text,
    name text NOT NULL,
    phone text NOT NULL,
    status text NOT NULL,
    suspension_reason text NOT NULL,
    role text NOT NULL,
    roles smallint NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    email_verified_at timestamp with time zone,
    repetition_noticed_at timestamp with time zone,
    token_version bigint NOT NULL,
    event_seq bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Data for Name: addresses; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: consents; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: contact_codes; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".contact_codes VALUES ('01a22c3c-f815-7362-887a-2bd35978935d', 'verification', '2026-11-30 11:35:23.125784+00', 'J9T2BD1T', 'b7auEaQmYlXwWwINmaEyo85q2h6rgpUine-qyTAHc3Y', '2026-12-01 11:35:23.764039+00', 0);
INSERT INTO "user".contact_codes VALUES ('01a22c3c-f9ed-74f1-a830-5f6429f10365', 'verification', '2026-11-30 11:35:23.580237+00', 'XH4MX9E3', 'P5m_9ClAZeBFmxcNctjWAOtVlUORwX3laF4E8FFUJX8', '2026-12-01 11:35:24.471094+00', 0);
INSERT INTO "user".contact_codes VALUES ('01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'verification', '2026-11-30 11:35:27.226011+00', 'F3D7V560', '9y9dJjDDMobghZb39rJHQE5K18Ha6moIBQwLtMFXnW4', '2026-12-01 11:35:27.688022+00', 0);
INSERT INTO "user".contact_codes VALUES ('01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'verification', '2026-11-30 11:35:30.314211+00', 'XE1RM35N', 'hMMUHPfsu8wqi9Zgs2Ox1hnBEwu_EDHIldx5cMwAQrc', '2026-12-01 11:35:30.833114+00', 0);


--
-- Data for Name: credentials; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".credentials VALUES ('01a22c3c-d548-7621-9c4f-0bf9527a42aa', '$argon2id$v=19$m=19456,t=2,p=1$Sw3P+X+uEcVoDG8FjUv3LA$eTWo51ODXVxNm05dPSQgEO07fVmeEiNTb3kY+he9Ft8', '2026-11-30 11:35:14.064141+00');
INSERT INTO "user".credentials VALUES ('01a22c3c-f815-7362-887a-2bd35978935d', '$argon2id$v=19$m=19456,t=2,p=1$+aGOO4YVVFeAJWP7fJFjTA$vFwqZ5ph73sNXzV9RV5bEZQTPiT4NxNhTdofnOZeZ4k', '2026-11-30 11:35:23.125784+00');
INSERT INTO "user".credentials VALUES ('01a22c3c-f9ed-74f1-a830-5f6429f10365', '$argon2id$v=19$m=19456,t=2,p=1$IgiWWHNuo59reU3QfcfFYA$QbvHpAq/fDhy02QVN+gmmMVjP0CuKGf2I3nyM+YYhGU', '2026-11-30 11:35:23.580237+00');
INSERT INTO "user".credentials VALUES ('01a22c3d-074b-7255-98b0-6e39bcd44fd4', '$argon2id$v=19$m=19456,t=2,p=1$tLtL2SFg0cCIs4Pz9OBZiA$n0kpM6M8fpXK5PMge38sbr/pGS8rw92chGl0G9poziw', '2026-11-30 11:35:27.226011+00');
INSERT INTO "user".credentials VALUES ('01a22c3d-13c9-731d-81f5-4f9ee1ee33de', '$argon2id$v=19$m=19456,t=2,p=1$N6Y/ys1FhK0Wgn32k0xTfQ$hlGRAS5QSvE0tqmkbQRD0LqwYWOz3Lu2fMv5R2e1LTY', '2026-11-30 11:35:30.314211+00');


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: outbox; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: refresh_tokens; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".refresh_tokens VALUES ('CbpRgL89DgzciGiSRaQRoXMyEYhWE0-lKKoTP1KS_iQ', '01a22c3c-f742-76de-8d42-3d8ded933a61', '2026-12-14 11:35:22.696164+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('mfO5RGS9cmvp19LGefASvn_TduOigZ9xfiW676hg8E4', '01a22c3c-fd05-724e-b813-05d277e93199', '2026-12-14 11:35:24.166142+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('c9sLMWGpiN6oHzL3RDxCr6ri9Pjox4TBub8NnkRo4Qk', '01a22c3d-0aa0-7290-9603-953358acbb90', '2026-12-14 11:35:27.660124+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('q6yI6GfdUmD5eQCtb8zeEiY_F4tqEc6YEs0g17jvCwY', '01a22c3d-1706-7470-a1d7-5895fa649063', '2026-12-14 11:35:30.823222+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('ed9GrwHfL4VPOBWQH7Qnx-JuCJpNDUipgZy9ht1BxnI', '01a22c3d-3049-76d9-bfdd-a37b1ae59fc9', '2026-12-14 11:35:37.311554+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('GXPAVYLJmg8UXhu-a5uzNtEqtHfipY1B0AQGxe60MyU', '01a22c3d-480d-716e-878a-ccf58f0914a5', '2026-12-14 11:35:43.375778+00', NULL, NULL);
INSERT INTO "user".refresh_tokens VALUES ('IeU7C5AAmzSamsDKVsJHoeGEUWJJVhmmcYPqhVqe5Tw', '01a22c3d-4a0e-748c-ad61-5dc4ae66aa1e', '2026-12-14 11:35:43.892045+00', NULL, NULL);


--
-- Data for Name: revocations; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".seaql_migrations VALUES ('common', 1796038513);
INSERT INTO "user".seaql_migrations VALUES ('m0001_accounts', 1796038513);


--
-- Data for Name: sessions; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".sessions VALUES ('01a22c3c-f742-76de-8d42-3d8ded933a61', '01a22c3c-d548-7621-9c4f-0bf9527a42aa', '2026-11-30 11:35:22.696164+00', '2027-01-29 11:35:22.696164+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3c-fd05-724e-b813-05d277e93199', '01a22c3c-f9ed-74f1-a830-5f6429f10365', '2026-11-30 11:35:24.166142+00', '2027-01-29 11:35:24.166142+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3d-0aa0-7290-9603-953358acbb90', '01a22c3d-074b-7255-98b0-6e39bcd44fd4', '2026-11-30 11:35:27.660124+00', '2027-01-29 11:35:27.660124+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3d-1706-7470-a1d7-5895fa649063', '01a22c3d-13c9-731d-81f5-4f9ee1ee33de', '2026-11-30 11:35:30.823222+00', '2027-01-29 11:35:30.823222+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3d-3049-76d9-bfdd-a37b1ae59fc9', '01a22c3c-f815-7362-887a-2bd35978935d', '2026-11-30 11:35:37.311554+00', '2027-01-29 11:35:37.311554+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3d-480d-716e-878a-ccf58f0914a5', '01a22c3c-f815-7362-887a-2bd35978935d', '2026-11-30 11:35:43.375778+00', '2027-01-29 11:35:43.375778+00', NULL);
INSERT INTO "user".sessions VALUES ('01a22c3d-4a0e-748c-ad61-5dc4ae66aa1e', '01a22c3c-f9ed-74f1-a830-5f6429f10365', '2026-11-30 11:35:43.892045+00', '2027-01-29 11:35:43.892045+00', NULL);


--
-- Data for Name: timers; Type: TABLE DATA; Schema: user; Owner: -
--



--
-- Data for Name: users; Type: TABLE DATA; Schema: user; Owner: -
--

INSERT INTO "user".users VALUES ('01a22c3c-d548-7621-9c4f-0bf9527a42aa', 'op@upgrade.example', 'Operator', '', 'active', '', 'operator', 4, 'fr', 'Europe/Paris', '2026-11-30 11:35:14.064141+00', NULL, 1, 1, 1, '2026-11-30 11:35:14.064141+00', '2026-11-30 11:35:14.064141+00');
INSERT INTO "user".users VALUES ('01a22c3c-f815-7362-887a-2bd35978935d', 'alice@upgrade.example', 'alice@upgrade.example', '', 'active', '', 'customer', 1, 'en', 'Europe/Paris', NULL, NULL, 1, 2, 1, '2026-11-30 11:35:23.125784+00', '2026-11-30 11:35:23.125784+00');
INSERT INTO "user".users VALUES ('01a22c3c-f9ed-74f1-a830-5f6429f10365', 'bob@upgrade.example', 'bob@upgrade.example', '', 'active', '', 'provider', 2, 'en', 'Europe/Paris', NULL, NULL, 1, 2, 1, '2026-11-30 11:35:23.580237+00', '2026-11-30 11:35:23.580237+00');
INSERT INTO "user".users VALUES ('01a22c3d-074b-7255-98b0-6e39bcd44fd4', 'held@upgrade.example', 'held@upgrade.example', '', 'active', '', 'provider', 2, 'en', 'Europe/Paris', NULL, NULL, 1, 2, 1, '2026-11-30 11:35:27.226011+00', '2026-11-30 11:35:27.226011+00');
INSERT INTO "user".users VALUES ('01a22c3d-13c9-731d-81f5-4f9ee1ee33de', 'paused@upgrade.example', 'paused@upgrade.example', '', 'active', '', 'provider', 2, 'en', 'Europe/Paris', NULL, NULL, 1, 2, 1, '2026-11-30 11:35:30.314211+00', '2026-11-30 11:35:30.314211+00');


--
-- Name: addresses addresses_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".addresses
    ADD CONSTRAINT addresses_pkey PRIMARY KEY (id);


--
-- Name: consents consents_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".consents
    ADD CONSTRAINT consents_pkey PRIMARY KEY (id);


--
-- Name: contact_codes contact_codes_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".contact_codes
    ADD CONSTRAINT contact_codes_pkey PRIMARY KEY (user_id, purpose);


--
-- Name: credentials credentials_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (user_id);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: refresh_tokens refresh_tokens_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (hash);


--
-- Name: revocations revocations_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".revocations
    ADD CONSTRAINT revocations_pkey PRIMARY KEY (id);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: addresses_user_id; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX addresses_user_id ON "user".addresses USING btree (user_id, id);


--
-- Name: consents_user_id; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX consents_user_id ON "user".consents USING btree (user_id, id);


--
-- Name: contact_codes_expires_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX contact_codes_expires_at ON "user".contact_codes USING btree (expires_at);


--
-- Name: contact_codes_selector; Type: INDEX; Schema: user; Owner: -
--

CREATE UNIQUE INDEX contact_codes_selector ON "user".contact_codes USING btree (selector);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON "user".idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX inbox_seen_at ON "user".inbox USING btree (seen_at);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: user; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON "user".outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX outbox_due ON "user".outbox USING btree (state, next_at);


--
-- Name: refresh_tokens_expires_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX refresh_tokens_expires_at ON "user".refresh_tokens USING btree (expires_at);


--
-- Name: refresh_tokens_session_id; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX refresh_tokens_session_id ON "user".refresh_tokens USING btree (session_id);


--
-- Name: revocations_revoked_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX revocations_revoked_at ON "user".revocations USING btree (revoked_at);


--
-- Name: sessions_expires_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX sessions_expires_at ON "user".sessions USING btree (expires_at);


--
-- Name: sessions_user_id; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX sessions_user_id ON "user".sessions USING btree (user_id);


--
-- Name: timers_due_at; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX timers_due_at ON "user".timers USING btree (due_at);


--
-- Name: users_email; Type: INDEX; Schema: user; Owner: -
--

CREATE UNIQUE INDEX users_email ON "user".users USING btree (email);


--
-- Name: users_status; Type: INDEX; Schema: user; Owner: -
--

CREATE INDEX users_status ON "user".users USING btree (status, created_at);


--
-- Name: addresses addresses_user_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".addresses
    ADD CONSTRAINT addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user".users(id) ON DELETE CASCADE;


--
-- Name: consents consents_user_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".consents
    ADD CONSTRAINT consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user".users(id) ON DELETE CASCADE;


--
-- Name: contact_codes contact_codes_user_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".contact_codes
    ADD CONSTRAINT contact_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user".users(id) ON DELETE CASCADE;


--
-- Name: credentials credentials_user_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".credentials
    ADD CONSTRAINT credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user".users(id) ON DELETE CASCADE;


--
-- Name: refresh_tokens refresh_tokens_session_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES "user".sessions(id) ON DELETE CASCADE;


--
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: user; Owner: -
--

ALTER TABLE ONLY "user".sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user".users(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


