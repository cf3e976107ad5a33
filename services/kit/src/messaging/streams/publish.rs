//! Appends events to the streams of a service, only while these are the streams that earlier events were appended to.

use super::{
    NEWS, PARTITIONS,
    entry::{NAMES, fields},
};
use crate::{
    messaging::{bus::Round, event::Event},
    redis::{Redis, Script, Value},
    rpc::error::Error,
};
use std::sync::LazyLock;
use tonic::Status;
use uuid::Uuid;

/// Appends events in order, in one step, and says so to those who wait. `KEYS`: the mark, then the streams. `ARGV`: the
/// mark as the publisher read it before it claimed the events, the channel, the service; then for each event the number
/// of its stream among the keys, and the values of its fields. Answers 0 when the mark is another one now.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    let names: Vec<String> = NAMES.iter().map(|name| format!("'{name}'")).collect();
    let fields = names.iter().enumerate().map(|(n, name)| format!("{name}, ARGV[at + {}]", n + 1));
    let fields: Vec<String> = fields.collect();
    Script::from_lua(format!(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         for at = 4, #ARGV, {width} do
           redis.call('XADD', KEYS[tonumber(ARGV[at])], '*', {fields})
         end
         redis.call('PUBLISH', ARGV[2], ARGV[3])
         return 1",
        width = NAMES.len() + 1,
        fields = fields.join(", "),
    ))
});

/// The stream of one partition of a service. The braces keep all keys of a service on one node of a cluster.
pub(super) fn stream(source: &str, partition: i16) -> String {
    format!("qs:{{{source}}}:facts:{partition}")
}

/// In which partition the events of an aggregate are. Ids end in bits that are spread by chance.
pub(super) fn partition_of(aggregate: Uuid) -> i16 {
    let partitions = u128::from(PARTITIONS.unsigned_abs());
    i16::try_from(aggregate.as_u128() % partitions).unwrap_or_default()
}

/// Where a service notes that it has begun to publish: the number of partitions, and a name for this beginning.
fn mark_key(source: &str) -> String {
    format!("qs:{{{source}}}:facts")
}

/// Reads the mark of a service.
pub(super) async fn read_mark(redis: &Redis, source: &str) -> Result<Round, Error> {
    let key = mark_key(source);
    let mark: Option<String> = redis.command("GET", &key, vec![key.clone().into()]).await?;
    let Some(mark) = mark else { return Ok(Round::Lost) };
    let partitions = mark.split(' ').next().unwrap_or_default();
    if partitions != PARTITIONS.to_string() {
        return Err(Error::internal(format!(
            "the streams of {source} in Redis have {partitions} partitions and this program writes {PARTITIONS}: run the \
             version that began them until they are empty, then delete the key {key}"
        )));
    }
    Ok(Round::Open(mark))
}

/// Sets the mark, unless another process of the service has done so.
pub(super) async fn set_mark(redis: &Redis, source: &str) -> Result<(), Error> {
    let key = mark_key(source);
    let mark = format!("{PARTITIONS} {}", Uuid::new_v4());
    let args = vec![key.clone().into(), mark.into(), "NX".into()];
    let _: Option<String> = redis.command("SET", &key, args).await?;
    Ok(())
}

/// Appends events of one service.
pub(super) async fn append(redis: &Redis, mark: &str, events: &[Event]) -> Result<(), Error> {
    let Some(first) = events.first() else { return Ok(()) };
    let source = &first.source;
    let streams = (0..PARTITIONS).map(|partition| stream(source, partition));
    let keys = [mark_key(source)].into_iter().chain(streams).collect();
    let mut args: Vec<Value> = vec![mark.into(), NEWS.into(), source.clone().into()];
    for event in events {
        // Keys of a script count from 1, and the mark comes first.
        args.push(i64::from(partition_of(event.aggregate) + 2).into());
        args.extend(fields(event));
    }
    let appended: i64 = redis.run_script(&APPEND, keys, args).await?;
    if appended == 0 {
        return Err(Status::aborted("Redis has lost the streams meanwhile").into());
    }
    Ok(())
}
