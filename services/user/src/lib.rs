//! The user service owns accounts, credentials, sessions, addresses and consents, and issues the access tokens of the
//! whole installation. It asks no other service.
//!
//! Start reading at [`start`]; `api` is the way in, `domain` has the rules. `signin` opens and renews sessions,
//! `registration` makes accounts, `recovery` proves mailboxes and sets new passwords.

mod api;
mod cache;
mod domain;
mod events;
mod hasher;
mod recovery;
mod registration;
mod repository;
mod signin;
mod throttle;
mod worker;

pub use api::client::CLIENT_ADDRESS;
pub use domain::Error;
pub use registration::create_operator;

use anyhow::Context;
use proto::quickserve::user::v1::{
    account_service_server::AccountServiceServer, auth_service_server::AuthServiceServer,
    user_service_server::UserServiceServer,
};
use serde::Deserialize;
use std::sync::Arc;

/// The section `user` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Passwords hashed at a time; 0 means as many as there are processors.
    pub hashing_turns: usize,
    /// Whether an account can sign in only once its e-mail address is proven. It takes the last way to learn from
    /// outside whether an address has an account: to register it and to sign in.
    pub login_requires_verified_email: bool,
    /// Accounts that one client registers without any wait.
    pub registrations_free: u32,
    /// Whether registering an address that has an account is refused with 400 and "Email already registered", as clients
    /// of QuickServe's first version expect. Then anybody can find out who is registered; without it nobody can.
    pub refuse_registered_email: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hashing_turns: 0,
            login_requires_verified_email: false,
            registrations_free: 2_000,
            refuse_registered_email: false,
        }
    }
}

/// Starts the service on its database, which must be migrated.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    let keys = host.access_keys().context("the user service needs the keys of access tokens")?;
    let turns = match config.hashing_turns {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        turns => turns,
    };
    let db = host.database().await?;
    let hasher = hasher::Hasher::new(turns).await?;
    let throttles = Arc::new(throttle::Throttles::new(config.registrations_free, host.redis()));
    let repository = repository::Repository {
        db,
        hot: cache::Hot::new(host.cache().clone()),
        revocations: host.wake_ups("revocations"),
    };
    let (mail, requests) = worker::mail_requests();
    host.spawn(worker::request_mail(repository.clone(), requests, host.stop_token()));
    let swept = repository.clone();
    host.every("delete codes and sessions past their time", worker::SWEEP_EVERY, move || {
        let repository = swept.clone();
        async move { repository.sweep().await }
    });

    let registration = registration::Registration {
        repository: repository.clone(),
        hasher: hasher.clone(),
        throttles: throttles.clone(),
        refuses_registered_email: config.refuse_registered_email,
    };
    let signin = signin::SignIn {
        repository: repository.clone(),
        hasher: hasher.clone(),
        throttles: throttles.clone(),
        keys: keys.clone(),
        verified_only: config.login_requires_verified_email,
    };
    let recovery = recovery::Recovery { repository: repository.clone(), hasher, throttles, mail };
    let users = api::users::Api { registration, repository: repository.clone() };
    let auth = api::auth::Api { signin, recovery, keys: keys.clone() };
    Ok(kit::Routes::default()
        .add(UserServiceServer::new(users))
        .add(AuthServiceServer::new(auth))
        .add(AccountServiceServer::new(api::accounts::Api { repository })))
}
