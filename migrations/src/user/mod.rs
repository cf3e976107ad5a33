//! The tables of user.

mod m0001_accounts;
mod m0002_known_clients;
mod m0003_composed_emails;

use sea_orm_migration::prelude::*;

/// Migrates the tables of user.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_accounts::Migration),
            Box::new(m0002_known_clients::Migration),
            Box::new(m0003_composed_emails::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
