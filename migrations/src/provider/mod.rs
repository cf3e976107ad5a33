//! The tables of provider.

mod m0001_providers;
mod m0002_reservations;
mod m0003_blocks;
mod m0004_rounds;
mod m0005_composed_towns;
mod m0006_resources;
mod m0007_crews;
mod m0008_tracks;
mod m0010_disputed_tracks;

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
            Box::new(m0004_rounds::Migration),
            Box::new(m0005_composed_towns::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0006_resources::Migration),
            Box::new(m0007_crews::Migration),
            Box::new(m0008_tracks::Migration),
            Box::new(m0010_disputed_tracks::Migration),
            Box::new(crate::leases::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
