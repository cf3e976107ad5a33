//! Methods whose messages cannot be read or written wholly, because a type is missing.

use super::compile::Compiler;
use super::{LeftOut, MessageIndex, SchemaError};

impl Compiler<'_> {
    pub(super) fn leave_out_methods_of_incomplete_messages(&mut self) {
        if self.incomplete.is_empty() {
            return;
        }
        self.spread_to_messages_that_hold_incomplete_ones();
        let incomplete = &self.incomplete;
        for service in &mut self.services {
            service.methods.retain(|method| {
                let cause = incomplete.get(&method.input).or(incomplete.get(&method.output));
                if let Some(cause) = cause {
                    self.left_out.push(LeftOut::of(&method.path, cause));
                }
                cause.is_none()
            });
        }
    }

    fn spread_to_messages_that_hold_incomplete_ones(&mut self) {
        loop {
            let known = self.incomplete.len();
            for (at, message) in self.messages.iter().enumerate() {
                let index = MessageIndex(at as u32);
                if self.incomplete.contains_key(&index) {
                    continue;
                }
                let children = message.fields.iter().filter_map(|field| field.kind.message());
                let cause = children.filter_map(|child| self.incomplete.get(&child)).next();
                if let Some(cause) = cause.cloned() {
                    self.incomplete.insert(index, cause);
                }
            }
            if self.incomplete.len() == known {
                return;
            }
        }
    }
}

impl LeftOut {
    pub(super) fn of(path: &str, cause: &SchemaError) -> Self {
        Self { rpc: path.trim_start_matches('/').to_owned(), cause: cause.clone() }
    }
}
