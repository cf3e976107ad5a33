//! Extensions: fields that a file adds to the messages of others.

use super::SchemaError;
use super::compile::{Compiler, Scope};
use super::descriptor::{FieldType, File};
use super::features::{self, Features};

impl<'a> Compiler<'a> {
    /// Extensions become fields of the message they extend, where that is in the set.
    pub(super) fn extensions(&mut self, file: &'a File) -> Result<(), SchemaError> {
        let scope = Scope::of_file(file);
        let mut open = vec![(scope.prefix, scope.features, &file.extensions, &file.messages)];
        while let Some((prefix, features, extensions, messages)) = open.pop() {
            for descriptor in extensions {
                self.extension(&prefix, descriptor, features)?;
            }
            for message in messages {
                let features = features.with(&message.options, features::IN_MESSAGE);
                let prefix = format!("{prefix}.{}", message.name);
                let prefix = prefix.trim_start_matches('.').to_owned();
                open.push((prefix, features, &message.extensions, &message.messages));
            }
        }
        Ok(())
    }

    fn extension(
        &mut self,
        scope: &str,
        descriptor: &FieldType,
        features: Features,
    ) -> Result<(), SchemaError> {
        let extendee = descriptor.extendee.trim_start_matches('.');
        let Some(&index) = self.message_names.get(extendee) else { return Ok(()) };
        // Options are kept as they were written; nothing depends on the types of their extensions.
        let of_options = extendee.starts_with("google.protobuf.") && extendee.ends_with("Options");
        let may_be_missing = of_options || self.skip_incomplete;
        let field = match self.field(scope, descriptor, features, true, "".into()) {
            Err(SchemaError::MissingType { .. }) if may_be_missing => return Ok(()),
            field => field?,
        };
        let Some(message) = self.messages.get_mut(index.0 as usize) else { return Ok(()) };
        let taken = message.fields.iter().find(|other| other.number == field.number);
        if !taken.is_some_and(|other| of_options || other.name == field.name) {
            message.fields.push(field);
        }
        Ok(())
    }
}
