//! Child_assistance: prices and follows care of children. It owns children, their guardians, the adults who may fetch them,
//! and every hand-over; what is told of a family is encrypted under a key of its own. Order meets it as a vertical, people
//! through `FamilyService` and `CareService`.
//!
//! What it shares with the other verticals is in the crate `vertical`. Start reading at [`domain::care`] (where each child
//! is), [`api`] (who hands a child over to whom) and [`vault`] (what is encrypted).

mod api;
mod cares;
mod codes;
mod convert;
mod domain;
mod erasure;
mod events;
mod repository;
mod vault;
mod worker;

use chrono::Duration;
use proto::quickserve::{
    child_assistance::v1::{
        care_service_server::CareServiceServer, family_service_server::FamilyServiceServer,
    },
    fulfilment::v1::vertical_service_server::VerticalServiceServer,
};
use std::sync::Arc;

/// The section `child_assistance` of the configuration: what care costs in each country, and where the keys are.
pub use domain::tables::CareTables as Config;
pub use vault::keys_folder;

/// How often family keys are looked at that an older key of the ring wraps.
const REWRAP_EVERY: Duration = Duration::minutes(1);
/// How often incidents are looked at that are past their time.
const SWEEP_EVERY: Duration = Duration::hours(6);

/// Starts the service: opens its database and its keys, and hands over what it serves. Without the ring of keys that belongs
/// to the data it does not start.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    config.check().map_err(|problem| anyhow::anyhow!("child_assistance.{problem}"))?;
    let db = host.database().await?;
    let has_families = repository::children::has_families(db.connection()).await?;
    let vault = vault::Vault::open(host, &config, has_families)?;
    let tables = Arc::new(config);
    let eraser =
        erasure::Eraser { db: db.clone(), vault: vault.clone(), tables: Arc::clone(&tables) };
    host.subscribe(Arc::new(eraser.clone()))?;
    host.timers(&db, Arc::new(worker::CareTimers { db: db.clone(), eraser: eraser.clone() }));
    let rewrapping = vault.clone();
    host.every("wrap family keys anew", REWRAP_EVERY, move || {
        let vault = rewrapping.clone();
        async move { vault.rewrap_keys().await }
    });
    let sweeping = eraser.clone();
    host.every("delete incidents past their time", SWEEP_EVERY, move || {
        let eraser = sweeping.clone();
        async move { eraser.delete_old_incidents().await }
    });
    let cares = cares::Cares::new(db.clone(), tables, vault.clone());
    let api = api::Api {
        db: db.clone(),
        vault,
        codes: codes::Codes::default(),
        cares: cares.clone(),
        eraser,
    };
    Ok(kit::Routes::default()
        .add(FamilyServiceServer::new(api.clone()))
        .add(CareServiceServer::new(api))
        .add(VerticalServiceServer::new(vertical::Server::new(cares, db))))
}
