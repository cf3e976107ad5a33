//! Verticals follow what was committed. Until now they followed what was asked for, so that one may know another provider
//! than the order has.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Has the vertical of every order under way told how the order stands.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// The states in which a provider has the order and its work is not accepted.
const UNDER_WAY: &str = "state IN ('ASSIGNED', 'EN_ROUTE', 'ARRIVED', 'IN_PROGRESS', 'AWAITING_APPROVAL', 'DELIVERED', 'CHANGES_REQUESTED')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let tell = match manager.get_database_backend() {
            DbBackend::Postgres => "'{\"kind\":\"tell\"}'::json",
            _ => "'{\"kind\":\"tell\"}'",
        };
        // The side effects of a version are numbered from its hundredfold on; the last of them is free.
        db.execute_unprepared(&format!(
            "INSERT INTO effects (order_id, seq, effect, created_at) \
             SELECT id, version * 100 + 99, {tell}, updated_at FROM orders WHERE {UNDER_WAY}"
        ))
        .await?;
        db.execute_unprepared(&format!(
            "INSERT INTO timers (kind, aggregate, due_at, attempts) \
             SELECT 'effects', id, updated_at, 0 FROM orders WHERE {UNDER_WAY} \
             ON CONFLICT (kind, aggregate) DO NOTHING"
        ))
        .await?;
        Ok(())
    }
}
