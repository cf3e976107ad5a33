//! Forgets entries of a stream that are a day old and that every consumer has taken, and says how far consumers are
//! behind.

use crate::{
    redis::{Redis, Value},
    rpc::error::Error,
};
use std::collections::HashMap;

/// For how long entries stay at least, in milliseconds. Also how long a consumer may be away before entries are no
/// longer kept for it: an operator has them published again from the outbox.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// How far a consumer is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// Events that it has not taken.
    pub(super) events: u64,
    /// How long the oldest of them has been in the stream.
    pub(super) age_ms: u64,
}

/// Trims one stream, and says of each consumer how far it is behind there.
pub(super) async fn trim_stream(redis: &Redis, stream: &str) -> Result<Vec<(String, Lag)>, Error> {
    let asked = redis.command("XINFO", stream, vec!["GROUPS".into(), stream.into()]).await;
    let groups = match asked {
        Ok(answer) => read_answer(answer),
        // No event was published to it, and no consumer has asked.
        Err(error) if error.has_code("ERR") => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let time: Vec<String> = redis.command("TIME", stream, Vec::new()).await?;
    let seconds: i64 = time.first().and_then(|text| text.parse().ok()).unwrap_or_default();
    let now = seconds * 1_000;
    let mut oldest = now - KEPT_MS;
    let mut behind = Vec::new();
    for group in &groups {
        let Some(name) = group.get("name") else { continue };
        let needed = oldest_needed(redis, stream, name, group).await?;
        behind.push((name.clone(), lag_of(redis, stream, group, needed, now).await?));
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
    Ok(behind)
}

/// Redis does not know how many events are new to a consumer once some were deleted; then only their age tells.
async fn lag_of(
    redis: &Redis,
    stream: &str,
    group: &HashMap<String, String>,
    needed: i64,
    now: i64,
) -> Result<Lag, Error> {
    let (pending, new) = (number(group, "pending").unwrap_or_default(), number(group, "lag"));
    let mut lag = Lag { events: pending + new.unwrap_or_default(), age_ms: 0 };
    let mut oldest = (pending > 0).then_some(needed);
    if pending == 0 && new != Some(0) {
        let last = group.get("last-delivered-id").map_or("0", String::as_str);
        let after = format!("({last}");
        let args = vec![stream.into(), after.into(), "+".into(), "COUNT".into(), 1_i64.into()];
        let next: Value = redis.command("XRANGE", stream, args).await?;
        oldest = first_id(next).map(|id| moment(&id));
        lag.events = lag.events.max(u64::from(oldest.is_some()));
    }
    lag.age_ms = oldest.and_then(|at| u64::try_from(now - at).ok()).unwrap_or_default();
    Ok(lag)
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

fn number(described: &HashMap<String, String>, name: &str) -> Option<u64> {
    described.get(name)?.parse().ok()
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

/// The id of the first of some entries.
fn first_id(entries: Value) -> Option<String> {
    let Value::Array(entries) = entries else { return None };
    let Value::Array(first) = entries.into_iter().next()? else { return None };
    first.into_iter().next()?.into_string()
}

/// The milliseconds at the beginning of an entry's id.
fn moment(id: &str) -> i64 {
    id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or_default()
}
