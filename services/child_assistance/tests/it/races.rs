//! What happens at the same moment: never delivered with a child in, never out to a revoked adult after the revocation was
//! answered. `QS_CHILD_RACES` says how often; a sample runs always.

use crate::fixture::{CODE, Hand, Nursery, state_of};
use kit::testing::{Backend, refusal};
use proto::quickserve::child_assistance::v1::CareChildState;
use yare::parameterized;

/// How often each race is run.
fn rounds() -> u32 {
    std::env::var("QS_CHILD_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_that_comes_in_while_the_gate_opens_is_never_delivered(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let (mut came, mut opened) = (0, 0);
    for _ in 0..rounds() {
        let order = nursery.begin(&family, &[&family.lou]).await;
        nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
        let out = Hand::over(&family.lou, &family.aunt, 2).code(CODE);
        nursery.check_out(&order, out).await.unwrap();
        let comes_again = nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 3));
        let (gate, check_in) = tokio::join!(nursery.missing(&order, &[]), comes_again);
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
    for _ in 0..rounds() {
        let aunt = nursery.adult(family.parent, &family.lou, CODE).await;
        let order = nursery.begin(&family, &[&family.lou]).await;
        nursery.check_in(&order, Hand::over(&family.lou, &aunt, 1)).await.unwrap();
        let out = Hand::over(&family.lou, &aunt, 2).code(CODE);
        let (revoked, check_out) = tokio::join!(
            nursery.revoke(&aunt, family.parent),
            nursery.check_out(&order, out.clone())
        );
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
