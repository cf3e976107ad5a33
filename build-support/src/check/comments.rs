//! A comment on everything: comments become the public documentation.

use crate::{contracts::Contracts, problem::Problem};
use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor};

pub fn check_comments(contracts: &Contracts) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &contracts.files {
        let mut walk = Walk { contracts, file, problems: &mut problems };
        for service in file.services() {
            walk.element("service", service.name(), service.path());
            for method in service.methods() {
                walk.element("rpc", method.name(), method.path());
            }
        }
        file.messages().for_each(|message| walk.message(&message));
        file.enums().for_each(|item| walk.enumeration(&item));
    }
    problems
}

struct Walk<'a> {
    contracts: &'a Contracts,
    file: &'a FileDescriptor,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn element(&mut self, what: &str, name: &str, path: &[i32]) {
        if self.contracts.comment(self.file, path).is_empty() {
            let message = format!("{what} {name} has no comment above it");
            self.problems.push(self.contracts.problem(self.file, path, message));
        }
    }

    fn message(&mut self, message: &MessageDescriptor) {
        if message.is_map_entry() {
            return;
        }
        self.element("message", message.name(), message.path());
        for field in message.fields() {
            self.element("field", field.name(), field.path());
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            self.element("oneof", oneof.name(), oneof.path());
        }
        message.child_messages().for_each(|child| self.message(&child));
        message.child_enums().for_each(|child| self.enumeration(&child));
    }

    fn enumeration(&mut self, item: &EnumDescriptor) {
        self.element("enum", item.name(), item.path());
        for value in item.values() {
            self.element("enum value", value.name(), value.path());
        }
    }
}
