//! The tables of order.

mod m0001_orders;
mod m0002_records;
mod m0003_bookings;
mod m0004_joined;
mod m0005_tell_verticals;
mod m0006_signals;
mod m0007_changes;
mod m0008_live_offers;
mod m0010_favourites_and_visits;
mod m0012_series;
mod m0013_calendar_links;
mod m0014_change_raises;

use sea_orm_migration::prelude::*;

/// Migrates the tables of order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(crate::common::Migration),
            Box::new(m0001_orders::Migration),
            Box::new(m0002_records::Migration),
            Box::new(m0003_bookings::Migration),
            Box::new(m0004_joined::Migration),
            Box::new(m0005_tell_verticals::Migration),
            Box::new(crate::delivery::Migration),
            Box::new(m0006_signals::Migration),
            Box::new(m0007_changes::Migration),
            Box::new(m0008_live_offers::Migration),
            Box::new(m0010_favourites_and_visits::Migration),
            Box::new(m0012_series::Migration),
            Box::new(m0013_calendar_links::Migration),
            Box::new(crate::leases::Migration),
            Box::new(m0014_change_raises::Migration),
            Box::new(crate::addressees::Migration),
        ]
    }
}
