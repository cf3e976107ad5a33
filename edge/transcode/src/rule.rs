//! HTTP rules checked against the messages they bind: what a request needs, looked up beforehand.

use std::fmt;
use std::str::FromStr as _;

use http::{Method as HttpMethod, StatusCode, Uri};
use route_template::Template;

use crate::options::Options;
use crate::router::Kind as RouteKind;
use crate::schema::{
    Cardinality, Field, HttpRule, Kind, Location, MessageIndex, Method, Schema, SchemaError,
    WellKnown,
};
use crate::sse::SsePaths;

const HTTP_BODY: &str = "google.api.HttpBody";
const FIELD_MASK: &str = "google.protobuf.FieldMask";

/// One HTTP binding of a method.
#[derive(Debug)]
pub(crate) struct Binding {
    pub method: Method,
    /// The gRPC path.
    pub uri: Uri,
    pub template: Template,
    /// The field numbers of the template's variables, in the same order.
    pub variables: Vec<Vec<u32>>,
    pub request: RequestBody,
    pub response: ResponseBody,
    /// Whether it is a PATCH, where an unknown name skipped would be an update silently not done.
    pub patch: bool,
    /// The `FieldMask` of a PATCH which is derived from the body unless the client gives one.
    pub update_mask: Option<Vec<u32>>,
    /// The version in the request, set from `If-Match`.
    pub if_match: Option<Vec<u32>>,
    /// The version in the response message, printed as `ETag`.
    pub etag: Option<Vec<u32>>,
    pub status: StatusCode,
    /// What makes events of the messages of a stream.
    pub sse: SsePaths,
}

/// Where the content of a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestBody {
    /// Nowhere: content is refused.
    None,
    /// `body: "*"`.
    Whole,
    /// `body: "field"`.
    Field(Target),
    /// The request is a `google.api.HttpBody`, or a field of it is: the content as it comes.
    Raw(Option<Target>),
}

/// What of a response message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResponseBody {
    Whole,
    /// `response_body: "field"`.
    Field(Target),
    /// A `google.api.HttpBody`.
    Raw(Option<Target>),
}

/// A top-level field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub number: u32,
    pub name: String,
    /// Its type, when it is one message that is an object in JSON.
    pub message: Option<MessageIndex>,
}

/// Why contracts are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// The descriptors themselves.
    Schema(SchemaError),
    /// An HTTP rule.
    Rule {
        /// The method's path, `package.Service/Method`.
        rpc: String,
        /// The path template.
        template: String,
        /// What is wrong with it.
        reason: String,
        /// Where the rpc stands.
        location: Location,
    },
    /// A name in the choice of services.
    Service(String),
    /// A name in the forwarding options.
    Header(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(error) => error.fmt(f),
            Self::Rule { rpc, template, reason, location } => {
                write!(f, "{location}: rpc {rpc}, template \"{template}\": {reason}")
            }
            Self::Service(name) => {
                write!(f, "the contracts have no service and no package \"{name}\" to serve")
            }
            Self::Header(name) => write!(f, "the header \"{name}\" cannot be forwarded"),
        }
    }
}

impl std::error::Error for CompileError {}

impl CompileError {
    pub(crate) fn rule(method: &Method, rule: &HttpRule, reason: impl Into<String>) -> Self {
        Self::Rule {
            rpc: method.path().trim_start_matches('/').to_owned(),
            template: rule.template.clone(),
            reason: reason.into(),
            location: method.location().clone(),
        }
    }
}

/// Compiles one rule of a method.
pub(crate) fn compile_rule(
    schema: &Schema,
    method: &Method,
    rule: &HttpRule,
    options: &Options,
) -> Result<(RouteKind, Binding), String> {
    let kind = match rule.method.as_str() {
        "" => return Err("the rule has no pattern".to_owned()),
        "*" => RouteKind::Any,
        name => match HttpMethod::from_bytes(name.as_bytes()) {
            Ok(method) => RouteKind::Exactly(method),
            Err(_) => return Err(format!("\"{name}\" is no HTTP method")),
        },
    };
    let template = Template::parse(&rule.template).map_err(|e| e.to_string())?;
    let request = request_body(schema, method.input(), &rule.body)?;
    let response = response_body(schema, method.output(), &rule.response_body)?;
    let variables = template
        .variables
        .iter()
        .map(|v| compile_variable(schema, method.input(), &v.field, &request))
        .collect::<Result<Vec<_>, _>>()?;
    let patch = kind == RouteKind::Exactly(HttpMethod::PATCH);
    let update_mask = match &request {
        RequestBody::Field(Target { message: Some(_), .. }) if patch => {
            only_field_mask(schema, method.input())
        }
        _ => None,
    };
    let version = options.etag_field.as_deref();
    let binding = Binding {
        method: method.clone(),
        uri: Uri::from_str(method.path()).map_err(|e| e.to_string())?,
        variables,
        patch,
        update_mask,
        if_match: version.and_then(|name| request_version(schema, method.input(), &request, name)),
        etag: version.and_then(|name| response_version(schema, method, &response, name)),
        status: options.success_status.as_ref().map_or(StatusCode::OK, |status| status(method)),
        sse: SsePaths::compile(schema, method, options)?,
        template,
        request,
        response,
    };
    Ok((kind, binding))
}

fn request_body(schema: &Schema, input: MessageIndex, body: &str) -> Result<RequestBody, String> {
    Ok(match body {
        "" => RequestBody::None,
        "*" if schema.message(input).full_name() == HTTP_BODY => RequestBody::Raw(None),
        "*" => RequestBody::Whole,
        name => {
            let (target, raw) = resolve_target(schema, input, name, "body")?;
            if raw { RequestBody::Raw(Some(target)) } else { RequestBody::Field(target) }
        }
    })
}

fn response_body(
    schema: &Schema,
    output: MessageIndex,
    body: &str,
) -> Result<ResponseBody, String> {
    Ok(match body {
        "" if schema.message(output).full_name() == HTTP_BODY => ResponseBody::Raw(None),
        "" => ResponseBody::Whole,
        name => {
            let (target, raw) = resolve_target(schema, output, name, "response_body")?;
            if raw { ResponseBody::Raw(Some(target)) } else { ResponseBody::Field(target) }
        }
    })
}

/// The top-level field of a body, and whether it is an `HttpBody`.
fn resolve_target(
    schema: &Schema,
    message: MessageIndex,
    name: &str,
    what: &str,
) -> Result<(Target, bool), String> {
    let holder = schema.message(message);
    let Some(field) = holder.field_by_proto_name(name) else {
        return Err(format!("{what} \"{name}\" is no field of {}", holder.full_name()));
    };
    let single = field.kind().message().filter(|_| field.cardinality() == Cardinality::Singular);
    let raw = single.is_some_and(|m| schema.message(m).full_name() == HTTP_BODY);
    let message = single.filter(|m| schema.message(*m).well_known() == WellKnown::None);
    Ok((Target { number: field.number(), name: name.to_owned(), message }, raw))
}

/// The field numbers of a path variable.
fn compile_variable(
    schema: &Schema,
    input: MessageIndex,
    path: &str,
    body: &RequestBody,
) -> Result<Vec<u32>, String> {
    let (numbers, field) = schema.resolve(input, path.split('.')).map_err(|e| e.to_string())?;
    match field.cardinality() {
        Cardinality::Singular => {}
        Cardinality::Repeated => return Err(format!("the variable {path} is repeated")),
        Cardinality::Map => return Err(format!("the variable {path} is a map")),
    }
    if !is_text(schema, field) {
        return Err(format!("the variable {path} is a message"));
    }
    let taken = match body {
        RequestBody::Raw(None) => true,
        RequestBody::Field(t) => numbers == [t.number],
        RequestBody::Raw(Some(t)) => numbers.first() == Some(&t.number),
        RequestBody::None | RequestBody::Whole => false,
    };
    if taken { Err(format!("{path} is both in the path and the body")) } else { Ok(numbers) }
}

/// Whether one value of a field can be written as text in a path or query.
pub(crate) fn is_text(schema: &Schema, field: &Field) -> bool {
    let Some(message) = field.kind().message() else { return true };
    match schema.message(message).well_known() {
        WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask | WellKnown::Wrapper => {
            true
        }
        WellKnown::None
        | WellKnown::Any
        | WellKnown::Struct
        | WellKnown::Value
        | WellKnown::ListValue => false,
    }
}

/// The request's `FieldMask`, when it has exactly one.
fn only_field_mask(schema: &Schema, input: MessageIndex) -> Option<Vec<u32>> {
    let mut masks = schema.message(input).fields().iter().filter(|f| {
        let message = f.kind().message().map(|m| schema.message(m).full_name());
        f.cardinality() == Cardinality::Singular && message == Some(FIELD_MASK)
    });
    let mask = masks.next()?;
    masks.next().is_none().then(|| vec![mask.number()])
}

fn version_in(schema: &Schema, message: MessageIndex, name: &str) -> Option<u32> {
    let field = schema.message(message).field_by_proto_name(name)?;
    let plain = !matches!(field.kind(), Kind::Message(_) | Kind::Group(_) | Kind::Bytes);
    (plain && field.cardinality() == Cardinality::Singular).then(|| field.number())
}

fn request_version(
    schema: &Schema,
    input: MessageIndex,
    body: &RequestBody,
    name: &str,
) -> Option<Vec<u32>> {
    if let Some(number) = version_in(schema, input, name) {
        return Some(vec![number]);
    }
    match body {
        RequestBody::Field(Target { number, message: Some(message), .. }) => {
            version_in(schema, *message, name).map(|version| vec![*number, version])
        }
        _ => None,
    }
}

fn response_version(
    schema: &Schema,
    method: &Method,
    body: &ResponseBody,
    name: &str,
) -> Option<Vec<u32>> {
    if method.server_streaming() {
        return None;
    }
    match body {
        ResponseBody::Whole => version_in(schema, method.output(), name).map(|v| vec![v]),
        ResponseBody::Field(Target { number, message: Some(message), .. }) => {
            version_in(schema, *message, name).map(|version| vec![*number, version])
        }
        ResponseBody::Field(_) | ResponseBody::Raw(_) => None,
    }
}
