//! Card holds that run out, second holds, refunds over several holds, and money that is captured before it is split.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds the columns. What was captured so far was split in the same moment.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, "attempts", attempt_columns()).await?;
        add_columns(manager, "captures", capture_columns()).await?;
        let runs_out = vec![timestamp_with_time_zone_null("expires_at")];
        add_columns(manager, "sandbox_charges", runs_out).await?;
        manager.get_connection().execute_unprepared(SPLIT_SO_FAR).await?;
        Ok(())
    }
}

async fn add_columns(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: Vec<ColumnDef>,
) -> Result<(), DbErr> {
    // SQLite adds one column a statement.
    for column in columns {
        let table = Table::alter().table(table).add_column(column).to_owned();
        manager.alter_table(table).await?;
    }
    Ok(())
}

/// `position` counts the attempts of a payment, of which several may be made in one moment; `expires_at` is when the payment provider lets go of a hold; `separate` says that a raise is a hold of its own;
/// `part_of` is the refund of which another hold bears the first part; `from_escrow` is how much of a refund comes out of
/// the escrow and not from those who earned.
fn attempt_columns() -> Vec<ColumnDef> {
    vec![
        integer("position").default(0).to_owned(),
        timestamp_with_time_zone_null("expires_at"),
        boolean("separate").default(false).to_owned(),
        uuid_null("part_of"),
        big_integer("from_escrow")
            .default(0)
            .check(Expr::cust("from_escrow >= 0 AND from_escrow <= amount"))
            .to_owned(),
    ]
}

/// `split_at` is null while the row is a plan; `uncaptured` is what was to be captured too and is owed as a due.
fn capture_columns() -> Vec<ColumnDef> {
    vec![
        timestamp_with_time_zone_null("split_at"),
        big_integer("uncaptured").default(0).check(Expr::cust("uncaptured >= 0")).to_owned(),
    ]
}

const SPLIT_SO_FAR: &str = "
UPDATE captures
SET split_at = (SELECT updated_at FROM intents WHERE intents.id = captures.intent_id)
WHERE EXISTS (SELECT 1 FROM intents WHERE intents.id = captures.intent_id AND intents.captured > 0)
";
