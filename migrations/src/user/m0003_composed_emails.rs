//! E-mail addresses in composed form, in which accounts are looked up now. Earlier versions kept a few as they were typed,
//! Korean ones from a Mac for example.

use crate::composed::uncomposed;
use sea_orm_migration::{prelude::*, sea_orm::Statement};

/// Composes the addresses.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (db, engine) = (manager.get_connection(), manager.get_database_backend());
        for (id, email) in uncomposed(manager, "users", "email").await? {
            // Where the same mailbox has a second account in composed form, the first keeps its address as it is.
            let sql = "UPDATE users SET email = $1 WHERE id = $2 \
                       AND NOT EXISTS (SELECT 1 FROM users WHERE email = $1)";
            let values = [email.into(), id.into()];
            db.execute_raw(Statement::from_sql_and_values(engine, sql, values)).await?;
        }
        Ok(())
    }
}
