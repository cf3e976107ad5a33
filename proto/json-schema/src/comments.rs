//! The comments of the contracts: what a message, a field, a service says of itself.

use prost_reflect::{
    DescriptorPool, EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};
use std::collections::HashMap;

/// The comments above the parts of the contracts.
pub struct Comments {
    /// By file and path within it.
    texts: HashMap<(String, Vec<i32>), String>,
}

impl Comments {
    /// Reads the comments of all files of a pool.
    pub fn read(pool: &DescriptorPool) -> Self {
        let mut texts = HashMap::new();
        for file in pool.files() {
            let proto = file.file_descriptor_proto();
            for place in proto.source_code_info.iter().flat_map(|info| &info.location) {
                if let Some(text) = &place.leading_comments {
                    texts.insert((file.name().to_owned(), place.path.clone()), unwrap_lines(text));
                }
            }
        }
        Self { texts }
    }

    /// The comment of a service.
    pub fn of_service(&self, service: &ServiceDescriptor) -> &str {
        self.at(&service.parent_file(), service.path())
    }

    /// The comment of a method.
    pub fn of_method(&self, method: &MethodDescriptor) -> &str {
        self.at(&method.parent_service().parent_file(), method.path())
    }

    /// The comment of a message.
    pub fn of_message(&self, message: &MessageDescriptor) -> &str {
        self.at(&message.parent_file(), message.path())
    }

    /// The comment of a field.
    pub fn of_field(&self, field: &FieldDescriptor) -> &str {
        self.at(&field.parent_message().parent_file(), field.path())
    }

    /// The comment of a value of an enum.
    pub fn of_value(&self, value: &EnumValueDescriptor) -> &str {
        self.at(&value.parent_enum().parent_file(), value.path())
    }

    fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        let found = self.texts.get(&(file.name().to_owned(), path.to_vec()));
        found.map(String::as_str).unwrap_or_default()
    }
}

/// Removes the space that follows `//`, and joins lines that were only wrapped: those of tables and lists stay.
fn unwrap_lines(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.trim().lines().map(str::trim) {
        let stands_alone =
            line.is_empty() || ["|", "* ", "- "].iter().any(|mark| line.starts_with(mark));
        if !joined.is_empty() {
            joined.push(if stands_alone || joined.ends_with('\n') { '\n' } else { ' ' });
        }
        joined.push_str(line);
    }
    joined
}

/// The example that a comment gives: the code that follows the words `for example`.
pub(crate) fn split_example(comment: &str) -> Option<&str> {
    let (_, rest) = comment.split_once("for example ")?;
    let (code, _) = rest.strip_prefix('`')?.split_once('`')?;
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read() {
        assert_eq!(split_example("A code, for example `EUR`."), Some("EUR"));
        assert_eq!(split_example("A code, for example EUR."), None);
        assert_eq!(unwrap_lines(" One\n two.\n\n Three. "), "One two.\n\nThree.");
        assert_eq!(unwrap_lines(" One:\n\n | a |\n |---|\n"), "One:\n\n| a |\n|---|");
    }
}
