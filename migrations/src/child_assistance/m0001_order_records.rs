//! Child_assistance keeps orders in the table that every vertical has; care is what it keeps of its own.

use crate::vertical::{add_order_facts, create_order_records};
use sea_orm_migration::prelude::*;

/// Makes the table of orders.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_order_records(manager).await?;
        add_order_facts(manager).await
    }
}
