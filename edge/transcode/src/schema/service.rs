//! Services and methods, with the `google.api.http` rules decoded.

use super::descriptor::{HttpPattern, HttpRuleType};
use super::{MessageIndex, Options};

/// The field number of the `google.api.http` extension of `MethodOptions`.
pub const GOOGLE_API_HTTP: u32 = 72_295_728;

/// A service of the schema.
#[derive(Debug)]
pub struct Service {
    pub(super) full_name: Box<str>,
    pub(super) methods: Vec<Method>,
    pub(super) options: Options,
    pub(super) location: Location,
    pub(super) imported: bool,
}

impl Service {
    /// Name with its package, `package.Service`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The methods in their order of declaration.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The service's options, extensions included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether the set says that the service's file is there only because another one imports it. A
    /// Buf image says so; in what `protoc` writes, no file is marked.
    pub fn is_imported(&self) -> bool {
        self.imported
    }

    /// Where the service is declared.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

/// A method of a service.
#[derive(Clone, Debug)]
pub struct Method {
    pub(super) name: Box<str>,
    pub(super) path: Box<str>,
    pub(super) input: MessageIndex,
    pub(super) output: MessageIndex,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
    pub(super) idempotency: Idempotency,
    pub(super) http_rule: Option<HttpRule>,
    pub(super) options: Options,
    pub(super) location: Location,
}

impl Method {
    /// The method's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The gRPC request path, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The request message.
    pub fn input(&self) -> MessageIndex {
        self.input
    }

    /// The response message.
    pub fn output(&self) -> MessageIndex {
        self.output
    }

    /// Whether the client sends a stream.
    pub fn client_streaming(&self) -> bool {
        self.client_streaming
    }

    /// Whether the server sends a stream.
    pub fn server_streaming(&self) -> bool {
        self.server_streaming
    }

    /// What the contract says about repeating a call.
    pub fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    /// The `google.api.http` rule, where the method has one.
    pub fn http_rule(&self) -> Option<&HttpRule> {
        self.http_rule.as_ref()
    }

    /// The method's options, extensions included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where the `rpc` is declared.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

/// What `MethodOptions.idempotency_level` says about a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is promised.
    #[default]
    Unknown,
    /// The call changes nothing.
    NoSideEffects,
    /// The call may be repeated.
    Idempotent,
}

/// A decoded `google.api.HttpRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRule {
    /// The HTTP method in capitals, or the kind of a custom pattern as it was written (`*` is any).
    pub method: String,
    /// The path template; empty when the rule has none.
    pub template: String,
    /// The field that is the request body, `*` for all of it, empty for none.
    pub body: String,
    /// The field that is the response body, empty for the whole message.
    pub response_body: String,
    /// Further rules for the same method. They have none of their own (those are kept as read, so
    /// that a router can refuse them).
    pub additional_bindings: Vec<HttpRule>,
}

impl From<HttpRuleType> for HttpRule {
    fn from(rule: HttpRuleType) -> Self {
        let (method, template) = match rule.pattern {
            Some(HttpPattern::Get(path)) => ("GET".to_owned(), path),
            Some(HttpPattern::Put(path)) => ("PUT".to_owned(), path),
            Some(HttpPattern::Post(path)) => ("POST".to_owned(), path),
            Some(HttpPattern::Delete(path)) => ("DELETE".to_owned(), path),
            Some(HttpPattern::Patch(path)) => ("PATCH".to_owned(), path),
            Some(HttpPattern::Custom(custom)) => (custom.kind, custom.path),
            None => Default::default(),
        };
        let additional_bindings = rule.additional.into_iter().map(HttpRule::from).collect();
        let (body, response_body) = (rule.body, rule.response_body);
        Self { method, template, body, response_body, additional_bindings }
    }
}

/// A place in a `.proto` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The file's name as the compiler was given it.
    pub file: Box<str>,
    /// The line, counted from 1; absent when the descriptors carry no source information.
    pub line: Option<u32>,
    /// The comment before the declaration, as written; empty where there is none.
    pub comment: Box<str>,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}
