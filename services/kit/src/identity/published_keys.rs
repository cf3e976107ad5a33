//! The public keys of access tokens, for a process that does not hold the private ones. The user service publishes them.

use crate::{identity::token::Refetch, rpc::client::Channel};
use proto::quickserve::user::v1::{GetJwksRequest, auth_service_client::AuthServiceClient};
use std::sync::{Arc, OnceLock};

/// Fetches the keys from the user service over the channel in `users`, which is there once the process has a host.
pub fn fetch_from_users(users: Arc<OnceLock<Channel>>) -> Refetch {
    Box::new(move || {
        let users = users.get().cloned();
        Box::pin(async move {
            let users = users.ok_or("the process has not started")?;
            let answer = AuthServiceClient::new(users).get_jwks(GetJwksRequest {}).await?;
            let body = answer.into_inner().body.ok_or("the answer has no keys")?;
            Ok(serde_json::from_slice(&body.data)?)
        })
    })
}
