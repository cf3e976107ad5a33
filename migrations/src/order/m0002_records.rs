//! What is kept about orders: timeline, messages, proofs, change orders, reviews, disputes.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of records.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            create_timeline(),
            create_messages(),
            create_proofs(),
            change_orders(),
            create_reviews(),
            create_disputes(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        for table in ["timeline", "messages", "proofs", "change_orders", "disputes"] {
            let name = format!("{table}_order");
            let index =
                Index::create().name(&name).table(table).col("order_id").col("id").to_owned();
            manager.create_index(index).await?;
        }
        // One review a side: the second one finds the first.
        let one_a_side = Index::create()
            .name("reviews_order_side")
            .table("reviews")
            .col("order_id")
            .col("side")
            .unique()
            .to_owned();
        manager.create_index(one_a_side).await?;
        let of_provider = Index::create()
            .name("reviews_provider")
            .table("reviews")
            .col("provider_id")
            .col("id")
            .to_owned();
        manager.create_index(of_provider).await
    }
}

/// Rows are only ever added.
fn create_timeline() -> TableCreateStatement {
    Table::create()
        .table("timeline")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("action"))
        .col(text("from_state"))
        .col(text("to_state"))
        .col(text("actor"))
        .col(uuid_null("actor_id"))
        .col(text("note"))
        .col(timestamp_with_time_zone("at"))
        .to_owned()
}

fn create_messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(uuid("author_id"))
        .col(text("side"))
        .col(text("body"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn create_proofs() -> TableCreateStatement {
    Table::create()
        .table("proofs")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("kind"))
        .col(text("sha256"))
        .col(double_null("lat"))
        .col(double_null("lng"))
        .col(timestamp_with_time_zone("taken_at"))
        .col(uuid("added_by"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn change_orders() -> TableCreateStatement {
    Table::create()
        .table("change_orders")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(json("lines"))
        .col(text("reason"))
        .col(big_integer("amount"))
        .col(text("state"))
        .col(timestamp_with_time_zone("valid_till"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("decided_at"))
        .to_owned()
}

/// `published_at` stays null while only the author sees the review.
fn create_reviews() -> TableCreateStatement {
    Table::create()
        .table("reviews")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("side"))
        .col(uuid_null("provider_id"))
        .col(integer("stars"))
        .col(text("body"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("published_at"))
        .to_owned()
}

fn create_disputes() -> TableCreateStatement {
    Table::create()
        .table("disputes")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(text("opened_by"))
        .col(text("reason"))
        .col(text("body"))
        .col(text("state"))
        .col(big_integer_null("refund"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("resolved_at"))
        .to_owned()
}
