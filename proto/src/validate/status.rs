//! What a refused request is told: `INVALID_ARGUMENT` with google.rpc details.

use super::Violation;
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Who gives the reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "quickserve";

const REASON: &str = "INVALID_ARGUMENT";

/// Most text of violations that travels, in bytes. Details go into an HTTP/2 trailer in base64, and widespread clients
/// refuse headers above 8 KiB.
const MAX_TEXT: usize = 4096;

/// The status for broken rules. Those that do not fit are left out; the message counts them.
pub fn refusal_status(violations: &[Violation]) -> Status {
    let message = match violations {
        [] => "the request is refused".to_owned(),
        [only] => format!("{} {}", only.field, only.description),
        [first, rest @ ..] => {
            format!("{} {} (and {} more)", first.field, first.description, rest.len())
        }
    };
    let mut text = 0;
    let told: Vec<FieldViolation> = violations
        .iter()
        .take_while(|violation| {
            text += violation.field.len() + violation.description.len() + violation.rule.len();
            text <= MAX_TEXT
        })
        .map(|violation| FieldViolation {
            field: violation.field.clone(),
            description: violation.description.to_string(),
            reason: violation.rule.to_string(),
            localized_message: None,
        })
        .collect();
    let mut details = ErrorDetails::with_error_info(REASON, DOMAIN, HashMap::new());
    details.set_bad_request(told);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// The status for bytes that are no such message. The text names the field, never its value.
pub fn malformed_status(error: &prost::DecodeError) -> Status {
    let details = ErrorDetails::with_error_info(REASON, DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, error.to_string(), details)
}
