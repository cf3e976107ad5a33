//! The position index of several processes, in Redis. While Redis is away, each process finds whom it has heard of itself.

use crate::{
    program::clock::Clock,
    redis::{Redis, RedisError, Script, Value},
    rpc::error::Error,
    storage::position::{Circle, KEPT, LocalPositions, Neighbour, Position, PositionIndex},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// Beyond this latitude Redis keeps no place.
const MAX_LATITUDE: f64 = 85.0;

/// Keeps the newest position of each id and drops some that are too old. `KEYS`: places, moments. `ARGV`: the moment
/// before which positions are dropped, for how long the keys live; then for each position its id, its moment, its
/// longitude and its latitude.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "for at = 3, #ARGV, 4 do
           local known = redis.call('ZSCORE', KEYS[2], ARGV[at])
           if not known or tonumber(known) < tonumber(ARGV[at + 1]) then
             redis.call('ZADD', KEYS[2], ARGV[at + 1], ARGV[at])
             redis.call('GEOADD', KEYS[1], ARGV[at + 2], ARGV[at + 3], ARGV[at])
           end
         end
         local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1], 'LIMIT', 0, 200)
         for _, id in ipairs(old) do
           redis.call('ZREM', KEYS[1], id)
           redis.call('ZREM', KEYS[2], id)
         end
         redis.call('PEXPIRE', KEYS[1], ARGV[2])
         redis.call('PEXPIRE', KEYS[2], ARGV[2])
         return #old",
    )
});

/// Finds who is in a circle, the nearest first: ids and metres in turn. `KEYS`: places, moments. `ARGV`: longitude,
/// latitude, metres, the earliest moment, how many.
static NEAR: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local found = redis.call('GEOSEARCH', KEYS[1], 'FROMLONLAT', ARGV[1], ARGV[2],
           'BYRADIUS', ARGV[3], 'm', 'ASC', 'WITHDIST')
         local near = {}
         for _, place in ipairs(found) do
           if #near >= 2 * tonumber(ARGV[5]) then break end
           local moment = redis.call('ZSCORE', KEYS[2], place[1])
           if moment and tonumber(moment) >= tonumber(ARGV[4]) then
             near[#near + 1] = place[1]
             near[#near + 1] = place[2]
           end
         end
         return near",
    )
});

/// A position index that the processes of a service share.
pub struct SharedPositions {
    redis: Redis,
    clock: Clock,
    /// What this process has heard of itself.
    own: Arc<LocalPositions>,
}

impl SharedPositions {
    /// The index in `redis`. What is too old by `clock` is dropped.
    pub fn new(redis: Redis, clock: Clock) -> Arc<Self> {
        Arc::new(Self { redis, own: LocalPositions::new(clock.clone()), clock })
    }

    async fn find(
        &self,
        layer: &str,
        circle: Circle,
        since: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<Neighbour>, RedisError> {
        let args: Vec<Value> = vec![
            circle.centre.lng.to_string().into(),
            circle.centre.lat.to_string().into(),
            circle.radius_m.to_string().into(),
            since.timestamp_millis().to_string().into(),
            most.to_string().into(),
        ];
        let answer: Vec<String> = self.redis.run_script(&NEAR, keys(layer), args).await?;
        Ok(answer.chunks_exact(2).filter_map(read_neighbour).collect())
    }
}

#[async_trait]
impl PositionIndex for SharedPositions {
    async fn put(&self, layer: &str, positions: &[Position]) -> Result<(), Error> {
        self.own.put(layer, positions).await?;
        let dropped_before = (self.clock.now() - KEPT).timestamp_millis();
        let mut args: Vec<Value> =
            vec![dropped_before.to_string().into(), KEPT.num_milliseconds().to_string().into()];
        for position in positions.iter().filter(|it| it.place.lat.abs() <= MAX_LATITUDE) {
            args.push(position.id.to_string().into());
            args.push(position.at.timestamp_millis().to_string().into());
            args.push(position.place.lng.to_string().into());
            args.push(position.place.lat.to_string().into());
        }
        let dropped: Result<i64, RedisError> = self.redis.run_script(&PUT, keys(layer), args).await;
        if let Err(error) = dropped {
            tracing::debug!(%error, layer, "positions are known to this process only; the next ones follow soon");
        }
        Ok(())
    }

    async fn remove(&self, layer: &str, id: Uuid) -> Result<(), Error> {
        self.own.remove(layer, id).await?;
        for key in keys(layer) {
            let args = vec![key.clone().into(), id.to_string().into()];
            let removed: Result<i64, RedisError> = self.redis.command("ZREM", &key, args).await;
            if let Err(error) = removed {
                tracing::debug!(%error, layer, "a position stays with other processes until it is too old");
            }
        }
        Ok(())
    }

    async fn near(
        &self,
        layer: &str,
        circle: Circle,
        since: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<Neighbour>, Error> {
        match self.find(layer, circle, since, most).await {
            Ok(found) => Ok(found),
            Err(error) => {
                tracing::debug!(%error, layer, "only those are found of whom this process has heard");
                self.own.near(layer, circle, since, most).await
            }
        }
    }
}

/// Where the places of a layer are and where their moments are, on one node of a cluster.
fn keys(layer: &str) -> Vec<String> {
    ["places", "moments"].map(|what| format!("qs:{{positions:{layer}}}:{what}")).to_vec()
}

fn read_neighbour(pair: &[String]) -> Option<Neighbour> {
    let [id, metres] = pair else { return None };
    Some(Neighbour { id: Uuid::parse_str(id).ok()?, metres: metres.parse().ok()? })
}
