//! Payouts of which an order may have several of a kind, and indexes for what every capture and booking looks up.

use sea_orm_migration::prelude::*;

/// Makes the indexes anew.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let before = Index::drop().name("payouts_order_provider_kind").table("payouts").to_owned();
        manager.drop_index(before).await?;
        let connection = manager.get_connection();
        for statement in [EARNED_ONCE, OPEN_DUES] {
            connection.execute_unprepared(statement).await?;
        }
        for (name, table, column) in [
            ("payouts_order", "payouts", "order_id"),
            ("payouts_intent", "payouts", "intent_id"),
            ("chargebacks_intent", "chargebacks", "intent_id"),
        ] {
            let index = Index::create().name(name).table(table).col(column).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// What a capture earns is paid once. What a refund that came back corrects may be paid several times, and so may what
/// claims held back.
const EARNED_ONCE: &str = "
CREATE UNIQUE INDEX payouts_earned_once ON payouts (order_id, provider_id, kind)
WHERE kind NOT IN ('CORRECTION', 'HELD', 'FREED')";

/// Every booking asks whether its customer owes something.
const OPEN_DUES: &str = "CREATE INDEX dues_open ON dues (customer_id) WHERE state = 'OPEN'";
