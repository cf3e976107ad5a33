//! Tokens: access tokens that accounts carry, internal tokens that services send each other, both EdDSA JWTs.
//!
//! `claims` says what is in them, `issue` signs them, `verify` reads them back and refuses everything else with one
//! and the same error, `provider` lends `jsonwebtoken` the Ed25519 of ring.

mod claims;
mod issue;
mod provider;
mod verify;

pub use claims::{AccessClaims, InternalClaims};
pub use issue::{Issued, Mint, NewAccess, NewInternal, issue_access, issue_internal};
pub use verify::{BoxError, Refetch, TokenRefused, Verifier};

use chrono::Duration;

/// The `iss` of the tokens of an installation that sets no name of its own.
pub const ISSUER: &str = "quickserve";
/// The `aud` of access tokens.
pub const ACCESS_AUDIENCE: &str = "quickserve";
/// How long an access token is valid.
pub const ACCESS_LIFE: Duration = Duration::minutes(10);
/// How long an internal token is valid.
pub const INTERNAL_LIFE: Duration = Duration::seconds(60);
/// How far the clocks of two machines may be apart.
pub const LEEWAY: Duration = Duration::seconds(30);

/// The `typ` of access tokens (RFC 9068).
const ACCESS_TYPE: &str = "at+jwt";
/// The `typ` of internal tokens.
const INTERNAL_TYPE: &str = "qs-internal+jwt";
/// The one algorithm.
const ALGORITHM: &str = "EdDSA";

#[cfg(test)]
mod tests;
