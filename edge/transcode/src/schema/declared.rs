//! What is declared under which name. A declaration is known by its full name alone: copies of a
//! type in several files are one type, as long as they mean the same.

use std::collections::HashMap;

use super::SchemaError;
use super::descriptor::{EnumType, MessageType, MethodType, ServiceType};

/// A message or enum that is not inside another.
#[derive(Clone, Copy)]
pub(super) enum Type<'a> {
    Message(&'a MessageType),
    Enum(&'a EnumType),
}

/// The declarations so far, each with the file that made it.
#[derive(Default)]
pub(super) struct Declarations<'a> {
    types: HashMap<String, (Type<'a>, &'a str)>,
    services: HashMap<String, (&'a ServiceType, &'a str)>,
    /// Whether all that is still to come is only for gaps.
    own_is_complete: bool,
}

impl<'a> Declarations<'a> {
    /// From here on, a name that is taken stays as it is.
    pub fn end_of_own(&mut self) {
        self.own_is_complete = true;
    }

    /// Says whether the declaration is the first of its name and counts.
    ///
    /// # Errors
    /// When it contradicts the first one.
    pub fn add_type(
        &mut self,
        name: String,
        declared: Type<'a>,
        file: &'a str,
    ) -> Result<bool, SchemaError> {
        let Some(&(first, first_file)) = self.types.get(&name) else {
            self.types.insert(name, (declared, file));
            return Ok(true);
        };
        match first.difference(declared) {
            Some(difference) if !self.own_is_complete => {
                Err(find_contradiction(name, first_file, file, difference))
            }
            _ => Ok(false),
        }
    }

    /// As [`add_type`](Self::add_type), for a service.
    ///
    /// # Errors
    /// When it contradicts the first one.
    pub fn add_service(
        &mut self,
        name: String,
        declared: &'a ServiceType,
        file: &'a str,
    ) -> Result<bool, SchemaError> {
        let Some(&(first, first_file)) = self.services.get(&name) else {
            self.services.insert(name, (declared, file));
            return Ok(true);
        };
        match service_difference(first, declared) {
            Some(difference) => Err(find_contradiction(name, first_file, file, difference)),
            None => Ok(false),
        }
    }
}

fn find_contradiction(name: String, first: &str, second: &str, difference: String) -> SchemaError {
    let (first, second) = (first.to_owned(), second.to_owned());
    SchemaError::Contradiction { name, first, second, difference }
}

impl Type<'_> {
    /// Where two declarations contradict each other. That one of them has more members, as a later
    /// version of a file does, is no contradiction.
    fn difference(self, other: Type<'_>) -> Option<String> {
        match (self, other) {
            (Type::Message(first), Type::Message(second)) => message_difference(first, second),
            (Type::Enum(first), Type::Enum(second)) => enum_difference(first, second),
            _ => Some("one is a message, the other an enum".to_owned()),
        }
    }
}

fn message_difference(first: &MessageType, second: &MessageType) -> Option<String> {
    let numbers: HashMap<i32, _> = first.fields.iter().map(|field| (field.number, field)).collect();
    for field in &second.fields {
        let Some(other) = numbers.get(&field.number) else { continue };
        let same = other.name == field.name
            && other.kind == field.kind
            && other.label == field.label
            && without_dot(&other.type_name) == without_dot(&field.type_name);
        if !same {
            return Some(format!("field {} of {}", field.number, second.name));
        }
    }
    let nested_messages = second.messages.iter().find_map(|message| {
        let other = first.messages.iter().find(|other| other.name == message.name)?;
        message_difference(other, message)
    });
    nested_messages.or_else(|| {
        second.enums.iter().find_map(|nested| {
            let other = first.enums.iter().find(|other| other.name == nested.name)?;
            enum_difference(other, nested)
        })
    })
}

fn enum_difference(first: &EnumType, second: &EnumType) -> Option<String> {
    let numbers: HashMap<&str, i32> =
        first.values.iter().map(|value| (value.name.as_str(), value.number)).collect();
    let value = second.values.iter().find(|value| {
        numbers.get(value.name.as_str()).is_some_and(|&other| other != value.number)
    })?;
    Some(format!("the number of {}", value.name))
}

fn service_difference(first: &ServiceType, second: &ServiceType) -> Option<String> {
    let methods: HashMap<&str, &MethodType> =
        first.methods.iter().map(|method| (method.name.as_str(), method)).collect();
    let method = second.methods.iter().find(|method| {
        methods.get(method.name.as_str()).is_some_and(|other| !has_same_shape(method, other))
    })?;
    Some(format!("rpc {}", method.name))
}

fn has_same_shape(method: &MethodType, other: &MethodType) -> bool {
    without_dot(&method.input) == without_dot(&other.input)
        && without_dot(&method.output) == without_dot(&other.output)
        && method.client_streaming == other.client_streaming
        && method.server_streaming == other.server_streaming
}

fn without_dot(name: &str) -> &str {
    name.trim_start_matches('.')
}
