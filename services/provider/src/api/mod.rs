//! The RPCs of provider, a file for each service of the contract: parse, one call, convert.

mod availability;
mod offerings;
mod profiles;
mod reservations;
mod vetting;

use crate::{
    Config,
    domain::{Error, ProviderId},
    repository::{Providers, Reach},
};
use std::sync::Arc;
use tonic::Request;

/// Serves every service of provider.
#[derive(Clone)]
pub struct Api {
    providers: Providers,
    config: Arc<Config>,
}

impl Api {
    /// Serves `providers`.
    pub fn new(providers: Providers, config: Config) -> Self {
        Self { providers, config: Arc::new(config) }
    }
}

/// The profiles that the sender of a request reaches.
fn reach<T>(request: &Request<T>) -> Result<Reach, Error> {
    Ok(Reach::of(&kit::caller(request))?)
}

/// Reads the id of a profile.
fn provider_id(text: &str) -> Result<ProviderId, Error> {
    Ok(ProviderId::parse("provider_id", text)?)
}
