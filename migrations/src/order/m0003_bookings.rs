//! One order of a quote, by an index instead of a mark on the quote; bookings that no process finished are found.

use sea_orm_migration::{prelude::*, schema::*};

/// Moves the mark of a used quote from the quote to the order.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A booking that was given up is one that never became visible, and its quote can be booked again.
        let given_up = Table::alter()
            .table("orders")
            .add_column(boolean("given_up").default(false))
            .to_owned();
        manager.alter_table(given_up).await?;
        let mark = Query::update()
            .table("orders")
            .value("given_up", true)
            .and_where(Expr::col("booking").eq(true))
            .and_where(Expr::col("state").eq("EXPIRED"))
            .to_owned();
        manager.execute(mark).await?;
        let one_of_a_quote = Index::create()
            .name("orders_quote")
            .table("orders")
            .col("quote_id")
            .unique()
            .cond_where(Expr::col("given_up").eq(false))
            .to_owned();
        manager.create_index(one_of_a_quote).await?;
        let under_way = Index::create()
            .name("orders_booking")
            .table("orders")
            .col("created_at")
            .cond_where(Expr::col("booking").eq(true).and(Expr::col("given_up").eq(false)))
            .to_owned();
        manager.create_index(under_way).await?;
        let used = Table::alter().table("quotes").drop_column("order_id").to_owned();
        manager.alter_table(used).await
    }
}
