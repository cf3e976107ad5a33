//! The rules of a request, checked after it is decoded. Generated code implements [`Validate`] for every message from the
//! `buf.validate` options of its contract; this module is the vocabulary that the generated code speaks.

mod characters;
mod checker;
mod collections;
mod format;
mod number;
mod path;
mod range;
mod status;
mod text;
mod time;
mod well_known;

pub use crate::generated::quickserve::options::v1::Text;
pub use checker::{Checker, MAX_VIOLATIONS, Violation};
pub use collections::{BoolRules, BytesRules, EnumRules, SizeRules};
pub use format::Format;
pub use number::{Number, NumberRules};
pub use path::FieldPath;
pub use range::{Bound, Range, Scale};
pub use status::{DOMAIN, malformed_status, refusal_status};
pub use text::{Pattern, StringRules};
pub use time::TimeRules;

use tonic::Status;

/// A message that knows the rules of its contract.
pub trait Validate {
    /// Appends what breaks a rule. `path` leads to this message; it is left as it was found.
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>);
}

/// No message, where a contract has none: nothing in it can be wrong.
impl Validate for () {
    fn validate(&self, _: &mut FieldPath, _: &mut Vec<Violation>) {}
}

impl<M: Validate + ?Sized> Validate for Box<M> {
    fn validate(&self, path: &mut FieldPath, violations: &mut Vec<Violation>) {
        (**self).validate(path, violations);
    }
}

/// Lists what breaks a rule, at most [`MAX_VIOLATIONS`].
pub fn violations_of<M: Validate + ?Sized>(message: &M) -> Vec<Violation> {
    let mut violations = Vec::new();
    message.validate(&mut FieldPath::default(), &mut violations);
    violations
}

/// Checks a request.
///
/// # Errors
/// `INVALID_ARGUMENT` with `google.rpc.BadRequest` naming each field, and `google.rpc.ErrorInfo`.
pub fn check_message<M: Validate + ?Sized>(request: &M) -> Result<(), Status> {
    let violations = violations_of(request);
    if violations.is_empty() { Ok(()) } else { Err(refusal_status(&violations)) }
}
