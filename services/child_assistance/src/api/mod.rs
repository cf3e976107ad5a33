//! What guardians, carers and operators see and do: `FamilyService` and `CareService`.

mod adults;
mod care;
mod children;
mod family;
mod handovers;
mod naming;
mod reading;

use crate::{cares::Cares, codes::Codes, domain::Error, erasure::Eraser, vault::Vault};
use kit::Db;
use tonic::Request;
use uuid::Uuid;

/// Serves both services.
#[derive(Clone)]
pub struct Api {
    pub db: Db,
    pub vault: Vault,
    pub codes: Codes,
    pub cares: Cares,
    pub eraser: Eraser,
}

/// Who makes the call.
fn account_of<T>(request: &Request<T>) -> Result<Uuid, Error> {
    Ok(kit::caller_of(request).subject()?.user_id)
}

/// Reads the id of an object.
fn parse_id(field: &str, text: &str) -> Result<Uuid, Error> {
    Ok(kit::values::id::parse_uuid(field, text)?)
}
