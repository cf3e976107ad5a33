//! Cleaning: prices and follows the cleanings of orders. It owns their details, checklists and closed doors; it asks no
//! other service. Order meets it as a vertical, people through `CleaningService`.
//!
//! What it shares with the other verticals is in the crate `vertical`. Start reading at [`domain::price`] (what a cleaning
//! costs) and at [`cleaning`] (what cleaning says of its own).

mod api;
mod cleaning;
mod convert;
mod domain;

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
    let cleaning = cleaning::Cleaning::new(db.clone(), config);
    Ok(kit::Routes::default()
        .add(CleaningServiceServer::new(api::Api::new(db.clone())))
        .add(VerticalServiceServer::new(vertical::Server::new(cleaning, db))))
}
