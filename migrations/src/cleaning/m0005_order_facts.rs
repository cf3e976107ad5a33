//! Cleaning keeps what an order says of itself, as every vertical does.

use crate::vertical::add_order_facts;
use sea_orm_migration::prelude::*;

/// Adds the columns; orders of before say nothing until the next time that cleaning hears of them.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_order_facts(manager).await
    }
}
