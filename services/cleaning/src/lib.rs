//! Cleaning: prices and follows the cleanings of orders. It owns their details, checklists and closed doors; it asks no
//! other service. Order meets it as a vertical, people through `CleaningService`.
//!
//! Start reading at [`domain::price`] (what a cleaning costs) and [`domain::cleaning`] (how one goes).

mod api;
mod convert;
mod domain;
mod events;
mod repository;
mod vertical;

use proto::quickserve::{
    cleaning::v1::cleaning_service_server::CleaningServiceServer,
    fulfilment::v1::vertical_service_server::VerticalServiceServer,
};

/// The section `cleaning` of the configuration: what a cleaning costs in each country, and what it takes.
pub use domain::table::Tables as Config;

/// Starts the service: opens its database and hands over what it serves.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    config.check().map_err(|problem| anyhow::anyhow!("cleaning.{problem}"))?;
    let db = host.database().await?;
    let cleanings = repository::Cleanings::new(db);
    let api = api::Api::new(cleanings.clone());
    let vertical = vertical::Vertical::new(cleanings, config);
    Ok(kit::Routes::default()
        .add(CleaningServiceServer::new(api))
        .add(VerticalServiceServer::new(vertical)))
}
