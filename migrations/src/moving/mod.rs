//! The tables of moving.

mod m0001_order_records;
mod m0002_claims;

use sea_orm_migration::prelude::*;

/// Migrates the tables of moving.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0001_order_records::Migration),
            Box::new(m0002_claims::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
