//! Orders: quotes, the booking saga, the whole life of an order, and every timer of it.
//!
//! Order asks the verticals (each under its own key), provider and payment; it tells the world by `order.*` facts.
//! Start reading at `domain/state.rs`, the table of an order's life; what an order does at other services is in
//! `processes`.

mod api;
mod app;
mod calendar;
mod consumer;
mod convert;
mod domain;
mod events;
mod peers;
mod processes;
mod repository;
mod secret;
mod vertical;
mod watch;
mod worker;

pub use processes::crash_points;

use app::App;
use domain::{Policy, Timing};
use kit::{Host, Routes, program::config::Secret};
use peers::Peers;
use repository::bookings::Bookings;
use serde::Deserialize;
use std::sync::Arc;
use vertical::Verticals;

/// The section `order` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Keys of the verticals that can be booked; each is the name of the service that serves it. Without a list, all that
    /// the program has.
    pub verticals: Option<Vec<String>>,
    /// The key of start codes and cancel tokens, the same for every replica. Without one, a file in the data folder
    /// holds it.
    pub secret: Secret,
    /// How long things take.
    pub timing: Timing,
    /// What cancelling costs, for new quotes.
    pub cancellation: Policy,
}

/// Starts the service: its routes, its timers, its consumers of facts.
pub async fn start(host: &Host) -> anyhow::Result<Routes> {
    let config: Config = host.config()?;
    let db = host.database().await?;
    let timing = Arc::new(config.timing);
    let verticals = config.verticals.unwrap_or_else(|| host.verticals().to_vec());
    let app = Arc::new(App {
        bookings: Bookings::new(db.clone(), timing.clone()),
        running: kit::storage::idempotency::Running::default(),
        verticals: Verticals::new(host, &verticals),
        peers: Peers::new(host),
        offers: watch::OfferWatchers::new(host.stop_token()),
        secret: secret::load_secret(&config.secret, host.data_dir())?,
        policy: config.cancellation,
        timing,
        db: db.clone(),
    });
    host.subscribe(app.clone())?;
    host.timers(&db, app.clone());
    host.spawn(app.clone().tail_offers());
    let bookings = app.clone();
    host.every("claim stalled bookings", worker::CLAIM_EVERY, move || {
        let app = bookings.clone();
        async move { app.claim_stalled_bookings().await }
    });
    Ok(api::Api::routes(app))
}
