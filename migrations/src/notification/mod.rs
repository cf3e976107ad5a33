//! The tables of notification.

mod m0001_messages;
mod m0002_leases;

use sea_orm_migration::prelude::*;

/// Migrates the tables of notification.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_messages::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0002_leases::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
