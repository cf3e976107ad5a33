//! Why an operator does something: the header `Operator-Reason`, where a contract demands it.

use super::{
    caller::Caller,
    context::OperatorReason,
    error::{self, Error},
};
use http::{HeaderMap, HeaderValue};
use proto::rpc::Rpc;
use tonic::Status;

/// The metadata key and HTTP header that carries the reason.
pub const HEADER: &str = "operator-reason";

/// Fewest characters of a reason.
const SHORTEST: usize = 3;
/// Most characters of a reason.
const LONGEST: usize = 500;

/// The reason of an operator's call. Others need none, and none is read of them.
pub(super) fn read_reason(
    rpc: &Rpc,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Option<OperatorReason>, Status> {
    if !rpc.audit.reason || !caller.is_operator() {
        return Ok(None);
    }
    let Some(header) = headers.get(HEADER) else {
        return Err(refused("must be given: say why an operator does this"));
    };
    match decode_percents(header) {
        None => Err(refused("must be UTF-8, percent-encoded where it is not ASCII")),
        Some(text) if text.chars().any(char::is_control) => Err(refused("must be one line")),
        Some(text) if !(SHORTEST..=LONGEST).contains(&text.trim().chars().count()) => {
            Err(refused("must have 3 to 500 characters"))
        }
        Some(text) => Ok(Some(OperatorReason(text.trim().into()))),
    }
}

fn refused(problem: &str) -> Status {
    error::status_of(&Error::invalid("Operator-Reason", problem))
}

/// The text of a header in which bytes may be written as `%` and two hexadecimal digits.
fn decode_percents(header: &HeaderValue) -> Option<String> {
    let mut bytes = header.as_bytes().iter().copied();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            text.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        text.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Role,
        testing::{refused_field, somebody},
    };

    fn read(role: Role, reason: Option<&str>) -> Result<Option<String>, Status> {
        let demanding = proto::all_rpcs().iter().find(|rpc| rpc.audit.reason).unwrap();
        let caller = Caller { service: None, subject: Some(somebody(&[role])) };
        let mut headers = HeaderMap::new();
        if let Some(reason) = reason {
            headers.insert(HEADER, HeaderValue::from_bytes(reason.as_bytes()).unwrap());
        }
        Ok(read_reason(demanding, &caller, &headers)?.map(|OperatorReason(text)| text.to_string()))
    }

    #[test]
    fn an_operator_says_why_and_others_need_not() {
        let said = read(Role::Operator, Some("a call of the m%C3%A8re%2C 100%25 sure"));
        assert_eq!(said.unwrap().as_deref(), Some("a call of the mère, 100% sure"));
        for role in [Role::Customer, Role::Provider] {
            assert_eq!(read(role, None).unwrap(), None);
        }
        let long = "x".repeat(501);
        for wrong in
            [None, Some("no"), Some("%4"), Some("%ff%fe%fd"), Some("a%0Ab c"), Some(&*long)]
        {
            assert_eq!(refused_field(read(Role::Operator, wrong)), "Operator-Reason", "{wrong:?}");
        }
    }
}
