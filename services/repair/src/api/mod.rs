//! What people see and do: the repairs of their orders, and their appliances.

pub mod appliances;
pub mod repairs;

use kit::Caller;
use uuid::Uuid;

/// The account that makes the call.
fn account_of(caller: &Caller) -> Result<Uuid, kit::Error> {
    Ok(caller.subject()?.user_id)
}
