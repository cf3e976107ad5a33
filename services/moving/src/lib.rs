//! Moving: prices and follows the moves of orders. It owns their inventories, their waybills and the claims for what was
//! damaged or lost. Order meets it as a vertical, people through `MovingService` and `ClaimService`.
//!
//! What it shares with the other verticals is in the crate `vertical`. Start reading at [`domain::state`] (where a move
//! stands), [`domain::price`] (what it costs) and [`moves`] (what moving says of its own).

mod api;
mod convert;
mod domain;
mod events;
mod moves;
mod repository;
mod worker;

use proto::quickserve::{
    fulfilment::v1::vertical_service_server::VerticalServiceServer,
    moving::v1::{
        claim_service_server::ClaimServiceServer, moving_service_server::MovingServiceServer,
    },
};
use std::sync::Arc;

/// The section `moving` of the configuration: what moves cost in each country, and what they take.
pub use domain::tables::MoveTables as Config;

/// Starts the service: opens its database and hands over what it serves.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    config.check().map_err(|problem| anyhow::anyhow!("moving.{problem}"))?;
    let db = host.database().await?;
    let moves = moves::Moves::new(config);
    host.timers(&db, Arc::new(worker::ClaimTimers::new(db.clone())));
    let api = api::Api::new(db.clone(), moves.clone());
    Ok(kit::Routes::default()
        .add(MovingServiceServer::new(api.clone()))
        .add(ClaimServiceServer::new(api))
        .add(VerticalServiceServer::new(vertical::Server::new(moves, db))))
}
