//! Texts in composed form (Unicode NFC), in which they are looked up. Earlier versions kept them as they were typed.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, prelude::Uuid},
};
use unicode_normalization::UnicodeNormalization;

/// The ids of the rows of `table` whose `column` is not composed, each with the text that it should be.
pub async fn uncomposed(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
) -> Result<Vec<(Uuid, String)>, DbErr> {
    let (db, engine) = (manager.get_connection(), manager.get_database_backend());
    let bytes = match engine {
        DbBackend::Sqlite => format!("length(CAST({column} AS BLOB))"),
        _ => format!("octet_length({column})"),
    };
    // ASCII is composed.
    let sql = format!("SELECT id, {column} FROM {table} WHERE length({column}) <> {bytes}");
    let mut found = Vec::new();
    for row in db.query_all_raw(Statement::from_string(engine, sql)).await? {
        let id: Uuid = row.try_get_by_index(0)?;
        let text: String = row.try_get_by_index(1)?;
        let composed: String = text.nfc().collect();
        if composed != text {
            found.push((id, composed));
        }
    }
    Ok(found)
}
