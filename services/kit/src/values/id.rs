//! Ids: UUIDs that know what they name, so that an order's id never passes for a provider's.

use crate::{program::clock::Clock, rpc::error::Error};
use sea_orm::{
    ColIdx, ColumnType, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    cmp::Ordering,
    fmt, hash,
    marker::PhantomData,
    str::FromStr,
    sync::{Mutex, PoisonError},
};
use uuid::{ContextV7, Timestamp, Uuid};

/// Keeps the ids of one millisecond in the order they were made.
static SEQUENCE: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// The id of a `T`. New ids are UUIDv7, so that they sort by the time they were made.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// A new id, made at the clock's time.
    pub fn new(clock: &Clock) -> Self {
        let now = clock.now();
        let seconds = now.timestamp().unsigned_abs();
        let sequence = SEQUENCE.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Timestamp::from_unix(&*sequence, seconds, now.timestamp_subsec_nanos());
        Self::from_uuid(Uuid::new_v7(time))
    }

    /// The id that `name` always gets below `parent`: repeating a step finds what it made before.
    pub fn derived(parent: Uuid, name: &str) -> Self {
        Self::from_uuid(Uuid::new_v5(&parent, name.as_bytes()))
    }

    /// Names an id that was stored or sent as a bare UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// Reads the id in `text`, an error naming `field` otherwise.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        parse_uuid(field, text).map(Self::from_uuid)
    }

    /// As [`Id::parse`], where an empty text means that there is none.
    pub fn parse_optional(field: &str, text: &str) -> Result<Option<Self>, Error> {
        Ok(parse_optional_uuid(field, text)?.map(Self::from_uuid))
    }

    /// The bare UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// Reads the id of an object of another service, an error naming `field` otherwise.
pub fn parse_uuid(field: &str, text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

/// As [`parse_uuid`], where an empty text means that there is none.
pub fn parse_optional_uuid(field: &str, text: &str) -> Result<Option<Uuid>, Error> {
    if text.is_empty() { Ok(None) } else { parse_uuid(field, text).map(Some) }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> FromStr for Id<T> {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::from_str(text).map(Self::from_uuid)
    }
}
impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

impl<T> From<Id<T>> for Value {
    fn from(id: Id<T>) -> Self {
        id.0.into()
    }
}
impl<T> TryGetable for Id<T> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        Uuid::try_get_by(row, index).map(Self::from_uuid)
    }
}
impl<T> ValueType for Id<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Uuid as ValueType>::try_from(value).map(Self::from_uuid)
    }
    fn type_name() -> String {
        "Id".to_owned()
    }
    fn array_type() -> ArrayType {
        ArrayType::Uuid
    }
    fn column_type() -> ColumnType {
        ColumnType::Uuid
    }
}
impl<T> Nullable for Id<T> {
    fn null() -> Value {
        Uuid::null()
    }
}
impl<T> TryFromU64 for Id<T> {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("an id is a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;

    #[test]
    fn new_ids_sort_by_time_and_derived_ids_repeat() {
        let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(20_000));
        let first = Id::<Thing>::new(&clock);
        let ids: Vec<_> = (0..1000).map(|_| Id::<Thing>::new(&clock)).collect();
        assert!(ids.is_sorted() && first < ids[0]);
        assert_eq!(size_of::<Id<Thing>>(), 16, "the type costs nothing");
        let step = Id::<Thing>::derived(first.uuid(), "hold");
        assert_eq!(step, Id::derived(first.uuid(), "hold"));
        assert_ne!(step, Id::derived(first.uuid(), "capture"));
    }

    #[test]
    fn a_bad_id_names_its_field() {
        let error = Id::<Thing>::parse("order_id", "42").unwrap_err();
        assert_eq!(error.to_string(), "order_id must be a UUID");
        assert!(Id::<Thing>::parse_optional("order_id", "").unwrap().is_none());
    }
}
