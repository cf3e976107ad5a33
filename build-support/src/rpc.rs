//! What a contract says about an RPC beyond its messages: who may call, how it is repeated, where it is over HTTP.

use crate::{contracts::Contracts, rules::literal::rule_extension};
use prost_reflect::{DynamicMessage, EnumDescriptor, MethodDescriptor, Value};

/// One RPC with its options.
pub struct Rpc {
    pub method: MethodDescriptor,
    /// The access policy, when there is one.
    pub access: Option<Access>,
    /// The HTTP routes, the additional ones included; empty without `google.api.http`.
    pub routes: Vec<Route>,
    /// `idempotency_level`, by name.
    pub level: String,
}

/// The option `(quickserve.options.v1.rpc)`; enum values by name.
pub struct Access {
    /// Who may call it: the `callers` of the option.
    pub callers: Vec<String>,
    /// Which tokens may call it: the `scope` of the option.
    pub scope: String,
    /// Which services may call it: the `services` of the option.
    pub services: Vec<String>,
    /// Whether it takes an `Idempotency-Key`.
    pub idempotency_key: String,
    /// `success_status`; 0 when it is not set.
    pub success_status: i32,
    /// Whether it keeps its place when the service is full.
    pub critical: bool,
    /// How its stream is printed as server-sent events, when it is one.
    pub sse: Option<Sse>,
    /// `audit`.
    pub audit: Audit,
    /// `headers`.
    pub headers: Vec<String>,
}

/// What is written down about a call.
#[derive(Default)]
pub struct Audit {
    /// `reason`.
    pub reason: bool,
    /// `read`.
    pub read: bool,
}

/// The names of the fields of a stream's events; each may be empty.
pub struct Sse {
    /// The field that becomes the event's `id:`.
    pub id: String,
    /// The field that becomes the event's name.
    pub event: String,
    /// The field of the request that takes `Last-Event-ID`.
    pub resume: String,
}

/// One HTTP route.
pub struct Route {
    /// `GET`, `POST` …; empty when the contract gives none.
    pub verb: String,
    /// The path template.
    pub template: String,
    /// The field of the request that the body fills, `*` for all that the path leaves.
    pub body: String,
    /// The field of the answer that becomes the body; empty for the whole.
    pub response_body: String,
    /// Whether it is an additional route that has additional routes.
    pub nested: bool,
}

impl Rpc {
    /// The path of its calls, `/package.Service/Method`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.method.parent_service().full_name(), self.method.name())
    }

    /// Whether only other services may call.
    pub fn is_internal(&self) -> bool {
        let access = self.access.as_ref();
        access.is_some_and(|access| access.callers.iter().all(|caller| caller == "CALLER_SERVICE"))
    }
}

/// Every RPC of the tree, in the order of files.
pub fn all_rpcs(contracts: &Contracts) -> Vec<Rpc> {
    let methods = contracts.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(read_rpc).collect()
}

fn read_rpc(method: MethodDescriptor) -> Rpc {
    let options = method.options();
    let access = rule_extension(&options, "quickserve.options.v1.rpc").map(|access| Access {
        callers: enum_names(&access, "callers"),
        scope: enum_names(&access, "scope").remove(0),
        services: string_list(&access, "services"),
        idempotency_key: enum_names(&access, "idempotency_key").remove(0),
        success_status: number_option(&access, "success_status"),
        critical: flag(&access, "critical"),
        sse: read_sse(&access),
        audit: read_audit(&access),
        headers: string_list(&access, "headers"),
    });
    let mut routes = Vec::new();
    if let Some(rule) = rule_extension(&options, "google.api.http") {
        routes.push(read_route(&rule, false));
        for additional in list_option(&rule, "additional_bindings") {
            let Some(additional) = additional.as_message() else { continue };
            let nested = !list_option(additional, "additional_bindings").is_empty();
            routes.push(read_route(additional, nested));
        }
    }
    let level = enum_names(&options, "idempotency_level").remove(0);
    Rpc { method, access, routes, level }
}

fn read_sse(access: &DynamicMessage) -> Option<Sse> {
    let sse = access.get_field_by_name("sse")?;
    // A message that is not set reads as an empty one.
    let sse = sse.as_message().filter(|sse| sse.fields().next().is_some())?;
    let [id, event, resume] = ["id", "event", "resume"].map(|field| string_option(sse, field));
    Some(Sse { id, event, resume })
}

fn read_audit(access: &DynamicMessage) -> Audit {
    let audit = access.get_field_by_name("audit");
    match audit.as_deref().and_then(|audit| audit.as_message()) {
        Some(audit) => Audit { reason: flag(audit, "reason"), read: flag(audit, "read") },
        None => Audit::default(),
    }
}

fn read_route(rule: &DynamicMessage, nested: bool) -> Route {
    let (mut verb, mut template) = (String::new(), String::new());
    for (field, value) in rule.fields() {
        match (field.name(), value) {
            (name @ ("get" | "put" | "post" | "delete" | "patch"), Value::String(path)) => {
                (verb, template) = (name.to_uppercase(), path.clone());
            }
            ("custom", Value::Message(custom)) => {
                (verb, template) = (string_option(custom, "kind"), string_option(custom, "path"));
            }
            _ => {}
        }
    }
    let (body, response_body) = (string_option(rule, "body"), string_option(rule, "response_body"));
    Route { verb, template, body, response_body, nested }
}

fn string_option(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or_default()
}

fn number_option(message: &DynamicMessage, field: &str) -> i32 {
    message.get_field_by_name(field).and_then(|value| value.as_i32()).unwrap_or_default()
}

fn list_option(message: &DynamicMessage, field: &str) -> Vec<Value> {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_list().map(<[Value]>::to_vec)).unwrap_or_default()
}

fn string_list(message: &DynamicMessage, field: &str) -> Vec<String> {
    list_option(message, field).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The names of an enum field's values: one for a singular field, its default included. A number without a name is
/// given as digits.
fn enum_names(message: &DynamicMessage, field: &str) -> Vec<String> {
    use prost_reflect::{Kind, ReflectMessage};
    let Some(field) = message.descriptor().get_field_by_name(field) else {
        return vec![String::new()];
    };
    let Kind::Enum(definition) = field.kind() else { return vec![String::new()] };
    match message.get_field(&field).as_ref() {
        Value::List(items) => items.iter().map(|item| value_name(&definition, item)).collect(),
        value => vec![value_name(&definition, value)],
    }
}

fn value_name(definition: &EnumDescriptor, value: &Value) -> String {
    let number = value.as_enum_number().unwrap_or_default();
    match definition.get_value(number) {
        Some(value) => value.name().to_owned(),
        None => number.to_string(),
    }
}
