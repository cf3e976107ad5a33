//! The tables of cleaning.

mod m0001_cleanings;
mod m0002_order_versions;
mod m0003_order_records;
mod m0004_signals;
mod m0005_order_facts;

use sea_orm_migration::prelude::*;

/// Migrates the tables of cleaning.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_cleanings::Migration),
            Box::new(m0002_order_versions::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0003_order_records::Migration),
            Box::new(m0004_signals::Migration),
            Box::new(m0005_order_facts::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
