//! The position index: where those who move were last, and who is near a place. Like the cache it is never the truth:
//! it fills again by itself with the next positions.

use crate::{program::clock::Clock, rpc::error::Error, values::coordinates::Coordinates};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use h3o::{CellIndex, LatLng, Resolution};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// For how long after its moment a position is found at least.
pub const KEPT: Duration = Duration::seconds(90);
/// How often the positions that are older than [`KEPT`] are dropped.
const SWEEP_EVERY: Duration = Duration::seconds(30);
/// The cells of the local index. Their edges are about 1.4 km long.
const RESOLUTION: Resolution = Resolution::Seven;
/// No two neighbouring cells of [`RESOLUTION`] have their centres closer than this.
const NARROWEST_METRES: f64 = 1_500.0;

/// Where one of those who move was at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Who moves, for example a provider.
    pub id: Uuid,
    /// Where it was.
    pub place: Coordinates,
    /// When it was there.
    pub at: DateTime<Utc>,
}

/// A circle whose positions are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// The middle of the circle.
    pub centre: Coordinates,
    /// How far from the middle a position may be.
    pub radius_m: f64,
}

/// One of those who are near a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Who it is.
    pub id: Uuid,
    /// How far it is from the centre, in metres along a great circle.
    pub metres: f64,
}

/// Keeps the newest position of each id, in layers that know nothing of each other. A layer exists as soon as its name
/// is used.
#[async_trait]
pub trait PositionIndex: Send + Sync {
    /// Keeps these positions of `layer`: of each id the newest, in whatever order they come.
    async fn put(&self, layer: &str, positions: &[Position]) -> Result<(), Error>;

    /// Forgets the position of `id`, if there is one.
    async fn remove(&self, layer: &str, id: Uuid) -> Result<(), Error>;

    /// The ids whose newest position is at `since` or later and within `circle`, the nearest first, at most `most`. Those
    /// older than [`KEPT`] may be missing.
    async fn near(
        &self,
        layer: &str,
        circle: Circle,
        since: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<Neighbour>, Error>;
}

/// A position index within the process.
pub struct LocalPositions {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    layers: HashMap<String, Layer>,
    swept_at: DateTime<Utc>,
}

/// The positions of a layer by their H3 cell.
#[derive(Default)]
struct Layer {
    cells: HashMap<CellIndex, HashMap<Uuid, Position>>,
    cell_of: HashMap<Uuid, CellIndex>,
}

impl LocalPositions {
    /// An empty index. What is too old by `clock` is dropped.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PositionIndex for LocalPositions {
    async fn put(&self, layer: &str, positions: &[Position]) -> Result<(), Error> {
        let mut state = self.state();
        state.sweep(self.clock.now());
        let layer = state.layers.entry(layer.to_owned()).or_default();
        for position in positions {
            layer.put(*position)?;
        }
        Ok(())
    }

    async fn remove(&self, layer: &str, id: Uuid) -> Result<(), Error> {
        if let Some(layer) = self.state().layers.get_mut(layer) {
            layer.remove(id);
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
        let mut found = match self.state().layers.get(layer) {
            Some(layer) => layer.find_within(circle, since)?,
            None => Vec::new(),
        };
        found.sort_unstable_by(|a, b| a.metres.total_cmp(&b.metres).then(a.id.cmp(&b.id)));
        found.truncate(most);
        Ok(found)
    }
}

impl State {
    /// Drops what is too old, unless that was done a moment ago.
    fn sweep(&mut self, now: DateTime<Utc>) {
        if now - self.swept_at < SWEEP_EVERY {
            return;
        }
        self.swept_at = now;
        for layer in self.layers.values_mut() {
            layer.drop_before(now - KEPT);
        }
        self.layers.retain(|_, layer| !layer.cell_of.is_empty());
    }
}

impl Layer {
    fn put(&mut self, position: Position) -> Result<(), Error> {
        let cell = cell_of(position.place)?;
        if let Some(known) = self.cell_of.get(&position.id).copied() {
            let newest = self.cells.get(&known).and_then(|cell| cell.get(&position.id));
            if newest.is_some_and(|newest| newest.at >= position.at) {
                return Ok(());
            }
            if known != cell {
                self.remove(position.id);
            }
        }
        self.cell_of.insert(position.id, cell);
        self.cells.entry(cell).or_default().insert(position.id, position);
        Ok(())
    }

    fn remove(&mut self, id: Uuid) {
        let Some(cell) = self.cell_of.remove(&id) else { return };
        if let Some(positions) = self.cells.get_mut(&cell) {
            positions.remove(&id);
            if positions.is_empty() {
                self.cells.remove(&cell);
            }
        }
    }

    fn drop_before(&mut self, oldest: DateTime<Utc>) {
        for positions in self.cells.values_mut() {
            positions.retain(|_, position| position.at >= oldest);
        }
        self.cells.retain(|_, positions| !positions.is_empty());
        let cells = &self.cells;
        self.cell_of.retain(|id, cell| cells.get(cell).is_some_and(|cell| cell.contains_key(id)));
    }

    fn find_within(&self, circle: Circle, since: DateTime<Utc>) -> Result<Vec<Neighbour>, Error> {
        let mut found = Vec::new();
        let rings = rings_around(circle.radius_m);
        // A large circle has more cells than there are occupied cells.
        if 3 * rings * (rings + 1) >= self.cells.len() as u64 {
            for positions in self.cells.values() {
                add_within(&mut found, positions, circle, since);
            }
            return Ok(found);
        }
        let rings = u32::try_from(rings).map_err(Error::internal)?;
        let disk: Vec<CellIndex> = cell_of(circle.centre)?.grid_disk(rings);
        for positions in disk.iter().filter_map(|cell| self.cells.get(cell)) {
            add_within(&mut found, positions, circle, since);
        }
        Ok(found)
    }
}

fn cell_of(place: Coordinates) -> Result<CellIndex, Error> {
    let place = LatLng::new(place.lat, place.lng)
        .map_err(|_| Error::invalid("position", "must be two finite numbers"))?;
    Ok(place.to_cell(RESOLUTION))
}

/// How many rings of cells hold every place within `radius_m` of any place in the cell in the middle. The corners of a
/// hexagon of rings reach farther than its sides, which the factor allows for.
fn rings_around(radius_m: f64) -> u64 {
    let rings = (radius_m / NARROWEST_METRES + 0.6) / 0.866;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let rings = rings.ceil().clamp(1.0, 1_000_000.0) as u64;
    rings
}

fn add_within(
    found: &mut Vec<Neighbour>,
    positions: &HashMap<Uuid, Position>,
    circle: Circle,
    since: DateTime<Utc>,
) {
    for position in positions.values().filter(|position| position.at >= since) {
        let metres = circle.centre.metres_to(&position.place);
        if metres <= circle.radius_m {
            found.push(Neighbour { id: position.id, metres });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{positions::check_position_index, start};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const EVERYWHERE: f64 = 21_000_000.0;

    #[tokio::test]
    async fn it_behaves_as_every_position_index() {
        let clock = Clock::manual(start());
        check_position_index(&*LocalPositions::new(clock.clone()), &clock).await;
    }

    #[tokio::test]
    async fn what_is_old_is_swept() {
        let clock = Clock::manual(start());
        let index = LocalPositions::new(clock.clone());
        for n in 0..3 {
            let place = Coordinates { lat: 48.0 + f64::from(n), lng: 2.0 };
            let position = Position { id: Uuid::new_v4(), place, at: clock.now() };
            index.put("cars", &[position]).await.unwrap();
            index.put("bikes", &[position]).await.unwrap();
            clock.advance(Duration::seconds(60));
        }
        index.put("cars", &[]).await.unwrap();
        let kept = index.state().layers.get("cars").map(|it| (it.cell_of.len(), it.cells.len()));
        assert_eq!(kept, Some((1, 1)), "only the last is young");
        clock.advance(Duration::seconds(60));
        index.put("vans", &[]).await.unwrap();
        assert_eq!(index.state().layers.keys().collect::<Vec<_>>(), ["vans"]);
    }

    #[tokio::test]
    async fn a_position_that_is_no_number_is_refused() {
        let index = LocalPositions::new(Clock::manual(start()));
        let place = Coordinates { lat: f64::NAN, lng: 2.0 };
        let position = Position { id: Uuid::new_v4(), place, at: start() };
        assert!(index.put("cars", &[position]).await.is_err());
    }

    /// A place up to `degrees` away from `centre`; longitudes go round.
    fn shifted(centre: Coordinates, (north, east): (f64, f64)) -> Coordinates {
        let lat = (centre.lat + north).clamp(-90.0, 90.0);
        let east = east / lat.to_radians().cos().max(0.05);
        let lng = (centre.lng + east + 540.0).rem_euclid(360.0) - 180.0;
        Coordinates { lat, lng }
    }

    /// Everywhere, the twelve places where the grid has pentagons among them, the poles and the date line.
    fn centres() -> impl Strategy<Value = Coordinates> {
        let pentagons: Vec<_> = h3o::CellIndex::base_cells()
            .filter(|cell| cell.is_pentagon())
            .map(|cell| {
                let middle = LatLng::from(cell);
                Coordinates { lat: middle.lat(), lng: middle.lng() }
            })
            .collect();
        let near_pentagon = (prop::sample::select(pentagons), -0.1..0.1, -0.1..0.1)
            .prop_map(|(middle, north, east)| shifted(middle, (north, east)));
        prop_oneof![
            (-89.9..89.9, -180.0..180.0).prop_map(|(lat, lng)| Coordinates { lat, lng }),
            near_pentagon,
            (-60.0..60.0, Just(180.0)).prop_map(|(lat, lng)| Coordinates { lat, lng }),
            (prop_oneof![Just(89.99), Just(-89.99)], Just(0.0))
                .prop_map(|(lat, lng)| Coordinates { lat, lng }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_cells_lose_nobody(
            centre in centres(),
            shifts in prop::collection::vec((-0.3..0.3, -0.3..0.3), 400),
            radius_m in 100.0..16_000.0,
        ) {
            let now = start();
            let mut layer = Layer::default();
            let mut expected = BTreeSet::new();
            let circle = Circle { centre, radius_m };
            // Far away there are so many that the disk is asked for, and not all cells.
            let far = (-80..80).flat_map(|lat| (0..9).map(move |lng| (lat, lng)));
            let far = far.map(|(lat, lng)| Coordinates { lat: lat.into(), lng: f64::from(lng) * 40.0 - 175.0 });
            let close = shifts.into_iter().map(|shift| shifted(centre, shift));
            for place in far.chain(close) {
                let position = Position { id: Uuid::new_v4(), place, at: now };
                layer.put(position).unwrap();
                if centre.metres_to(&place) <= radius_m {
                    expected.insert(position.id);
                }
            }
            prop_assert!(3 * rings_around(radius_m) * (rings_around(radius_m) + 1) < layer.cells.len() as u64);
            let found = layer.find_within(circle, now).unwrap();
            prop_assert_eq!(found.iter().map(|near| near.id).collect::<BTreeSet<_>>(), expected);
            let all = layer.find_within(Circle { centre, radius_m: EVERYWHERE }, now).unwrap();
            prop_assert_eq!(all.len(), layer.cell_of.len());
        }
    }
}
