//! Who calls, as a request's headers prove it: a service by an internal token, an account by its access token.

use crate::{
    Clock,
    identity::keyring::SharedKeyring,
    identity::revocation::Revocations,
    identity::token::{AccessClaims, Mint, Verifier},
    mesh::{MeshKeys, MeshPeer},
    rpc::caller::Caller,
    rpc::error,
};
use http::{HeaderMap, header::AUTHORIZATION};
use tonic::Status;

/// The header in which one service proves itself to another.
pub const INTERNAL_TOKEN: &str = "x-quickserve-identity";

/// What a process needs to prove its services and to recognise callers.
pub struct Identity {
    issuer: String,
    mesh: SharedKeyring,
    clock: Clock,
    /// Whether a service is believed only over a connection on which it has shown its certificate.
    needs_certificates: bool,
    internal: Verifier,
    access: Verifier,
    revocations: Revocations,
}

/// Who sent a request.
pub struct Identified {
    /// The service or the account.
    pub caller: Caller,
    /// The access token that says so, if it is one.
    pub access: Option<AccessClaims>,
}

impl Identity {
    /// Services share the keys of `mesh` and prove themselves with them; the access tokens of accounts are checked by
    /// `access`.
    pub fn new(issuer: &str, mesh: SharedKeyring, access: Verifier, clock: Clock) -> Self {
        let internal = Verifier::from_keyring(issuer, mesh.clone(), clock.clone());
        let revocations = Revocations::default();
        let (issuer, needs_certificates) = (issuer.to_owned(), false);
        Self { issuer, mesh, clock, needs_certificates, internal, access, revocations }
    }

    /// Services prove themselves with certificates, and sign what they say of accounts with keys of their own.
    pub fn in_mesh(issuer: &str, keys: &MeshKeys, access: Verifier, clock: Clock) -> Self {
        Self {
            needs_certificates: true,
            internal: keys.verifier(issuer, clock.clone()),
            ..Self::new(issuer, keys.own().clone(), access, clock)
        }
    }

    /// Issues the tokens with which `service` calls others.
    pub fn mint(&self, service: &str) -> Mint {
        Mint::new(self.issuer.as_str(), service, self.mesh.clone(), self.clock.clone())
    }

    /// The access tokens that are void before their time.
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Whether the keys of access tokens are known. They are fetched unless this process holds them.
    pub async fn has_access_keys(&self) -> bool {
        self.access.has_keys().await
    }

    /// Who sent a request with these headers to `service`, over a connection whose other end is `peer` by its
    /// certificate. A claim that does not hold is UNAUTHENTICATED; without a claim the caller is anonymous.
    pub async fn identify(
        &self,
        service: &str,
        headers: &HeaderMap,
        peer: Option<&MeshPeer>,
    ) -> Result<Identified, Status> {
        if let Some(token) = headers.get(INTERNAL_TOKEN) {
            let token = token.to_str().map_err(|_| refuse_token())?;
            let claims = self.internal.verify_internal(token, service).await;
            let claims = claims.map_err(|_| refuse_token())?;
            if self.needs_certificates && peer.is_none_or(|peer| peer.0 != claims.service) {
                tracing::warn!(
                    claimed = &*claims.service,
                    peer = peer.map(|peer| &*peer.0).unwrap_or_default(),
                    "refused a token that another service than the one with this certificate had sent"
                );
                return Err(refuse_token());
            }
            let caller = Caller { service: Some(claims.service), subject: claims.subject };
            return Ok(Identified { caller, access: None });
        }
        let access = self.access(headers).await?;
        let subject = access.map(|claims| claims.subject);
        Ok(Identified { caller: Caller { service: None, subject }, access })
    }

    /// What the access token in these headers says, if there is one.
    pub async fn access(&self, headers: &HeaderMap) -> Result<Option<AccessClaims>, Status> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
        let token = value.to_str().ok().and_then(bearer_token).ok_or_else(refuse_token)?;
        let claims = self.access.verify_access(token).await.map_err(|_| refuse_token())?;
        if self.revocations.covers(&claims) {
            return Err(refuse_token());
        }
        Ok(Some(claims))
    }
}

/// The token of a `Bearer` credential (RFC 6750); the scheme's case does not matter.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// One answer for every bad token, so that it tells nothing.
pub(crate) fn refuse_token() -> Status {
    error::status_of(&InvalidToken)
}

#[derive(Debug, thiserror::Error)]
#[error("the token is not valid")]
struct InvalidToken;

impl error::Fault for InvalidToken {
    fn kind(&self) -> error::Kind {
        error::Kind::Unauthenticated("TOKEN_INVALID")
    }
}
