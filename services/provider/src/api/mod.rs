//! The RPCs of provider, a file for each service of the contract. Those that change something read top to bottom: parse,
//! begin, lock, rule, save, commit with the answer.

mod assets;
mod availability;
mod offerings;
mod presence;
mod profiles;
mod reservations;
mod tracking;
mod vetting;

pub use tracking::TrackingApi;

use crate::{
    Config,
    domain::{Error, ProviderId},
    repository::Providers,
};
use kit::{Scope, Tx, storage::position::PositionIndex};
use std::sync::Arc;
use tonic::{Request, Response};

/// Serves every service of provider.
#[derive(Clone)]
pub struct Api {
    providers: Providers,
    positions: Arc<dyn PositionIndex>,
    config: Arc<Config>,
}

impl Api {
    /// Serves `providers`, who are at `positions`.
    pub fn new(providers: Providers, positions: Arc<dyn PositionIndex>, config: Config) -> Self {
        Self { providers, positions, config: Arc::new(config) }
    }

    /// Commits a change of the profile `id` with the call's answer. What was kept of the profile's standing goes.
    async fn commit<M: prost::Message>(
        &self,
        tx: Tx,
        id: ProviderId,
        answer: M,
    ) -> Result<Response<M>, Error> {
        let response = tx.commit_answer(answer).await?;
        self.providers.forget_standing(id).await;
        Ok(response)
    }
}

/// The profiles that the sender of a request reaches.
fn scope_of<T>(request: &Request<T>) -> Result<Scope, Error> {
    Ok(kit::caller_of(request).scope()?)
}

fn parse_provider_id(text: &str) -> Result<ProviderId, Error> {
    Ok(ProviderId::parse("provider_id", text)?)
}
