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
-- Name: payment; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA payment;


--
-- Name: ledger_entry(); Type: FUNCTION; Schema: payment; Owner: -
--

CREATE FUNCTION payment.ledger_entry() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'payment', 'public'
    AS $$
DECLARE is_posted boolean;
BEGIN
  SELECT posted INTO is_posted FROM journals WHERE id = NEW.journal_id FOR SHARE;
  IF is_posted THEN
    RAISE EXCEPTION 'ledger_late_entry' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;


--
-- Name: ledger_post(); Type: FUNCTION; Schema: payment; Owner: -
--

CREATE FUNCTION payment.ledger_post() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'payment', 'public'
    AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.posted THEN
      RAISE EXCEPTION 'ledger_draft_first' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.posted OR NOT NEW.posted
    OR (NEW.id, NEW.reference, NEW.order_id, NEW.n_entries, NEW.created_at)
      IS DISTINCT FROM (OLD.id, OLD.reference, OLD.order_id, OLD.n_entries, OLD.created_at)
    OR NEW.reverses IS DISTINCT FROM OLD.reverses
  THEN
    RAISE EXCEPTION 'ledger_append_only' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.n_entries < 2
    OR (SELECT COUNT(*) FROM entries WHERE journal_id = NEW.id) <> NEW.n_entries
    OR EXISTS (SELECT 1 FROM entries WHERE journal_id = NEW.id GROUP BY currency HAVING SUM(amount) <> 0)
  THEN
    RAISE EXCEPTION 'ledger_unbalanced' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;


--
-- Name: ledger_refuse(); Type: FUNCTION; Schema: payment; Owner: -
--

CREATE FUNCTION payment.ledger_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'payment', 'public'
    AS $$
BEGIN
  RAISE EXCEPTION 'ledger_append_only' USING ERRCODE = 'integrity_constraint_violation';
END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.accounts (
    id uuid NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    owner uuid,
    currency text NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.attempts (
    id uuid NOT NULL,
    intent_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    confirm_key text NOT NULL,
    charge_id uuid,
    method_id uuid,
    amount bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    note text NOT NULL,
    confirmation_url text NOT NULL,
    fee bigint NOT NULL,
    tries integer NOT NULL,
    deadline_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT attempts_amount_check CHECK ((amount >= 0))
);


--
-- Name: captures; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.captures (
    intent_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    provider_id uuid,
    provider_user_id uuid,
    vertical text NOT NULL,
    payable bigint NOT NULL,
    commission bigint NOT NULL,
    vat bigint NOT NULL,
    payable_refunded bigint NOT NULL,
    commission_refunded bigint NOT NULL,
    vat_refunded bigint NOT NULL,
    payout_due_at timestamp with time zone NOT NULL,
    CONSTRAINT captures_check CHECK ((((payable + commission) + vat) = amount)),
    CONSTRAINT captures_check1 CHECK (((payable_refunded >= 0) AND (payable_refunded <= payable))),
    CONSTRAINT captures_check2 CHECK (((commission_refunded >= 0) AND (commission_refunded <= commission))),
    CONSTRAINT captures_check3 CHECK (((vat_refunded >= 0) AND (vat_refunded <= vat)))
);


--
-- Name: entries; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.entries (
    journal_id uuid NOT NULL,
    line integer NOT NULL,
    account_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT entries_amount_check CHECK ((amount <> 0))
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    lease_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: inbox; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: intents; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.intents (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    customer_id uuid,
    currency text NOT NULL,
    amount bigint NOT NULL,
    authorized bigint NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    state text NOT NULL,
    method_id uuid,
    frozen boolean NOT NULL,
    closed_reason text NOT NULL,
    version bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT intents_check CHECK (((refunded >= 0) AND (refunded <= captured) AND (captured <= authorized)))
);


--
-- Name: journals; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.journals (
    id uuid NOT NULL,
    reference text NOT NULL,
    reverses uuid,
    order_id uuid NOT NULL,
    n_entries integer NOT NULL,
    posted boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.outbox (
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
-- Name: payment_methods; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.payment_methods (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    token text NOT NULL,
    brand text NOT NULL,
    last4 text NOT NULL,
    expiry_month integer NOT NULL,
    expiry_year integer NOT NULL,
    is_default boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);


--
-- Name: payouts; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.payouts (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    intent_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    provider_user_id uuid NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    gross bigint NOT NULL,
    amount bigint NOT NULL,
    paid bigint NOT NULL,
    recovered bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    transfers integer NOT NULL,
    transfer_id uuid,
    version bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    CONSTRAINT payouts_check CHECK (((amount >= 0) AND (paid >= 0) AND (recovered >= 0))),
    CONSTRAINT payouts_check1 CHECK (((paid + recovered) <= amount))
);


--
-- Name: psp_events; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.psp_events (
    psp text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    reference uuid NOT NULL,
    received_at timestamp with time zone NOT NULL
);


--
-- Name: sandbox_charges; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.sandbox_charges (
    reference uuid NOT NULL,
    token text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    settles_at timestamp with time zone,
    CONSTRAINT sandbox_charges_check CHECK (((captured <= amount) AND (refunded <= captured)))
);


--
-- Name: sandbox_events; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.sandbox_events (
    id text NOT NULL,
    body text NOT NULL,
    next_at timestamp with time zone NOT NULL,
    tries integer NOT NULL
);


--
-- Name: sandbox_operations; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.sandbox_operations (
    reference uuid NOT NULL,
    kind text NOT NULL,
    payee uuid,
    currency text NOT NULL,
    amount bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL
);


--
-- Name: seaql_migrations; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);


--
-- Name: timers; Type: TABLE; Schema: payment; Owner: -
--

CREATE TABLE payment.timers (
    kind text NOT NULL,
    aggregate uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_by uuid,
    lease_until timestamp with time zone,
    attempts integer NOT NULL
);


--
-- Data for Name: accounts; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: attempts; Type: TABLE DATA; Schema: payment; Owner: -
--

INSERT INTO payment.attempts VALUES ('7585aa50-da43-5fd2-a673-866e757eccb9', '01a22c3d-366c-75bb-9218-626e8fa37263', 'AUTHORIZE', '01a22c3d-3574-743d-a381-cda43940b7a2:0', '', NULL, '01a22c3d-317c-74d4-98ef-5cc30f1bda57', 5600, 'SUCCEEDED', '', '', '', 0, 0, '2026-11-30 12:05:38.798951+00', '2026-11-30 11:35:38.798951+00', '2026-11-30 11:35:38.953562+00');


--
-- Data for Name: captures; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: entries; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: inbox; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: intents; Type: TABLE DATA; Schema: payment; Owner: -
--

INSERT INTO payment.intents VALUES ('01a22c3d-366c-75bb-9218-626e8fa37263', '01a22c3d-3574-743d-a381-cda43940b7a2', '01a22c3c-f815-7362-887a-2bd35978935d', 'EUR', 5600, 5600, 0, 0, 'AUTHORIZED', '01a22c3d-317c-74d4-98ef-5cc30f1bda57', false, '', 2, 1, '2026-11-30 11:35:38.798951+00', '2026-11-30 11:35:38.953562+00');


--
-- Data for Name: journals; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: outbox; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: payment_methods; Type: TABLE DATA; Schema: payment; Owner: -
--

INSERT INTO payment.payment_methods VALUES ('01a22c3d-317c-74d4-98ef-5cc30f1bda57', '01a22c3c-f815-7362-887a-2bd35978935d', 'tok_ok', 'visa', '4242', 12, 2029, true, 1, '2026-11-30 11:35:37.560037+00', '2026-11-30 11:35:37.560037+00', NULL);


--
-- Data for Name: payouts; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: psp_events; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: sandbox_charges; Type: TABLE DATA; Schema: payment; Owner: -
--

INSERT INTO payment.sandbox_charges VALUES ('7585aa50-da43-5fd2-a673-866e757eccb9', 'tok_ok', 'EUR', 5600, 0, 0, 'AUTHORIZED', '', NULL);


--
-- Data for Name: sandbox_events; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: sandbox_operations; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Data for Name: seaql_migrations; Type: TABLE DATA; Schema: payment; Owner: -
--

INSERT INTO payment.seaql_migrations VALUES ('common', 1796038516);
INSERT INTO payment.seaql_migrations VALUES ('m0001_payments', 1796038516);
INSERT INTO payment.seaql_migrations VALUES ('m0002_ledger', 1796038517);
INSERT INTO payment.seaql_migrations VALUES ('m0003_sandbox', 1796038517);


--
-- Data for Name: timers; Type: TABLE DATA; Schema: payment; Owner: -
--



--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);


--
-- Name: captures captures_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.captures
    ADD CONSTRAINT captures_pkey PRIMARY KEY (intent_id);


--
-- Name: entries entries_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (journal_id, line);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);


--
-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id);


--
-- Name: intents intents_order_id_key; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.intents
    ADD CONSTRAINT intents_order_id_key UNIQUE (order_id);


--
-- Name: intents intents_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.intents
    ADD CONSTRAINT intents_pkey PRIMARY KEY (id);


--
-- Name: journals journals_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.journals
    ADD CONSTRAINT journals_pkey PRIMARY KEY (id);


--
-- Name: journals journals_reference_key; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.journals
    ADD CONSTRAINT journals_reference_key UNIQUE (reference);


--
-- Name: journals journals_reverses_key; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.journals
    ADD CONSTRAINT journals_reverses_key UNIQUE (reverses);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: payment_methods payment_methods_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (id);


--
-- Name: payouts payouts_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.payouts
    ADD CONSTRAINT payouts_pkey PRIMARY KEY (id);


--
-- Name: payouts payouts_transfer_id_key; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.payouts
    ADD CONSTRAINT payouts_transfer_id_key UNIQUE (transfer_id);


--
-- Name: psp_events psp_events_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.psp_events
    ADD CONSTRAINT psp_events_pkey PRIMARY KEY (psp, event_id);


--
-- Name: sandbox_charges sandbox_charges_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.sandbox_charges
    ADD CONSTRAINT sandbox_charges_pkey PRIMARY KEY (reference);


--
-- Name: sandbox_events sandbox_events_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.sandbox_events
    ADD CONSTRAINT sandbox_events_pkey PRIMARY KEY (id);


--
-- Name: sandbox_operations sandbox_operations_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.sandbox_operations
    ADD CONSTRAINT sandbox_operations_pkey PRIMARY KEY (reference);


--
-- Name: seaql_migrations seaql_migrations_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.seaql_migrations
    ADD CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (kind, aggregate);


--
-- Name: accounts_code_currency; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX accounts_code_currency ON payment.accounts USING btree (code, currency);


--
-- Name: accounts_id_currency; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX accounts_id_currency ON payment.accounts USING btree (id, currency);


--
-- Name: accounts_owner; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX accounts_owner ON payment.accounts USING btree (owner);


--
-- Name: attempts_intent_kind_key; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX attempts_intent_kind_key ON payment.attempts USING btree (intent_id, kind, key);


--
-- Name: attempts_unanswered; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX attempts_unanswered ON payment.attempts USING btree (updated_at) WHERE (state = 'UNKNOWN'::text);


--
-- Name: entries_account; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX entries_account ON payment.entries USING btree (account_id);


--
-- Name: idempotency_keys_expires_at; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX idempotency_keys_expires_at ON payment.idempotency_keys USING btree (expires_at);


--
-- Name: inbox_seen_at; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX inbox_seen_at ON payment.inbox USING btree (seen_at);


--
-- Name: intents_customer; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX intents_customer ON payment.intents USING btree (customer_id, id);


--
-- Name: journals_order; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX journals_order ON payment.journals USING btree (order_id);


--
-- Name: outbox_aggregate_seq; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX outbox_aggregate_seq ON payment.outbox USING btree (aggregate, seq);


--
-- Name: outbox_due; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX outbox_due ON payment.outbox USING btree (state, next_at);


--
-- Name: payment_methods_customer; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX payment_methods_customer ON payment.payment_methods USING btree (customer_id) WHERE (deleted_at IS NULL);


--
-- Name: payment_methods_one_default; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX payment_methods_one_default ON payment.payment_methods USING btree (customer_id) WHERE (is_default AND (deleted_at IS NULL));


--
-- Name: payouts_order_provider_kind; Type: INDEX; Schema: payment; Owner: -
--

CREATE UNIQUE INDEX payouts_order_provider_kind ON payment.payouts USING btree (order_id, provider_id, kind);


--
-- Name: payouts_provider; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX payouts_provider ON payment.payouts USING btree (provider_id, id);


--
-- Name: payouts_user; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX payouts_user ON payment.payouts USING btree (provider_user_id, id);


--
-- Name: sandbox_charges_settles; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX sandbox_charges_settles ON payment.sandbox_charges USING btree (settles_at) WHERE (settles_at IS NOT NULL);


--
-- Name: sandbox_events_next_at; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX sandbox_events_next_at ON payment.sandbox_events USING btree (next_at);


--
-- Name: timers_due_at; Type: INDEX; Schema: payment; Owner: -
--

CREATE INDEX timers_due_at ON payment.timers USING btree (due_at);


--
-- Name: accounts accounts_no_change; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER accounts_no_change BEFORE DELETE OR UPDATE ON payment.accounts FOR EACH ROW EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: accounts accounts_no_truncate; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER accounts_no_truncate BEFORE TRUNCATE ON payment.accounts FOR EACH STATEMENT EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: entries entries_before_insert; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER entries_before_insert BEFORE INSERT ON payment.entries FOR EACH ROW EXECUTE FUNCTION payment.ledger_entry();


--
-- Name: entries entries_no_change; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER entries_no_change BEFORE DELETE OR UPDATE ON payment.entries FOR EACH ROW EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: entries entries_no_truncate; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON payment.entries FOR EACH STATEMENT EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: journals journals_no_delete; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER journals_no_delete BEFORE DELETE ON payment.journals FOR EACH ROW EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: journals journals_no_truncate; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER journals_no_truncate BEFORE TRUNCATE ON payment.journals FOR EACH STATEMENT EXECUTE FUNCTION payment.ledger_refuse();


--
-- Name: journals journals_post; Type: TRIGGER; Schema: payment; Owner: -
--

CREATE TRIGGER journals_post BEFORE INSERT OR UPDATE ON payment.journals FOR EACH ROW EXECUTE FUNCTION payment.ledger_post();


--
-- Name: attempts attempts_intent_id_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.attempts
    ADD CONSTRAINT attempts_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES payment.intents(id);


--
-- Name: captures captures_intent_id_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.captures
    ADD CONSTRAINT captures_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES payment.intents(id);


--
-- Name: entries entries_account_id_currency_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.entries
    ADD CONSTRAINT entries_account_id_currency_fkey FOREIGN KEY (account_id, currency) REFERENCES payment.accounts(id, currency);


--
-- Name: entries entries_journal_id_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.entries
    ADD CONSTRAINT entries_journal_id_fkey FOREIGN KEY (journal_id) REFERENCES payment.journals(id);


--
-- Name: journals journals_reverses_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.journals
    ADD CONSTRAINT journals_reverses_fkey FOREIGN KEY (reverses) REFERENCES payment.journals(id);


--
-- Name: payouts payouts_intent_id_fkey; Type: FK CONSTRAINT; Schema: payment; Owner: -
--

ALTER TABLE ONLY payment.payouts
    ADD CONSTRAINT payouts_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES payment.intents(id);


--
-- PostgreSQL database dump complete
--


