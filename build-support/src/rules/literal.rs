//! Reads options and writes their values as Rust.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

/// The value of an extension that is a message, when it is set.
pub fn rule_extension(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let (_, value) = options.extensions().find(|(extension, _)| extension.full_name() == name)?;
    value.as_message().cloned()
}

/// Whether a boolean field is set to true.
pub fn rule_flag(message: &DynamicMessage, name: &str) -> bool {
    message.get_field_by_name(name).is_some_and(|value| value.as_bool() == Some(true))
}

/// A scalar or a list of scalars as a Rust literal; of a number without its type.
///
/// # Errors
/// When Rust has no literal for it.
pub fn rust_literal(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) if value.is_finite() => format!("{value:?}"),
        Value::F64(value) if value.is_finite() => format!("{value:?}"),
        Value::String(value) => format!("{value:?}"),
        Value::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(rust_literal).collect();
            format!("&[{}]", items?.join(", "))
        }
        Value::Message(time) => {
            let (seconds, nanos) = time_parts(time)?;
            format!(
                "::prost_types::{} {{ seconds: {seconds}, nanos: {nanos} }}",
                time.descriptor().name()
            )
        }
        other => return Err(format!("{other:?} cannot be a limit")),
    })
}

/// A number that says whether one value is above another, for values of one rule.
///
/// # Errors
/// When the value has no order.
pub fn compare_values(value: &Value) -> Result<(f64, i32), String> {
    #[expect(clippy::cast_precision_loss, reason = "limits in contracts are far below 2^53")]
    Ok(match value {
        Value::I32(value) => (f64::from(*value), 0),
        Value::I64(value) => (*value as f64, 0),
        Value::U32(value) => (f64::from(*value), 0),
        Value::U64(value) => (*value as f64, 0),
        Value::F32(value) => (f64::from(*value), 0),
        Value::F64(value) => (*value, 0),
        Value::Message(time) => {
            let (seconds, nanos) = time_parts(time)?;
            (seconds as f64, nanos)
        }
        other => return Err(format!("{other:?} has no order")),
    })
}

/// The parts of a timestamp or a duration.
fn time_parts(time: &DynamicMessage) -> Result<(i64, i32), String> {
    let seconds = time.get_field_by_name("seconds").and_then(|value| value.as_i64());
    let nanos = time.get_field_by_name("nanos").and_then(|value| value.as_i32());
    seconds.zip(nanos).ok_or_else(|| format!("{:?} is no time", time))
}
