//! Repair keeps orders in the table that every vertical has; repairs are what it keeps of its own. Beside them it keeps
//! the appliances of customers.

use crate::vertical::{add_order_facts, create_order_records};
use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables of orders and of appliances.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_order_records(manager).await?;
        add_order_facts(manager).await?;
        create_appliances(manager).await
    }
}

/// One row an appliance. `model` and `serial` are empty where they are not known.
async fn create_appliances(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("appliances")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(text("brand"))
        .col(text("model"))
        .col(text("serial"))
        .col(date_null("warranty_until"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned();
    manager.create_table(table).await?;
    let owner = Index::create()
        .name("appliances_customer_id")
        .table("appliances")
        .col("customer_id")
        .col("id")
        .to_owned();
    manager.create_index(owner).await
}
