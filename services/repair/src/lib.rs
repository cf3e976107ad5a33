//! Repair: prices visits and estimates, and follows the repairs of orders. It owns their diagnoses, parts and tests, and the
//! appliances of customers; it asks no other service. Order meets it as a vertical, people through `RepairService` and
//! `ApplianceService`.
//!
//! What it shares with the other verticals is in the crate `vertical`. Start reading at [`domain::state`] (where a repair
//! stands), [`domain::price`] (what it costs) and [`repairs`] (what repair says of its own).

mod api;
mod consumer;
mod convert;
mod domain;
mod events;
mod repairs;
mod repository;
mod worker;

use proto::quickserve::{
    fulfilment::v1::vertical_service_server::VerticalServiceServer,
    repair::v1::{
        appliance_service_server::ApplianceServiceServer,
        repair_service_server::RepairServiceServer,
    },
};
use std::sync::Arc;

/// The section `repair` of the configuration: what repairs cost in each country, and what they take.
pub use domain::tables::RepairTables as Config;

/// Starts the service: opens its database, sets its timers going and hands over what it serves.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    config.check().map_err(|problem| anyhow::anyhow!("repair.{problem}"))?;
    let db = host.database().await?;
    host.subscribe(Arc::new(consumer::ErasedAccounts::new(db.clone())))?;
    host.timers(&db, Arc::new(worker::SlaTimers::new(db.clone())));
    let repairs = repairs::Repairs::new(db.clone(), config);
    Ok(kit::Routes::default()
        .add(RepairServiceServer::new(api::repairs::Api::new(db.clone())))
        .add(ApplianceServiceServer::new(api::appliances::Api::new(db.clone())))
        .add(VerticalServiceServer::new(vertical::Server::new(repairs, db))))
}
