//! Streams that end when the access token of their caller becomes void.

use crate::{
    identity::{
        identify::{Identity, refuse_token},
        token::AccessClaims,
    },
    rpc::ending::{Cut, EndingBody},
};
use http::Response;
use std::sync::Arc;
use tonic::body::Body;

/// The access token that a call is made with.
#[derive(Clone)]
pub struct AccessToken {
    identity: Arc<Identity>,
    claims: AccessClaims,
}

impl AccessToken {
    /// A token that `identity` has verified.
    pub const fn new(identity: Arc<Identity>, claims: AccessClaims) -> Self {
        Self { identity, claims }
    }

    /// Ends the answer with UNAUTHENTICATED once the token is void, whatever is still to come.
    pub fn until_void(self, response: Response<Body>) -> Response<Body> {
        let void = async move {
            self.identity.revocations().covered(&self.claims).await;
            refuse_token()
        };
        response.map(|body| Body::new(EndingBody::new(body, Cut::AtOnce, void)))
    }
}
