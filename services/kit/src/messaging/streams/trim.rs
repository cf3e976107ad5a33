//! Forgets entries of a stream that are a day old and that every consumer has taken.

use crate::{
    redis::{Redis, Value},
    rpc::error::Error,
};
use std::collections::HashMap;

/// For how long entries stay at least, in milliseconds. Also how long a consumer may be away before entries are no
/// longer kept for it: an operator has them published again from the outbox.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// Trims one stream.
pub(super) async fn trim_stream(redis: &Redis, stream: &str) -> Result<(), Error> {
    let asked = redis.command("XINFO", stream, vec!["GROUPS".into(), stream.into()]).await;
    let groups = match asked {
        Ok(answer) => read_answer(answer),
        // No event was published to it, and no consumer has asked.
        Err(error) if error.has_code("ERR") => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let time: Vec<String> = redis.command("TIME", stream, Vec::new()).await?;
    let seconds: i64 = time.first().and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut oldest = seconds * 1_000 - KEPT_MS;
    for group in &groups {
        let Some(name) = group.get("name") else { continue };
        let needed = oldest_needed(redis, stream, name, group).await?;
        if needed >= oldest {
            continue;
        }
        if is_away(redis, stream, name).await? {
            tracing::warn!(
                stream,
                consumer = name,
                "a consumer has taken no events for a day, and they are no longer kept for it here; when it is back, \
                 `quickserve events replay` publishes them again"
            );
            continue;
        }
        oldest = needed;
    }
    if oldest > 0 {
        let args = vec![stream.into(), "MINID".into(), "~".into(), format!("{oldest}-0").into()];
        let _: i64 = redis.command("XTRIM", stream, args).await?;
    }
    Ok(())
}

/// The moment of the first entry that the group has not acknowledged, or of the last that it was handed.
async fn oldest_needed(
    redis: &Redis,
    stream: &str,
    group: &str,
    described: &HashMap<String, String>,
) -> Result<i64, Error> {
    let last = described.get("last-delivered-id").map(String::as_str);
    if described.get("pending").is_none_or(|pending| pending == "0") {
        return Ok(moment(last.unwrap_or_default()));
    }
    let args = vec![stream.into(), group.into()];
    let pending: Vec<Value> = redis.command("XPENDING", stream, args).await?;
    let first = pending.get(1).and_then(Value::as_string);
    Ok(moment(first.as_deref().or(last).unwrap_or_default()))
}

/// Whether no process has asked for the group's entries for a day.
async fn is_away(redis: &Redis, stream: &str, group: &str) -> Result<bool, Error> {
    let args = vec!["CONSUMERS".into(), stream.into(), group.into()];
    let readers = read_answer(redis.command("XINFO", stream, args).await?);
    Ok(!readers.is_empty() && readers.iter().all(|reader| idle_ms(reader) > KEPT_MS))
}

fn idle_ms(reader: &HashMap<String, String>) -> i64 {
    reader.get("idle").and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Reads a list of things that are described by names and values in turn.
fn read_answer(answer: Value) -> Vec<HashMap<String, String>> {
    let Value::Array(described) = answer else { return Vec::new() };
    let mut all = Vec::new();
    for one in described {
        let Value::Array(parts) = one else { continue };
        let mut named = HashMap::new();
        let mut parts = parts.into_iter();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            if let (Some(name), Some(value)) = (name.into_string(), value.into_string()) {
                named.insert(name, value);
            }
        }
        all.push(named);
    }
    all
}

/// The milliseconds at the beginning of an entry's id.
fn moment(id: &str) -> i64 {
    id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or_default()
}
