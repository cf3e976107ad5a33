//! Holds of payouts by reason, chargebacks, dues, and the accounts that cannot be overdrawn.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Adds the columns and tables, and makes holds of what is frozen.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        intents(manager).await?;
        chargebacks(manager).await?;
        dues(manager).await?;
        payout_holds(manager).await?;
        let connection = manager.get_connection();
        connection.execute_unprepared(HOLDS_OF_FROZEN_PAYOUTS).await?;
        let limits = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES_LIMITS,
            _ => SQLITE_LIMITS,
        };
        connection.execute_unprepared(limits).await?;
        Ok(())
    }
}

/// `order_id` is the subject of a payment: the order, or the due that it pays when `purpose` says so; `for_order` is
/// then the order of the due. `charged_back` is what the customer's bank took back, or holds during a dispute.
async fn intents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        text("purpose").default("ORDER").to_owned(),
        uuid_null("for_order"),
        big_integer("charged_back")
            .default(0)
            .check(Expr::cust("charged_back >= 0 AND refunded + charged_back <= captured"))
            .to_owned(),
    ];
    for column in columns {
        let table = Table::alter().table("intents").add_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX intents_for_order ON intents (for_order) WHERE for_order IS NOT NULL",
        )
        .await?;
    Ok(())
}

/// Disputes of a charge at the customer's bank, one a charge. `amount` is what it is about, `fee` what the payment
/// provider took for it.
async fn chargebacks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("chargebacks")
        .col(uuid("charge_id").primary_key())
        .col(uuid("intent_id"))
        .col(big_integer("amount"))
        .col(big_integer("fee"))
        .col(text("reason"))
        .col(text("state"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::cust("amount >= 0 AND fee >= 0"))
        .foreign_key(ForeignKey::create().from("chargebacks", "charge_id").to("attempts", "id"))
        .foreign_key(ForeignKey::create().from("chargebacks", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await
}

/// What customers owe after a capture was declined. `intent_id` is the payment of the order.
async fn dues(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("dues")
        .col(uuid("id").primary_key())
        .col(uuid_uniq("intent_id"))
        .col(uuid("order_id"))
        .col(uuid("customer_id"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(text("state"))
        .col(text("reason"))
        .col(timestamp_with_time_zone("due_at"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::cust("amount > 0"))
        .foreign_key(ForeignKey::create().from("dues", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await?;
    let customer =
        Index::create().name("dues_customer").table("dues").col("customer_id").col("id").to_owned();
    manager.create_index(customer).await
}

/// Why payouts are held back. `subject` is a payout, an order or a provider, all of whose payouts are meant;
/// `reference` tells apart several holds for one reason. A payout is frozen as long as there is a hold of it.
async fn payout_holds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("payout_holds")
        .col(uuid("subject"))
        .col(text("reason"))
        .col(text("reference"))
        .col(uuid_null("held_by"))
        .col(timestamp_with_time_zone("held_at"))
        .primary_key(Index::create().col("subject").col("reason").col("reference"))
        .to_owned();
    manager.create_table(table).await
}

/// A payment that was marked frozen had a dispute, at the bank where the payment provider had told of one; any other
/// frozen payout was frozen by an operator.
const HOLDS_OF_FROZEN_PAYOUTS: &str = "
INSERT INTO payout_holds (subject, reason, reference, held_at)
SELECT order_id, 'ORDER_DISPUTE', '', updated_at FROM intents WHERE frozen;

INSERT INTO payout_holds (subject, reason, reference, held_at)
SELECT DISTINCT i.order_id, 'CHARGEBACK', '', i.updated_at
FROM intents i
JOIN attempts a ON a.intent_id = i.id
JOIN psp_events e ON e.reference = a.id AND e.kind = 'charge.disputed'
WHERE i.frozen;

INSERT INTO payout_holds (subject, reason, reference, held_at)
SELECT p.id, 'OPERATOR', '', p.updated_at
FROM payouts p JOIN intents i ON i.id = p.intent_id
WHERE p.state = 'FROZEN' AND NOT i.frozen;
";

/// No more leaves an escrow than came in, no more of a deferred income is earned than was deferred, and no more of a due
/// is paid than is owed. A provider's account may go below zero: that is what the provider owes.
const POSTGRES_LIMITS: &str = "
CREATE FUNCTION ledger_limits() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM accounts a JOIN entries e ON e.account_id = a.id
    WHERE a.kind IN ('order.escrow', 'order.deferred', 'customer.dues')
      AND a.id IN (SELECT account_id FROM entries WHERE journal_id = NEW.id)
    GROUP BY a.id, a.kind
    HAVING SUM(CASE a.kind WHEN 'customer.dues' THEN -e.amount ELSE e.amount END) < 0
  ) THEN
    RAISE EXCEPTION 'ledger_overdrawn' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER journals_limits BEFORE UPDATE ON journals FOR EACH ROW EXECUTE FUNCTION ledger_limits();
";

/// The same for SQLite.
const SQLITE_LIMITS: &str = "
CREATE TRIGGER journals_limits BEFORE UPDATE ON journals
WHEN EXISTS (
  SELECT 1 FROM accounts a JOIN entries e ON e.account_id = a.id
  WHERE a.kind IN ('order.escrow', 'order.deferred', 'customer.dues')
    AND a.id IN (SELECT account_id FROM entries WHERE journal_id = NEW.id)
  GROUP BY a.id, a.kind
  HAVING SUM(CASE a.kind WHEN 'customer.dues' THEN -e.amount ELSE e.amount END) < 0
)
BEGIN SELECT RAISE(ABORT, 'ledger_overdrawn'); END;
";
