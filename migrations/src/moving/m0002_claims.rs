//! Claims for what was damaged or lost in a move.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table of claims.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `line` is the number of the line of the inventory; `amount` what is claimed and `refund` what was given back, in
        // minor units of `currency`; `refund` and `resolved_at` are null while `state` is OPEN. What is wrong is `kind`, which
        // photos show, each by its SHA-256.
        let table = Table::create()
            .table("claims")
            .col(uuid("id").primary_key())
            .col(uuid("order_id"))
            .col(integer("line"))
            .col(text("kind"))
            .col(big_integer("amount").check(Expr::col("amount").gt(0)))
            .col(text("currency"))
            .col(text("state"))
            .col(big_integer_null("refund"))
            .col(json("photos"))
            .col(timestamp_with_time_zone("opened_at"))
            .col(timestamp_with_time_zone_null("resolved_at"))
            .check(Expr::cust("refund IS NULL OR refund BETWEEN 0 AND amount"))
            .to_owned();
        manager.create_table(table).await?;
        let of_order =
            Index::create().name("claims_order_id").table("claims").col("order_id").to_owned();
        manager.create_index(of_order).await
    }
}
