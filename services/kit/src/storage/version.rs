//! The version a client expects a thing to have when it changes it: the field `version`, or the header `If-Match`.

use crate::rpc::error::Error;

/// Refuses a change by a client who saw another version than the `current` one. 0 expects none.
pub fn expect_version(expected: i64, current: i64) -> Result<(), Error> {
    if expected == 0 || expected == current { Ok(()) } else { Err(Error::VersionMismatch) }
}
