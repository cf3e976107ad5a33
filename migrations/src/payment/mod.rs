//! The tables of payment.

use sea_orm_migration::prelude::*;

/// Migrates the tables of payment.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(crate::common::Migration)]
    }
}
