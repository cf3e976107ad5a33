//! How every position index behaves, in the process or out of it, as checks of one that is empty.

use crate::{
    program::clock::Clock,
    storage::position::{Circle, Neighbour, Position, PositionIndex},
    values::coordinates::Coordinates,
};
use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

const PARIS: Coordinates = Coordinates { lat: 48.8566, lng: 2.3522 };
/// Metres of a degree of latitude.
const DEGREE_METRES: f64 = 111_195.0;
/// Indexes round places and take the Earth for a little larger or smaller.
const TOLERANCE: f64 = 0.003;

/// Checks that `index`, which is empty and goes by `clock`, does what the trait says.
pub async fn check_position_index(index: &dyn PositionIndex, clock: &Clock) {
    let now = clock.now();
    finds_the_nearest_first(index, now).await;
    keeps_the_newest_of_each_id(index, now).await;
    leaves_out_what_is_older_than_asked(index, now).await;
    forgets_what_is_removed(index, now).await;
    keeps_layers_apart(index, now).await;
    finds_across_the_date_line(index, now).await;
    takes_a_circle_of_any_size(index, now).await;
}

/// A position so many kilometres north of Paris.
fn north(id: Uuid, km: f64, at: DateTime<Utc>) -> Position {
    let place = Coordinates { lat: PARIS.lat + km * 1000.0 / DEGREE_METRES, lng: PARIS.lng };
    Position { id, place, at }
}

fn ids<const N: usize>() -> [Uuid; N] {
    std::array::from_fn(|_| Uuid::new_v4())
}

/// Who is within so many kilometres of Paris, half a minute old at most.
async fn near_paris(
    index: &dyn PositionIndex,
    layer: &str,
    km: f64,
    now: DateTime<Utc>,
) -> Vec<Neighbour> {
    let circle = Circle { centre: PARIS, radius_m: km * 1000.0 };
    index.near(layer, circle, now - Duration::seconds(30), 100).await.unwrap()
}

fn names(found: &[Neighbour]) -> Vec<Uuid> {
    found.iter().map(|near| near.id).collect()
}

async fn finds_the_nearest_first(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [a, b, c, d] = ids();
    let positions =
        [north(a, 3.0, now), north(b, 1.0, now), north(c, 7.0, now), north(d, 2.0, now)];
    index.put("nearest", &positions).await.unwrap();
    let found = near_paris(index, "nearest", 5.0, now).await;
    assert_eq!(names(&found), [b, d, a], "the nearest first, and none beyond the circle");
    for (near, km) in found.iter().zip([1.0, 2.0, 3.0]) {
        assert!((near.metres / (km * 1000.0) - 1.0).abs() < TOLERANCE, "{} m", near.metres);
    }
    let circle = Circle { centre: PARIS, radius_m: 5_000.0 };
    let two = index.near("nearest", circle, now - Duration::seconds(30), 2).await.unwrap();
    assert_eq!(names(&two), [b, d], "the nearest when there are too many");
}

async fn keeps_the_newest_of_each_id(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [id] = ids();
    let earlier = now - Duration::seconds(5);
    index.put("newest", &[north(id, 9.0, now), north(id, 1.0, earlier)]).await.unwrap();
    index.put("newest", &[north(id, 2.0, earlier)]).await.unwrap();
    assert!(near_paris(index, "newest", 5.0, now).await.is_empty(), "the newest is far away");
    let found = near_paris(index, "newest", 10.0, now).await;
    assert_eq!(names(&found), [id], "once");
    assert!((found[0].metres / 9_000.0 - 1.0).abs() < TOLERANCE);
}

async fn leaves_out_what_is_older_than_asked(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [fresh, edge, old] = ids();
    let positions = [
        north(fresh, 1.0, now),
        north(edge, 2.0, now - Duration::seconds(30)),
        north(old, 3.0, now - Duration::milliseconds(30_001)),
    ];
    index.put("age", &positions).await.unwrap();
    assert_eq!(names(&near_paris(index, "age", 5.0, now).await), [fresh, edge]);
}

async fn forgets_what_is_removed(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [stays, goes] = ids();
    index.put("removed", &[north(stays, 1.0, now), north(goes, 1.5, now)]).await.unwrap();
    index.remove("removed", goes).await.unwrap();
    index.remove("removed", goes).await.unwrap();
    index.remove("no such layer", goes).await.unwrap();
    assert_eq!(names(&near_paris(index, "removed", 5.0, now).await), [stays]);
    index.put("removed", &[north(goes, 1.5, now)]).await.unwrap();
    assert_eq!(names(&near_paris(index, "removed", 5.0, now).await), [stays, goes], "it is back");
}

async fn keeps_layers_apart(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [id] = ids();
    index.put("layer.a", &[north(id, 1.0, now)]).await.unwrap();
    index.put("layer.b", &[north(id, 2.0, now)]).await.unwrap();
    index.remove("layer.a", id).await.unwrap();
    assert!(near_paris(index, "layer.a", 5.0, now).await.is_empty());
    assert_eq!(names(&near_paris(index, "layer.b", 5.0, now).await), [id]);
    assert!(near_paris(index, "layer.c", 5.0, now).await.is_empty(), "nothing was put there");
}

async fn finds_across_the_date_line(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let [id] = ids();
    let place = Coordinates { lat: -17.0, lng: -179.99 };
    index.put("date line", &[Position { id, place, at: now }]).await.unwrap();
    let circle = Circle { centre: Coordinates { lat: -17.0, lng: 179.99 }, radius_m: 3_000.0 };
    let found = index.near("date line", circle, now, 10).await.unwrap();
    assert_eq!(names(&found), [id]);
}

async fn takes_a_circle_of_any_size(index: &dyn PositionIndex, now: DateTime<Utc>) {
    let spread: [Uuid; 40] = ids();
    let mut positions = Vec::new();
    for (id, n) in spread.into_iter().zip(0_u8..) {
        positions.push(north(id, f64::from(n) * 10.0 + 1.0, now));
    }
    index.put("size", &positions).await.unwrap();
    for (km, expected) in [(0.5, 0), (2.0, 1), (15.0, 2), (105.0, 11), (5_000.0, 40)] {
        let found = near_paris(index, "size", km, now).await;
        assert_eq!(names(&found), spread[..expected], "within {km} km");
    }
}
