//! What happens at the same moment: the gate never opens with a child in, and no child goes out to a revoked adult after the
//! revocation was answered. `QS_CHILD_RACES` says how often, `QS_TEST_SEED` who sets off first; a sample runs always. The
//! deliveries of order race in `tests/it`.

use crate::fixture::{CODE, Hand, Nursery, state_of};
use kit::testing::{Backend, refusal, set_off_after};
use proto::quickserve::child_assistance::v1::CareChildState;
use rand::{Rng, SeedableRng, rngs::StdRng};
use yare::parameterized;

/// Steps of the runtime that the second call waits at most before it sets off.
const MAX_STEPS: u32 = 24;

/// A number from the environment.
fn number_from<T: std::str::FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// How often each race is run.
fn rounds() -> u32 {
    number_from("QS_CHILD_RACES", 6)
}

/// What decides who sets off first, and by how much.
fn seeded() -> StdRng {
    StdRng::seed_from_u64(number_from("QS_TEST_SEED", 1))
}

/// Makes two calls at once. One of them sets off a little later.
async fn race<A, B>(
    random: &mut StdRng,
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> (A, B) {
    let steps = random.random_range(0..=MAX_STEPS);
    let steps = if random.random_bool(0.5) { (steps, 0) } else { (0, steps) };
    tokio::join!(set_off_after(steps.0, one), set_off_after(steps.1, other))
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_that_comes_in_while_the_gate_opens_is_never_delivered(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let (mut came, mut opened, mut random) = (0, 0, seeded());
    for _ in 0..rounds() {
        let order = nursery.begin(&family, &[&family.lou]).await;
        nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
        let out = Hand::over(&family.lou, &family.aunt, 2).code(CODE);
        nursery.check_out(&order, out).await.unwrap();
        let comes_again = nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 3));
        let opens = nursery.missing(&order, &[]);
        let (gate, check_in) = race(&mut random, opens, comes_again).await;
        let care = nursery.read_care(&order, family.parent).await.unwrap();
        match check_in {
            Ok(_) => {
                assert_eq!(gate, ["care.child_in"], "the gate opened with a child in");
                assert_eq!(state_of(&care, &family.lou), CareChildState::In);
                came += 1;
            }
            refused => {
                assert_eq!(refusal(refused), "DELIVERY_BEGUN");
                assert_eq!(gate, Vec::<String>::new());
                assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
                opened += 1;
            }
        }
    }
    assert_eq!(came + opened, rounds());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hand_out_is_before_the_revocation_or_not_at_all(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut random = seeded();
    for _ in 0..rounds() {
        let aunt = nursery.adult(family.parent, &family.lou, CODE).await;
        let order = nursery.begin(&family, &[&family.lou]).await;
        nursery.check_in(&order, Hand::over(&family.lou, &aunt, 1)).await.unwrap();
        let out = Hand::over(&family.lou, &aunt, 2).code(CODE);
        let revokes = nursery.revoke(&aunt, family.parent);
        let goes = nursery.check_out(&order, out.clone());
        let (revoked, check_out) = race(&mut random, revokes, goes).await;
        revoked.unwrap();
        match check_out {
            // The hand-out came first, and is the last one.
            Ok(care) => {
                assert_eq!(state_of(&care, &family.lou), CareChildState::Out);
                let again = Hand::over(&family.lou, &aunt, 3).code(CODE);
                assert_eq!(refusal(nursery.check_in(&order, again).await), "ADULT_REVOKED");
            }
            refused => {
                assert_eq!(refusal(refused), "ADULT_REVOKED");
                assert_eq!(refusal(nursery.check_out(&order, out).await), "ADULT_REVOKED");
            }
        }
    }
}
