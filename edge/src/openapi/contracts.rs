//! The contracts as reflection shows them, with the comments above their parts.

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumValueDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, MethodDescriptor,
};
use std::collections::HashMap;

/// The contracts and their comments.
pub struct Contracts {
    pool: DescriptorPool,
    /// By file and place in it.
    comments: HashMap<(String, Vec<i32>), String>,
}

impl Contracts {
    /// Reads the contracts that are compiled in. A set that cannot be read gives an empty document; the tests of the
    /// build would have found it.
    pub fn read() -> Self {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap_or_default();
        let mut comments = HashMap::new();
        for file in pool.files() {
            let proto = file.file_descriptor_proto();
            for place in proto.source_code_info.iter().flat_map(|info| &info.location) {
                if let Some(text) = &place.leading_comments {
                    comments.insert((file.name().to_owned(), place.path.clone()), tidy(text));
                }
            }
        }
        Self { pool, comments }
    }

    /// The method whose calls have this path.
    pub fn method(&self, service: &str, method: &str) -> Option<MethodDescriptor> {
        self.pool.get_service_by_name(service)?.methods().find(|it| it.name() == method)
    }

    /// What a service says of itself.
    pub fn service_comment(&self, name: &str) -> String {
        let service = self.pool.get_service_by_name(name);
        service.map_or_else(String::new, |it| self.at(&it.parent_file(), it.path()))
    }

    /// What a method says of itself.
    pub fn method_comment(&self, method: &MethodDescriptor) -> String {
        self.at(&method.parent_service().parent_file(), method.path())
    }

    /// What a message says of itself.
    pub fn message_comment(&self, message: &MessageDescriptor) -> String {
        self.at(&message.parent_file(), message.path())
    }

    /// What a field says of itself.
    pub fn field_comment(&self, field: &FieldDescriptor) -> String {
        self.at(&field.parent_message().parent_file(), field.path())
    }

    /// What a value of an enum says of itself.
    pub fn value_comment(&self, value: &EnumValueDescriptor) -> String {
        self.at(&value.parent_enum().parent_file(), value.path())
    }

    fn at(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let found = self.comments.get(&(file.name().to_owned(), path.to_vec()));
        found.cloned().unwrap_or_default()
    }
}

/// The text without the space that follows `//`, its lines joined where they were only wrapped: those of tables and
/// lists stay.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.trim().lines().map(str::trim) {
        let own = line.is_empty() || ["|", "* ", "- "].iter().any(|mark| line.starts_with(mark));
        if !tidy.is_empty() {
            tidy.push(if own || tidy.ends_with('\n') { '\n' } else { ' ' });
        }
        tidy.push_str(line);
    }
    tidy
}

/// The value of an extension that is a message, when it is set.
pub fn extension(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let (_, value) = options.extensions().find(|(extension, _)| extension.full_name() == name)?;
    value.as_message().cloned()
}

/// The first statement of a comment, without its full stop.
pub fn summary(comment: &str) -> &str {
    let end = [". ", ": ", "; ", "\n"].iter().filter_map(|mark| comment.find(mark)).min();
    end.and_then(|end| comment.get(..end)).unwrap_or(comment).trim_end_matches('.')
}

/// The stable codes that a comment lists after the word `Reasons`.
pub fn reasons(comment: &str) -> Vec<&str> {
    let listed = comment.split_once("Reasons: ").map_or("", |(_, listed)| listed);
    let listed = listed.split_once(". ").map_or(listed, |(listed, _)| listed);
    listed.split('`').skip(1).step_by(2).collect()
}

/// What a comment gives as an example: the code that follows the words `for example`.
pub fn example(comment: &str) -> Option<&str> {
    let (_, rest) = comment.split_once("for example ")?;
    let (code, _) = rest.strip_prefix('`')?.split_once('`')?;
    Some(code)
}

/// The media type that a comment names first.
pub fn media_type(comment: &str) -> Option<&str> {
    let codes = comment.split('`').skip(1).step_by(2);
    codes.filter(|code| !code.contains(' ')).find(|code| {
        code.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read() {
        assert_eq!(summary("Opens a session. Unknown address, wrong."), "Opens a session");
        assert_eq!(example("A code, for example `EUR`."), Some("EUR"));
        assert_eq!(example("A code, for example EUR."), None);
        let form = "The form, `application/x-www-form-urlencoded`: `username` and `password`.";
        assert_eq!(media_type(form), Some("application/x-www-form-urlencoded"));
        assert_eq!(media_type("A path `a b/c`, and/or more"), None);
        assert_eq!(tidy(" One\n two.\n\n Three. "), "One two.\n\nThree.");
        assert_eq!(tidy(" One:\n\n | a |\n |---|\n"), "One:\n\n| a |\n|---|");
        assert_eq!(summary("Returns it: whole to some. More."), "Returns it");
        assert_eq!(reasons("Does it. Reasons: `A_B`, `C`."), ["A_B", "C"]);
        assert!(reasons("Does `it`.").is_empty());
    }

    #[test]
    fn every_method_has_its_comment() {
        let contracts = Contracts::read();
        for rpc in proto::rpcs() {
            let method = contracts.method(rpc.service, rpc.method).expect(rpc.path);
            assert!(!contracts.method_comment(&method).is_empty(), "{}", rpc.path);
        }
    }
}
