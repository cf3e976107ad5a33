//! The double-entry ledger. Its rules are the database's own: an unbalanced or changed posting of any program
//! is refused.
//!
//! A journal is written as a draft, gets its entries and is then posted; only posted journals count. Posting checks
//! that the entries are complete and sum to zero in each currency. After it nothing changes: a mistake is corrected by
//! a journal that reverses it.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Makes the tables and their guards.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_accounts(manager).await?;
        create_journals(manager).await?;
        create_entries(manager).await?;
        let guards = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        manager.get_connection().execute_unprepared(guards).await?;
        Ok(())
    }
}

/// `kind` groups accounts for the trial balance, `owner` is the order or provider an account belongs to.
async fn create_accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("accounts")
        .col(uuid("id").primary_key())
        .col(text("code"))
        .col(text("kind"))
        .col(uuid_null("owner"))
        .col(text("currency"))
        .to_owned();
    manager.create_table(table).await?;
    for (name, column) in [("accounts_code_currency", "code"), ("accounts_id_currency", "id")] {
        let index = Index::create()
            .name(name)
            .table("accounts")
            .col(column)
            .col("currency")
            .unique()
            .to_owned();
        manager.create_index(index).await?;
    }
    let owner = Index::create().name("accounts_owner").table("accounts").col("owner").to_owned();
    manager.create_index(owner).await
}

/// `reference` names what is posted, so that nothing is posted twice; `reverses` the journal that this one undoes.
async fn create_journals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("journals")
        .col(uuid("id").primary_key())
        .col(text_uniq("reference"))
        .col(uuid_null("reverses").unique_key())
        .col(uuid("order_id"))
        .col(integer("n_entries"))
        .col(boolean("posted"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(ForeignKey::create().from("journals", "reverses").to("journals", "id"))
        .to_owned();
    manager.create_table(table).await?;
    let order = Index::create().name("journals_order").table("journals").col("order_id").to_owned();
    manager.create_index(order).await
}

/// The foreign key holds the currency too, so that no entry is in another currency than its account.
async fn create_entries(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let account = ForeignKey::create()
        .from("entries", ("account_id", "currency"))
        .to("accounts", ("id", "currency"))
        .to_owned();
    let table = Table::create()
        .table("entries")
        .col(uuid("journal_id"))
        .col(integer("line"))
        .col(uuid("account_id"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .check(Expr::cust("amount <> 0"))
        .primary_key(Index::create().col("journal_id").col("line"))
        .foreign_key(ForeignKey::create().from("entries", "journal_id").to("journals", "id"))
        .foreign_key(&mut account.clone())
        .to_owned();
    manager.create_table(table).await?;
    let index =
        Index::create().name("entries_account").table("entries").col("account_id").to_owned();
    manager.create_index(index).await
}

/// The row lock of `ledger_entry` keeps an entry from slipping in while another session posts its journal.
const POSTGRES: &str = "
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RAISE EXCEPTION 'ledger_append_only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION ledger_entry() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE is_posted boolean;
BEGIN
  SELECT posted INTO is_posted FROM journals WHERE id = NEW.journal_id FOR SHARE;
  IF is_posted THEN
    RAISE EXCEPTION 'ledger_late_entry' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION ledger_post() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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

CREATE TRIGGER entries_before_insert BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION ledger_entry();
CREATE TRIGGER entries_no_change BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER journals_post BEFORE INSERT OR UPDATE ON journals FOR EACH ROW EXECUTE FUNCTION ledger_post();
CREATE TRIGGER journals_no_delete BEFORE DELETE ON journals FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER journals_no_truncate BEFORE TRUNCATE ON journals FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER accounts_no_change BEFORE UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER accounts_no_truncate BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
";

/// SQLite's `REPLACE` deletes without firing triggers, so that inserts over an existing row are refused as well.
const SQLITE: &str = "
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
";
