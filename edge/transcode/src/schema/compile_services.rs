//! Services and methods, once all messages are known.

use prost::Message as _;

use super::compile::{Compiler, Scope, invalid_set};
use super::descriptor::{File, HttpRuleType, MethodType, ServiceType};
use super::source::Source;
use super::{
    GOOGLE_API_HTTP, HttpRule, Idempotency, LeftOut, Location, Method, Options, SchemaError,
    Service,
};

/// Number of `idempotency_level` in `MethodOptions`.
const IDEMPOTENCY_LEVEL: u32 = 34;

impl<'a> Compiler<'a> {
    pub(super) fn services(&mut self, file: &'a File) -> Result<(), SchemaError> {
        let scope = Scope::of_file(file);
        for (at, descriptor) in file.services.iter().enumerate() {
            let full_name = scope.name(&descriptor.name);
            if !self.declarations.add_service(full_name.clone(), descriptor, &file.name)? {
                continue;
            }
            let path = scope.path(6, at);
            let location = scope.source.at(&path);
            let methods = self.methods(&full_name, descriptor, &scope.source, &path)?;
            let options = Options::new(descriptor.options.clone());
            let (full_name, imported) = (full_name.into(), file.is_import());
            self.services.push(Service { full_name, methods, options, location, imported });
        }
        Ok(())
    }

    fn methods(
        &mut self,
        service: &str,
        descriptor: &ServiceType,
        source: &Source<'_>,
        path: &[i32],
    ) -> Result<Vec<Method>, SchemaError> {
        let mut methods = Vec::with_capacity(descriptor.methods.len());
        for (at, descriptor) in descriptor.methods.iter().enumerate() {
            let mut path = path.to_vec();
            path.extend([2, at as i32]);
            match self.method(service, descriptor, source.at(&path)) {
                Err(cause @ SchemaError::MissingType { .. }) if self.skip_incomplete => {
                    let path = format!("{service}/{}", descriptor.name);
                    self.left_out.push(LeftOut::of(&path, &cause));
                }
                method => methods.push(method?),
            }
        }
        Ok(methods)
    }

    fn method(
        &self,
        service: &str,
        descriptor: &MethodType,
        location: Location,
    ) -> Result<Method, SchemaError> {
        let user = format!("{service}.{}", descriptor.name);
        let options = Options::new(descriptor.options.clone());
        let rule = options.message(GOOGLE_API_HTTP).map(HttpRuleType::decode).transpose();
        let rule =
            rule.map_err(|_| invalid_set(user.clone(), "has a malformed google.api.http"))?;
        Ok(Method {
            name: descriptor.name.as_str().into(),
            path: format!("/{service}/{}", descriptor.name).into(),
            input: self.message(&user, &descriptor.input)?,
            output: self.message(&user, &descriptor.output)?,
            client_streaming: descriptor.client_streaming,
            server_streaming: descriptor.server_streaming,
            idempotency: match options.varint(IDEMPOTENCY_LEVEL) {
                Some(1) => Idempotency::NoSideEffects,
                Some(2) => Idempotency::Idempotent,
                _ => Idempotency::Unknown,
            },
            http_rule: rule.map(HttpRule::from),
            options,
            location,
        })
    }
}
