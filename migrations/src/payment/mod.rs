//! The tables of payment: what orders pay, the ledger, and the sandbox that stands in for a payment provider.

mod m0001_payments;
mod m0002_ledger;
mod m0003_sandbox;
mod m0004_money;
mod m0005_sandbox_leases;
mod m0006_due_reminders;
mod m0007_claims_and_caps;
mod m0008_card_holds;
mod m0010_payouts_of_a_kind;

use sea_orm_migration::prelude::*;

/// Migrates the tables of payment.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_payments::Migration),
            Box::new(m0002_ledger::Migration),
            Box::new(m0003_sandbox::Migration),
            Box::new(m0004_money::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0005_sandbox_leases::Migration),
            Box::new(m0006_due_reminders::Migration),
            Box::new(m0007_claims_and_caps::Migration),
            Box::new(m0008_card_holds::Migration),
            Box::new(m0010_payouts_of_a_kind::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
