//! The tables of child_assistance.

mod m0001_order_records;
mod m0002_families;
mod m0003_indexes;

use sea_orm_migration::prelude::*;

/// Migrates the tables of child_assistance.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0001_order_records::Migration),
            Box::new(m0002_families::Migration),
            Box::new(m0003_indexes::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
