//! The tables of cleaning.

mod m0001_cleanings;

use sea_orm_migration::prelude::*;

/// Migrates the tables of cleaning.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_cleanings::Migration),
            Box::new(crate::delivery::Migration),
        ]
    }
}
