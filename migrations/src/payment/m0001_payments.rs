//! Intents and their attempts, captures, payouts, saved methods and the events of payment providers.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        payment_methods(manager).await?;
        create_intents(manager).await?;
        create_attempts(manager).await?;
        create_captures(manager).await?;
        create_payouts(manager).await?;
        psp_events(manager).await
    }
}

/// Cards on file. `token` is the payment provider's, never a card number. A deleted one keeps its row for the payments
/// that used it.
async fn payment_methods(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("payment_methods")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(text("token"))
        .col(text("brand"))
        .col(text("last4"))
        .col(integer("expiry_month"))
        .col(integer("expiry_year"))
        .col(boolean("is_default"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(timestamp_with_time_zone_null("deleted_at"))
        .to_owned();
    manager.create_table(table).await?;
    let connection = manager.get_connection();
    connection
        .execute_unprepared(
            "CREATE INDEX payment_methods_customer ON payment_methods (customer_id)
             WHERE deleted_at IS NULL",
        )
        .await?;
    connection
        .execute_unprepared(
            "CREATE UNIQUE INDEX payment_methods_one_default ON payment_methods (customer_id)
             WHERE is_default AND deleted_at IS NULL",
        )
        .await?;
    Ok(())
}

/// The money of an order. Amounts are minor units of `currency`; `customer_id` is null when an order was closed before
/// it ever paid.
async fn create_intents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("intents")
        .col(uuid("id").primary_key())
        .col(uuid_uniq("order_id"))
        .col(uuid_null("customer_id"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(big_integer("authorized"))
        .col(big_integer("captured"))
        .col(big_integer("refunded"))
        .col(text("state"))
        .col(uuid_null("method_id"))
        .col(boolean("frozen"))
        .col(text("closed_reason"))
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::cust("refunded >= 0 AND refunded <= captured AND captured <= authorized"))
        .to_owned();
    manager.create_table(table).await?;
    let customer = Index::create()
        .name("intents_customer")
        .table("intents")
        .col("customer_id")
        .col("id")
        .to_owned();
    manager.create_index(customer).await
}

/// What was asked of the payment provider; `id` is the reference under which it knows the request.
async fn create_attempts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("attempts")
        .col(uuid("id").primary_key())
        .col(uuid("intent_id"))
        .col(text("kind"))
        .col(text("key"))
        .col(text("confirm_key"))
        .col(uuid_null("charge_id"))
        .col(uuid_null("method_id"))
        .col(big_integer("amount"))
        .col(text("state"))
        .col(text("reason"))
        .col(text("note"))
        .col(text("confirmation_url"))
        .col(big_integer("fee"))
        .col(integer("tries"))
        .col(timestamp_with_time_zone("deadline_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::cust("amount >= 0"))
        .foreign_key(ForeignKey::create().from("attempts", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("attempts_intent_kind_key")
        .table("attempts")
        .col("intent_id")
        .col("kind")
        .col("key")
        .unique()
        .to_owned();
    manager.create_index(index).await?;
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX attempts_unanswered ON attempts (updated_at) WHERE state = 'UNKNOWN'",
        )
        .await?;
    Ok(())
}

/// What an order's capture was split into, and how much of each part was refunded since.
async fn create_captures(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("captures")
        .col(uuid("intent_id").primary_key())
        .col(uuid("attempt_id"))
        .col(text("kind"))
        .col(big_integer("amount"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(text("vertical"))
        .col(big_integer("payable"))
        .col(big_integer("commission"))
        .col(big_integer("vat"))
        .col(big_integer("payable_refunded"))
        .col(big_integer("commission_refunded"))
        .col(big_integer("vat_refunded"))
        .col(timestamp_with_time_zone("payout_due_at"))
        .check(Expr::cust("payable + commission + vat = amount"))
        .check(Expr::cust("payable_refunded BETWEEN 0 AND payable"))
        .check(Expr::cust("commission_refunded BETWEEN 0 AND commission"))
        .check(Expr::cust("vat_refunded BETWEEN 0 AND vat"))
        .foreign_key(ForeignKey::create().from("captures", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await
}

/// What providers are paid: once for an order, a provider and a kind. `transfer_id` is the reference under which the
/// payment provider knows the last transfer; `paid` and `recovered` are planned when it is asked for.
async fn create_payouts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("payouts")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(uuid("intent_id"))
        .col(uuid("provider_id"))
        .col(uuid("provider_user_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(big_integer("gross"))
        .col(big_integer("amount"))
        .col(big_integer("paid"))
        .col(big_integer("recovered"))
        .col(text("state"))
        .col(text("reason"))
        .col(timestamp_with_time_zone("due_at"))
        .col(integer("transfers"))
        .col(uuid_null("transfer_id").unique_key())
        .col(big_integer("version"))
        .col(big_integer("event_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(timestamp_with_time_zone_null("paid_at"))
        .check(Expr::cust("amount >= 0 AND paid >= 0 AND recovered >= 0"))
        .check(Expr::cust("paid + recovered <= amount"))
        .foreign_key(ForeignKey::create().from("payouts", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await?;
    let once = Index::create()
        .name("payouts_order_provider_kind")
        .table("payouts")
        .col("order_id")
        .col("provider_id")
        .col("kind")
        .unique()
        .to_owned();
    manager.create_index(once).await?;
    for (name, column) in
        [("payouts_provider", "provider_id"), ("payouts_user", "provider_user_id")]
    {
        let index = Index::create().name(name).table("payouts").col(column).col("id").to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

/// Events that payment providers have sent: each takes effect once.
async fn psp_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("psp_events")
        .col(text("psp"))
        .col(text("event_id"))
        .col(text("kind"))
        .col(uuid("reference"))
        .col(timestamp_with_time_zone("received_at"))
        .primary_key(Index::create().col("psp").col("event_id"))
        .to_owned();
    manager.create_table(table).await
}
