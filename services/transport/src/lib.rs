//! Transport: prices and follows the rides of orders, of people and of parcels. It owns their stops, their waiting and what
//! comes back; it asks provider what was driven. Order meets it as a vertical, people through `TransportService`.
//!
//! What it shares with the other verticals is in the crate `vertical`. Start reading at [`domain::ride`] (where a ride
//! stands), [`domain::price`] (what it costs) and [`rides`] (what transport says of its own).

mod api;
mod convert;
mod domain;
mod events;
mod meter;
mod rides;
mod router;

use proto::quickserve::{
    fulfilment::v1::vertical_service_server::VerticalServiceServer,
    transport::v1::transport_service_server::TransportServiceServer,
};
use std::sync::Arc;

/// The section `transport` of the configuration: what rides cost in each country, and what they take.
pub use domain::tables::RideTables as Config;

/// Starts the service: opens its database and hands over what it serves.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    config.check().map_err(|problem| anyhow::anyhow!("transport.{problem}"))?;
    let db = host.database().await?;
    let router = Arc::new(router::StraightRouter(config.road.clone()));
    let meter = Arc::new(meter::TrackMeter::new(host));
    let rides = rides::Rides::new(config, router, meter, db.clock().clone());
    Ok(kit::Routes::default()
        .add(TransportServiceServer::new(api::Api::new(db.clone(), rides.clone())))
        .add(VerticalServiceServer::new(vertical::Server::new(rides, db))))
}
