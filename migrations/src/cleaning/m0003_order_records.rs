//! Cleaning keeps orders in the table that every vertical has; the checklist is what it keeps of its own.

use crate::vertical::create_order_records;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Moves the cleanings to the table of all verticals.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_order_records(manager).await?;
        let own = match manager.get_database_backend() {
            DbBackend::Postgres => "json_build_object('checklist', checklist)",
            _ => "json_object('checklist', json(checklist))",
        };
        let moved = format!(
            "INSERT INTO order_records (order_id, customer_id, provider_user_id, order_version, state, delivered_at, \
             delivered, details, starts_at, ends_at, time_zone, reworks, access_failed_at, contact_attempts, own, \
             version, event_seq, created_at, updated_at) \
             SELECT order_id, customer_id, provider_user_id, order_version, state, delivered_at, visited, details, \
             starts_at, ends_at, time_zone, recleans, access_failed_at, contact_attempts, {own}, version, event_seq, \
             created_at, updated_at FROM cleanings"
        );
        manager.get_connection().execute_unprepared(&moved).await?;
        manager.drop_table(Table::drop().table("cleanings").to_owned()).await
    }
}
