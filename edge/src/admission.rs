//! Admits requests or refuses them: rate limits, identity and the policy of the RPC, before any service is called.

use crate::{
    config::Config,
    rate::{Exceeded, Limiter, RateKey, RateLimitStatus},
    rpc_table::RpcEntry,
};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use kit::{
    Caller, Host,
    identity::{identify::Identity, token::AccessClaims},
    redis::buckets::SharedBuckets,
    rpc::{
        admission::{Overloaded, Permit, Places, Priority},
        error,
        revocable::AccessToken,
    },
};
use proto::Rpc;
use std::{fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};
use tonic::Status;
use uuid::Uuid;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Admits requests or refuses them.
pub struct Admission {
    identity: Arc<Identity>,
    places: Places,
    clients: Option<Limiter<u128>>,
    accounts: Option<Limiter<Uuid>>,
}

/// The places for calls of one RPC.
#[derive(Clone)]
pub struct PlacesFor {
    places: Places,
    rpc: &'static Rpc,
}

impl PlacesFor {
    /// Waits for a place, but not long.
    pub async fn wait_for_one(&self) -> Result<Permit, Status> {
        self.places.wait_for_one(self.rpc, Priority::of(self.rpc)).await.map_err(shed)
    }
}

/// What the client and the account of a request have left.
#[derive(Clone, Copy, Default)]
pub struct RateLimits {
    client: Option<RateLimitStatus>,
    account: Option<RateLimitStatus>,
}

impl Admission {
    /// The admission of `host`.
    pub fn new(host: &Host, config: &Config) -> Self {
        Self {
            identity: Arc::clone(host.identity()),
            places: Places::new(config.max_in_flight),
            clients: limiter("client", config.client_per_minute, host, config.replicas),
            accounts: limiter("account", config.account_per_minute, host, config.replicas),
        }
    }

    /// The places for calls of `rpc`. A call whose client sends a stream takes none: it would hold its place for as long
    /// as the client likes.
    pub fn places_for(&self, rpc: &'static Rpc) -> Option<PlacesFor> {
        (!rpc.client_streaming).then(|| PlacesFor { places: self.places.clone(), rpc })
    }

    /// Counts a request of the client at `address`.
    pub async fn client(&self, address: IpAddr) -> Result<RateLimits, (RateLimits, Status)> {
        let Some(clients) = &self.clients else { return Ok(RateLimits::default()) };
        match clients.take(listener::peer_key(address)).await {
            Ok(client) => Ok(RateLimits { client: Some(client), account: None }),
            Err(exceeded) => {
                let limits = RateLimits { client: Some(exceeded.status), account: None };
                Err((limits, throttle_failure(exceeded)))
            }
        }
    }

    /// What the access token of a request says that may call the RPC; none for a stranger who may. What cannot have a place
    /// anyway is refused before its token costs anything.
    pub async fn admit(
        &self,
        entry: &RpcEntry,
        headers: &HeaderMap,
        limits: &mut RateLimits,
    ) -> Result<Option<AccessClaims>, Status> {
        self.places.check(entry.rpc, Priority::of(entry.rpc)).map_err(shed)?;
        // What is open to all has no use for credentials of another scheme, such as an OAuth client's at `/token`. A
        // bearer token that is not valid is refused even there: its owner expects to be known.
        let claims = if entry.public && !has_bearer(headers) {
            None
        } else {
            self.identity.access(headers).await?
        };
        let subject = claims.map(|claims| claims.subject);
        if let (Some(subject), Some(accounts)) = (&subject, &self.accounts) {
            let taken = accounts.take(subject.user_id).await;
            limits.account = Some(taken.unwrap_or_else(|it| it.status));
            taken.map_err(throttle_failure)?;
        }
        kit::rpc::guard::authorize_caller(entry.rpc, &Caller { service: None, subject }, headers)?;
        Ok(claims)
    }

    /// The token with which an answer ends that goes on for long; none for an answer that does not, or is for all.
    pub fn token_of_stream(&self, rpc: &Rpc, claims: Option<AccessClaims>) -> Option<AccessToken> {
        let claims = claims.filter(|_| rpc.server_streaming)?;
        Some(AccessToken::new(Arc::clone(&self.identity), claims))
    }
}

/// A limiter of the edge, which counts together with other edges when it has a Redis.
fn limiter<K: RateKey>(
    subject: &str,
    quota: u32,
    host: &Host,
    replicas: u32,
) -> Option<Limiter<K>> {
    let limiter = Limiter::new(quota, host.clock().clone())?;
    Some(match host.redis() {
        Some(redis) => limiter.shared(SharedBuckets::new(redis.clone(), subject), replicas),
        None => limiter,
    })
}

fn has_bearer(headers: &HeaderMap) -> bool {
    let scheme = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().get(..7));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

impl RateLimits {
    /// Writes the `RateLimit` fields; nothing where nothing is limited.
    pub fn write(&self, headers: &mut HeaderMap) {
        let (mut limit, mut policy) = (String::new(), String::new());
        for (name, status) in [("client", self.client), ("account", self.account)] {
            let Some(RateLimitStatus { quota, remaining, reset }) = status else { continue };
            let comma = if limit.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(limit, "{comma}\"{name}\";r={remaining};t={reset}");
            let _ = write!(policy, "{comma}\"{name}\";q={quota};w=60");
        }
        for (name, text) in [(RATE_LIMIT, limit), (RATE_LIMIT_POLICY, policy)] {
            if let Ok(value) = HeaderValue::try_from(text)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

fn shed(overloaded: Overloaded) -> Status {
    kit::program::metrics::service(kit::rpc::caller::EDGE).shed();
    error::status_of(&overloaded)
}

fn throttle_failure(exceeded: Exceeded) -> Status {
    error::status_of(&Throttled(exceeded.retry_after))
}

#[derive(Debug, thiserror::Error)]
#[error("too many requests; slow down")]
struct Throttled(Duration);

impl error::Fault for Throttled {
    fn kind(&self) -> error::Kind {
        error::Kind::Exhausted { reason: "RATE_LIMITED", retry_after: self.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc_table::RpcTable;
    use futures::FutureExt as _;
    use kit::{
        rpc::error::reason_of,
        testing::{Backend, World},
    };

    #[tokio::test]
    async fn a_call_that_can_have_no_place_is_refused_at_once_and_its_token_is_not_read() {
        let world = World::new(Backend::Sqlite).await;
        let host = world.host.of("edge");
        let config = Config { max_in_flight: 2, ..Config::default() };
        let table = RpcTable::new(&host, &config);
        let entry = table.get("/quickserve.user.v1.UserService/GetMe").unwrap();
        let admission = Admission::new(&host, &config);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer forged"));
        let refusal = async || {
            let admitted = admission.admit(entry, &headers, &mut RateLimits::default()).await;
            reason_of(&admitted.unwrap_err())
        };
        assert_eq!(refusal().await, "TOKEN_INVALID");

        // The RPC may take one of two places. As many calls wait as may wait.
        let places = admission.places_for(entry.rpc).unwrap();
        let held = places.wait_for_one().await.unwrap();
        let mut waiting = Vec::new();
        while admission.places.check(entry.rpc, Priority::Ordinary).is_ok() {
            let mut call = Box::pin(places.wait_for_one());
            assert!(futures::poll!(&mut call).is_pending());
            waiting.push(call);
            assert!(waiting.len() < 1000, "there is no limit of calls that wait");
        }
        assert_eq!(refusal().now_or_never().expect("no wait"), "OVERLOADED");
        drop((held, waiting));
        assert_eq!(refusal().await, "TOKEN_INVALID");
    }
}
