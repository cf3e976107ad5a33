//! Whatever becomes of repairs and moves: no more is taken than their customers have agreed to, and the ledger is at zero.

use super::{deals_and_seed, moves, repairs};
use crate::mesh::Mesh;
use kit::testing::Backend;
use rand::{SeedableRng, rngs::StdRng};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_repair_takes_more_than_was_agreed_to(backend: Backend) {
    let (deals, seed) = deals_and_seed();
    println!("{deals} repairs of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let provider = mesh.repairer(&operator, "bob").await;
    for number in 0..deals {
        repairs::live(&mesh, &operator, &provider, number, &mut random).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_move_takes_more_than_was_agreed_to(backend: Backend) {
    let (deals, seed) = deals_and_seed();
    println!("{deals} moves of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let firm = mesh.movers(&operator, "firm").await;
    for number in 0..deals {
        moves::live(&mesh, &operator, &firm, number, &mut random).await;
    }
}
