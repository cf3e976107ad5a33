//! The tables of user.

mod m0001_accounts;

use sea_orm_migration::prelude::*;

/// Migrates the tables of user.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_accounts::Migration),
            Box::new(crate::delivery::Migration),
        ]
    }
}
