//! The tables of transport.

mod m0001_order_records;

use sea_orm_migration::prelude::*;

/// Migrates the tables of transport.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0001_order_records::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
