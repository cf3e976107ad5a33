//! E-mail addresses in composed form (Unicode NFC), in which they are looked up now. Earlier versions kept a few as they
//! were typed, Korean ones from a Mac for example.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement, prelude::Uuid},
};
use unicode_normalization::UnicodeNormalization;

/// Composes the addresses.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (db, engine) = (manager.get_connection(), manager.get_database_backend());
        let bytes = match engine {
            DbBackend::Sqlite => "length(CAST(email AS BLOB))",
            _ => "octet_length(email)",
        };
        let beyond_ascii = format!("SELECT id, email FROM users WHERE length(email) <> {bytes}");
        for row in db.query_all_raw(Statement::from_string(engine, beyond_ascii)).await? {
            let id: Uuid = row.try_get_by_index(0)?;
            let email: String = row.try_get_by_index(1)?;
            let composed: String = email.nfc().collect();
            if composed != email {
                // Where the same mailbox has a second account in composed form, the first keeps its address as it is.
                let sql = "UPDATE users SET email = $1 WHERE id = $2 \
                           AND NOT EXISTS (SELECT 1 FROM users WHERE email = $1)";
                let values = [composed.into(), id.into()];
                db.execute_raw(Statement::from_sql_and_values(engine, sql, values)).await?;
            }
        }
        Ok(())
    }
}
