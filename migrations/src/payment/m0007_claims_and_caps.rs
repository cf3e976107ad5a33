//! What a claim holds back, and what a customer owes beyond what was authorised: an order may have that due beside the one of
//! a capture that was declined.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the columns. `dues` is made anew, since SQLite drops no unique constraint.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let amount = big_integer_null("amount");
        let holds = Table::alter().table("payout_holds").add_column(amount).to_owned();
        manager.alter_table(holds).await?;
        create_dues(manager).await?;
        let db = manager.get_connection();
        db.execute_unprepared(&format!(
            "INSERT INTO dues_of_orders ({COLUMNS}) SELECT {COLUMNS} FROM dues"
        ))
        .await?;
        manager.drop_table(Table::drop().table("dues").to_owned()).await?;
        let renamed = Table::rename().table("dues_of_orders", "dues").to_owned();
        manager.rename_table(renamed).await?;
        for (name, column) in [("dues_customer", "customer_id"), ("dues_intent", "intent_id")] {
            let index = Index::create().name(name).table("dues").col(column).col("id").to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// The columns that dues have had so far.
const COLUMNS: &str = "id, intent_id, order_id, customer_id, provider_id, provider_user_id, currency, \
                       amount, state, reason, due_at, version, created_at, updated_at";

/// `beyond_cap` says what is owed beyond what was authorised and who earns it; it is null for a capture that was declined.
async fn create_dues(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("dues_of_orders")
        .col(uuid("id").primary_key())
        .col(uuid("intent_id"))
        .col(uuid("order_id"))
        .col(uuid("customer_id"))
        .col(uuid_null("provider_id"))
        .col(uuid_null("provider_user_id"))
        .col(text("currency"))
        .col(big_integer("amount"))
        .col(text("state"))
        .col(text("reason"))
        .col(json_null("beyond_cap"))
        .col(timestamp_with_time_zone("due_at"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .check(Expr::cust("amount > 0"))
        .foreign_key(ForeignKey::create().from("dues_of_orders", "intent_id").to("intents", "id"))
        .to_owned();
    manager.create_table(table).await
}
