//! Provider: profiles and their vetting, offerings, working hours, and **whose time is taken**. It asks no other
//! service; order asks it to hold, confirm, move and release time.
//!
//! Start reading at [`domain::standing`] (who may take a job) and [`holding`] (how time is held), [`staffing`] (who does
//! what is booked), [`live`] (who is near);
//! `api` has a function for each RPC.

mod api;
mod convert;
mod domain;
mod events;
mod holding;
mod live;
mod repository;
mod staffing;
mod tracking;
mod worker;

use chrono::Duration;
use proto::quickserve::provider::v1 as pb;
use serde::Deserialize;
use std::sync::Arc;

/// The section `provider` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Slots begin at multiples of this many minutes; divides 60.
    pub slot_step_minutes: u16,
    /// How often holds that ran out are swept, in seconds.
    pub sweep_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { slot_step_minutes: 30, sweep_seconds: 30 }
    }
}

impl Config {
    fn slot_step(&self) -> Duration {
        Duration::minutes(i64::from(self.slot_step_minutes.max(1)))
    }
}

/// Starts the service: opens its database, follows orders and accounts, and hands over what it serves.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    anyhow::ensure!(
        config.slot_step_minutes > 0 && 60 % config.slot_step_minutes == 0,
        "provider.slot_step_minutes must divide 60"
    );
    let db = host.database().await?;
    let providers = repository::Providers::new(db.clone(), host.cache().clone());
    host.subscribe(Arc::new(events::FactConsumer::new(providers.clone())))?;
    host.timers(&db, Arc::new(worker::ProviderTimers::new(providers.clone())));
    let sweep_every = Duration::seconds(i64::from(config.sweep_seconds.max(1)));
    let swept = providers.clone();
    host.every("release expired holds", sweep_every, move || {
        worker::release_expired_holds(swept.clone())
    });
    let tracking = start_tracking(host, &providers)?;
    let api = api::Api::new(providers, host.positions().clone(), config);
    Ok(kit::Routes::default()
        .add(pb::tracking_service_server::TrackingServiceServer::new(tracking))
        .add(pb::provider_service_server::ProviderServiceServer::new(api.clone()))
        .add(pb::asset_service_server::AssetServiceServer::new(api.clone()))
        .add(pb::presence_service_server::PresenceServiceServer::new(api.clone()))
        .add(pb::vetting_service_server::VettingServiceServer::new(api.clone()))
        .add(pb::offering_service_server::OfferingServiceServer::new(api.clone()))
        .add(pb::availability_service_server::AvailabilityServiceServer::new(api.clone()))
        .add(pb::reservation_service_server::ReservationServiceServer::new(api)))
}

/// Starts what keeps tracks.
fn start_tracking(
    host: &kit::Host,
    providers: &repository::Providers,
) -> anyhow::Result<api::TrackingApi> {
    let (signals, stop) = (host.wake_ups("tracks"), host.stop_token());
    let follower = tracking::follow::TrackFollower::new(providers.clone(), signals.clone());
    host.subscribe(Arc::new(follower))?;
    let (writer, writing) =
        tracking::writer::TrackWriter::new(providers.clone(), signals.clone(), stop.clone());
    host.spawn(writing);
    let intake = tracking::intake::Intake::new(providers.clone(), host.positions().clone(), writer);
    let (silent, purged, devices) = (providers.clone(), providers.clone(), intake.clone());
    host.every("tell of silent tracks", Duration::seconds(20), move || {
        devices.forget_silent();
        tracking::upkeep::tell_silent(silent.clone())
    });
    host.every("delete points of tracks", Duration::minutes(10), move || {
        tracking::upkeep::purge_points(purged.clone())
    });
    let watches = tracking::watch::TrackWatches::new(providers.clone(), signals, stop.clone());
    Ok(api::TrackingApi::new(providers.clone(), intake, watches, stop))
}
