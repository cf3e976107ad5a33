//! The keys of towns in composed form, in which they are compared now.

use crate::composed::uncomposed;
use sea_orm_migration::{prelude::*, sea_orm::Statement};

/// Composes the keys.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (db, engine) = (manager.get_connection(), manager.get_database_backend());
        for (id, key) in uncomposed(manager, "providers", "city_key").await? {
            let sql = "UPDATE providers SET city_key = $1 WHERE id = $2";
            let values = [key.into(), id.into()];
            db.execute_raw(Statement::from_sql_and_values(engine, sql, values)).await?;
        }
        Ok(())
    }
}
