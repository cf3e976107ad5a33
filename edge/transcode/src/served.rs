//! Which services of a set of contracts are served.

use crate::options::Options;
use crate::rule::CompileError;
use crate::schema::{Schema, Service};

/// The services to serve, in the order of the set.
///
/// # Errors
/// When a name of the options is of no service and no package.
pub(crate) fn select_services<'s>(
    schema: &'s Schema,
    options: &Options,
) -> Result<Vec<&'s Service>, CompileError> {
    let all = schema.services().iter();
    if options.services.is_empty() {
        return Ok(all.filter(|service| !service.is_imported()).collect());
    }
    let unknown = options.services.iter().find(|name| !all.clone().any(|s| is_in(s, name)));
    if let Some(name) = unknown {
        return Err(CompileError::Service(name.clone()));
    }
    Ok(all.filter(|service| options.services.iter().any(|name| is_in(service, name))).collect())
}

/// Whether a service has this name, or is in the package of this name.
fn is_in(service: &Service, name: &str) -> bool {
    let rest = service.full_name().strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
