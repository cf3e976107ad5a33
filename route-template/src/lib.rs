//! The path templates of `google.api.http` rules, such as `/v1/{parent=shops/*}/orders/{order.id}:cancel`, and the
//! percent-encoding of the paths that they match.
//!
//! The build checks the contracts' templates with it, and the transcoder serves them: what the one accepts, the other
//! can route.

#![warn(missing_docs)]

pub mod percent;
mod template;

pub use template::{Segment, Template, TemplateError, Variable};
