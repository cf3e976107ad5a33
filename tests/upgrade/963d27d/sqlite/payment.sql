PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "seaql_migrations" ( "version" varchar NOT NULL PRIMARY KEY, "applied_at" integer NOT NULL );
INSERT INTO seaql_migrations VALUES('common',1796038433);
INSERT INTO seaql_migrations VALUES('m0001_payments',1796038433);
INSERT INTO seaql_migrations VALUES('m0002_ledger',1796038434);
INSERT INTO seaql_migrations VALUES('m0003_sandbox',1796038434);
CREATE TABLE IF NOT EXISTS "outbox" ( "id" uuid_text NOT NULL PRIMARY KEY, "kind" text NOT NULL, "aggregate" uuid_text NOT NULL, "seq" integer NOT NULL, "occurred_at" timestamp_with_timezone_text NOT NULL, "actor" text NOT NULL, "traceparent" text NOT NULL, "data" blob(1) NOT NULL, "claimed_by" uuid_text NULL, "lease_until" timestamp_with_timezone_text NULL, "attempts" integer NOT NULL, "next_at" timestamp_with_timezone_text NOT NULL, "state" smallint NOT NULL );
CREATE TABLE IF NOT EXISTS "inbox" ( "consumer" text NOT NULL, "event_id" uuid_text NOT NULL, "seen_at" timestamp_with_timezone_text NOT NULL, PRIMARY KEY ("consumer", "event_id") );
CREATE TABLE IF NOT EXISTS "timers" ( "kind" text NOT NULL, "aggregate" uuid_text NOT NULL, "due_at" timestamp_with_timezone_text NOT NULL, "claimed_by" uuid_text NULL, "lease_until" timestamp_with_timezone_text NULL, "attempts" integer NOT NULL, PRIMARY KEY ("kind", "aggregate") );
CREATE TABLE IF NOT EXISTS "idempotency_keys" ( "scope" text NOT NULL, "key" text NOT NULL, "fingerprint" blob(1) NOT NULL, "response" blob(1) NULL, "lease_until" timestamp_with_timezone_text NOT NULL, "expires_at" timestamp_with_timezone_text NOT NULL, PRIMARY KEY ("scope", "key") );
CREATE TABLE IF NOT EXISTS "payment_methods" ( "id" uuid_text NOT NULL PRIMARY KEY, "customer_id" uuid_text NOT NULL, "token" text NOT NULL, "brand" text NOT NULL, "last4" text NOT NULL, "expiry_month" integer NOT NULL, "expiry_year" integer NOT NULL, "is_default" boolean NOT NULL, "version" integer NOT NULL, "created_at" timestamp_with_timezone_text NOT NULL, "updated_at" timestamp_with_timezone_text NOT NULL, "deleted_at" timestamp_with_timezone_text NULL );
INSERT INTO payment_methods VALUES(X'01a22c3bcd30718c815eb21e72296827',X'01a22c3ba2c7759ab3991e9b4c7c2279','tok_ok','visa','4242',12,2029,1,1,'2026-11-30T11:34:06.383923+00:00','2026-11-30T11:34:06.383923+00:00',NULL);
CREATE TABLE IF NOT EXISTS "intents" ( "id" uuid_text NOT NULL PRIMARY KEY, "order_id" uuid_text NOT NULL UNIQUE, "customer_id" uuid_text NULL, "currency" text NOT NULL, "amount" integer NOT NULL, "authorized" integer NOT NULL, "captured" integer NOT NULL, "refunded" integer NOT NULL, "state" text NOT NULL, "method_id" uuid_text NULL, "frozen" boolean NOT NULL, "closed_reason" text NOT NULL, "version" integer NOT NULL, "event_seq" integer NOT NULL, "created_at" timestamp_with_timezone_text NOT NULL, "updated_at" timestamp_with_timezone_text NOT NULL, CHECK (refunded >= 0 AND refunded <= captured AND captured <= authorized) );
INSERT INTO intents VALUES(X'01a22c3bd1d470dfbf12c71d154aa56c',X'01a22c3bd11470c08037af1893f67a8b',X'01a22c3ba2c7759ab3991e9b4c7c2279','EUR',5600,5600,0,0,'AUTHORIZED',X'01a22c3bcd30718c815eb21e72296827',0,'',2,1,'2026-11-30T11:34:07.572058+00:00','2026-11-30T11:34:07.576380+00:00');
CREATE TABLE IF NOT EXISTS "attempts" ( "id" uuid_text NOT NULL PRIMARY KEY, "intent_id" uuid_text NOT NULL, "kind" text NOT NULL, "key" text NOT NULL, "confirm_key" text NOT NULL, "charge_id" uuid_text NULL, "method_id" uuid_text NULL, "amount" integer NOT NULL, "state" text NOT NULL, "reason" text NOT NULL, "note" text NOT NULL, "confirmation_url" text NOT NULL, "fee" integer NOT NULL, "tries" integer NOT NULL, "deadline_at" timestamp_with_timezone_text NOT NULL, "created_at" timestamp_with_timezone_text NOT NULL, "updated_at" timestamp_with_timezone_text NOT NULL, FOREIGN KEY ("intent_id") REFERENCES "intents" ("id"), CHECK (amount >= 0) );
INSERT INTO attempts VALUES(X'b387ca2518885d2bbcef93a4d0d2ec8b',X'01a22c3bd1d470dfbf12c71d154aa56c','AUTHORIZE','01a22c3b-d114-70c0-8037-af1893f67a8b:0','',NULL,X'01a22c3bcd30718c815eb21e72296827',5600,'SUCCEEDED','','','',0,0,'2026-11-30T12:04:07.572058+00:00','2026-11-30T11:34:07.572058+00:00','2026-11-30T11:34:07.576380+00:00');
CREATE TABLE IF NOT EXISTS "captures" ( "intent_id" uuid_text NOT NULL PRIMARY KEY, "attempt_id" uuid_text NOT NULL, "kind" text NOT NULL, "amount" integer NOT NULL, "provider_id" uuid_text NULL, "provider_user_id" uuid_text NULL, "vertical" text NOT NULL, "payable" integer NOT NULL, "commission" integer NOT NULL, "vat" integer NOT NULL, "payable_refunded" integer NOT NULL, "commission_refunded" integer NOT NULL, "vat_refunded" integer NOT NULL, "payout_due_at" timestamp_with_timezone_text NOT NULL, FOREIGN KEY ("intent_id") REFERENCES "intents" ("id"), CHECK (payable + commission + vat = amount), CHECK (payable_refunded BETWEEN 0 AND payable), CHECK (commission_refunded BETWEEN 0 AND commission), CHECK (vat_refunded BETWEEN 0 AND vat) );
CREATE TABLE IF NOT EXISTS "payouts" ( "id" uuid_text NOT NULL PRIMARY KEY, "order_id" uuid_text NOT NULL, "intent_id" uuid_text NOT NULL, "provider_id" uuid_text NOT NULL, "provider_user_id" uuid_text NOT NULL, "kind" text NOT NULL, "currency" text NOT NULL, "gross" integer NOT NULL, "amount" integer NOT NULL, "paid" integer NOT NULL, "recovered" integer NOT NULL, "state" text NOT NULL, "reason" text NOT NULL, "due_at" timestamp_with_timezone_text NOT NULL, "transfers" integer NOT NULL, "transfer_id" uuid_text NULL UNIQUE, "version" integer NOT NULL, "event_seq" integer NOT NULL, "created_at" timestamp_with_timezone_text NOT NULL, "updated_at" timestamp_with_timezone_text NOT NULL, "paid_at" timestamp_with_timezone_text NULL, FOREIGN KEY ("intent_id") REFERENCES "intents" ("id"), CHECK (amount >= 0 AND paid >= 0 AND recovered >= 0), CHECK (paid + recovered <= amount) );
CREATE TABLE IF NOT EXISTS "psp_events" ( "psp" text NOT NULL, "event_id" text NOT NULL, "kind" text NOT NULL, "reference" uuid_text NOT NULL, "received_at" timestamp_with_timezone_text NOT NULL, PRIMARY KEY ("psp", "event_id") );
CREATE TABLE IF NOT EXISTS "accounts" ( "id" uuid_text NOT NULL PRIMARY KEY, "code" text NOT NULL, "kind" text NOT NULL, "owner" uuid_text NULL, "currency" text NOT NULL );
CREATE TABLE IF NOT EXISTS "journals" ( "id" uuid_text NOT NULL PRIMARY KEY, "reference" text NOT NULL UNIQUE, "reverses" uuid_text NULL UNIQUE, "order_id" uuid_text NOT NULL, "n_entries" integer NOT NULL, "posted" boolean NOT NULL, "created_at" timestamp_with_timezone_text NOT NULL, FOREIGN KEY ("reverses") REFERENCES "journals" ("id") );
CREATE TABLE IF NOT EXISTS "entries" ( "journal_id" uuid_text NOT NULL, "line" integer NOT NULL, "account_id" uuid_text NOT NULL, "currency" text NOT NULL, "amount" integer NOT NULL, PRIMARY KEY ("journal_id", "line"), FOREIGN KEY ("journal_id") REFERENCES "journals" ("id"), FOREIGN KEY ("account_id", "currency") REFERENCES "accounts" ("id", "currency"), CHECK (amount <> 0) );
CREATE TABLE IF NOT EXISTS "sandbox_charges" ( "reference" uuid_text NOT NULL PRIMARY KEY, "token" text NOT NULL, "currency" text NOT NULL, "amount" integer NOT NULL, "captured" integer NOT NULL, "refunded" integer NOT NULL, "state" text NOT NULL, "reason" text NOT NULL, "settles_at" timestamp_with_timezone_text NULL, CHECK (captured <= amount AND refunded <= captured) );
INSERT INTO sandbox_charges VALUES(X'b387ca2518885d2bbcef93a4d0d2ec8b','tok_ok','EUR',5600,0,0,'AUTHORIZED','',NULL);
CREATE TABLE IF NOT EXISTS "sandbox_operations" ( "reference" uuid_text NOT NULL PRIMARY KEY, "kind" text NOT NULL, "payee" uuid_text NULL, "currency" text NOT NULL, "amount" integer NOT NULL, "state" text NOT NULL, "reason" text NOT NULL );
CREATE TABLE IF NOT EXISTS "sandbox_events" ( "id" text NOT NULL PRIMARY KEY, "body" text NOT NULL, "next_at" timestamp_with_timezone_text NOT NULL, "tries" integer NOT NULL );
CREATE UNIQUE INDEX "outbox_aggregate_seq" ON "outbox" ("aggregate", "seq");
CREATE INDEX "outbox_due" ON "outbox" ("state", "next_at");
CREATE INDEX "inbox_seen_at" ON "inbox" ("seen_at");
CREATE INDEX "timers_due_at" ON "timers" ("due_at");
CREATE INDEX "idempotency_keys_expires_at" ON "idempotency_keys" ("expires_at");
CREATE INDEX payment_methods_customer ON payment_methods (customer_id)
             WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX payment_methods_one_default ON payment_methods (customer_id)
             WHERE is_default AND deleted_at IS NULL;
CREATE INDEX "intents_customer" ON "intents" ("customer_id", "id");
CREATE UNIQUE INDEX "attempts_intent_kind_key" ON "attempts" ("intent_id", "kind", "key");
CREATE INDEX attempts_unanswered ON attempts (updated_at) WHERE state = 'UNKNOWN';
CREATE UNIQUE INDEX "payouts_order_provider_kind" ON "payouts" ("order_id", "provider_id", "kind");
CREATE INDEX "payouts_provider" ON "payouts" ("provider_id", "id");
CREATE INDEX "payouts_user" ON "payouts" ("provider_user_id", "id");
CREATE UNIQUE INDEX "accounts_code_currency" ON "accounts" ("code", "currency");
CREATE UNIQUE INDEX "accounts_id_currency" ON "accounts" ("id", "currency");
CREATE INDEX "accounts_owner" ON "accounts" ("owner");
CREATE INDEX "journals_order" ON "journals" ("order_id");
CREATE INDEX "entries_account" ON "entries" ("account_id");
CREATE TRIGGER entries_late BEFORE INSERT ON entries
WHEN (SELECT posted FROM journals WHERE id = NEW.journal_id)
BEGIN SELECT RAISE(ABORT, 'ledger_late_entry'); END;
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE journal_id = NEW.journal_id AND line = NEW.line)
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER journals_draft_first BEFORE INSERT ON journals WHEN NEW.posted
BEGIN SELECT RAISE(ABORT, 'ledger_draft_first'); END;
CREATE TRIGGER journals_no_replace BEFORE INSERT ON journals
WHEN EXISTS (SELECT 1 FROM journals WHERE id = NEW.id OR reference = NEW.reference OR reverses = NEW.reverses)
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER journals_append_only BEFORE UPDATE ON journals
WHEN OLD.posted OR NOT NEW.posted OR NEW.id IS NOT OLD.id OR NEW.reference IS NOT OLD.reference
  OR NEW.order_id IS NOT OLD.order_id OR NEW.n_entries IS NOT OLD.n_entries
  OR NEW.created_at IS NOT OLD.created_at OR NEW.reverses IS NOT OLD.reverses
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER journals_balance BEFORE UPDATE ON journals
WHEN NEW.n_entries < 2
  OR (SELECT COUNT(*) FROM entries WHERE journal_id = NEW.id) <> NEW.n_entries
  OR EXISTS (SELECT 1 FROM entries WHERE journal_id = NEW.id GROUP BY currency HAVING SUM(amount) <> 0)
BEGIN SELECT RAISE(ABORT, 'ledger_unbalanced'); END;
CREATE TRIGGER journals_no_delete BEFORE DELETE ON journals
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER accounts_no_replace BEFORE INSERT ON accounts
WHEN EXISTS (
  SELECT 1 FROM accounts
  WHERE (id = NEW.id AND (code <> NEW.code OR currency <> NEW.currency))
    OR (code = NEW.code AND currency = NEW.currency AND id <> NEW.id)
)
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER accounts_no_update BEFORE UPDATE ON accounts
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE TRIGGER accounts_no_delete BEFORE DELETE ON accounts
BEGIN SELECT RAISE(ABORT, 'ledger_append_only'); END;
CREATE INDEX sandbox_charges_settles ON sandbox_charges (settles_at)
             WHERE settles_at IS NOT NULL;
CREATE INDEX "sandbox_events_next_at" ON "sandbox_events" ("next_at");
COMMIT;
