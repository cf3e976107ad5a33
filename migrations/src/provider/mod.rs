//! The tables of provider.

mod m0001_providers;
mod m0002_reservations;
mod m0003_blocks;

use sea_orm_migration::prelude::*;

/// Migrates the tables of provider.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_providers::Migration),
            Box::new(m0002_reservations::Migration),
            Box::new(m0003_blocks::Migration),
            Box::new(crate::delivery::Migration),
        ]
    }
}
