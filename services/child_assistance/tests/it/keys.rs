//! The keys of families: turned while the service runs, moved blobs, and a service without its ring.

use crate::fixture::{NAME, Nursery, profile};
use kit::{
    Role,
    envelope::{EnvelopeError, FOLDER, KeyStore},
    testing::{ActingAs, Backend, eventually, somebody, start},
};
use proto::quickserve::child_assistance::v1 as pb;
use tonic::{Code, Status};
use yare::parameterized;

fn keys_of(nursery: &Nursery) -> KeyStore {
    KeyStore::open(&nursery.world.host.data_dir().join(FOLDER)).unwrap()
}

async fn name_of(nursery: &Nursery, child: &str, by: kit::Subject) -> Result<String, Status> {
    let request = pb::GetChildRequest { child_id: child.to_owned() };
    let answer = nursery.families().get_child(request).by(by).await?.into_inner();
    Ok(answer.child.unwrap().profile.unwrap().name)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_ring_turns_while_families_read_and_write(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let keys = keys_of(&nursery);
    let first = keys.ring().active().unwrap().kid().to_owned();
    let turn = async {
        for _ in 0..3 {
            keys.rotate(start()).unwrap();
            tokio::task::yield_now().await;
        }
    };
    let work = async {
        for day in 1..8 {
            let child = nursery.child(family.parent, &format!("2022-05-0{day}")).await;
            assert_eq!(name_of(&nursery, &child, family.parent).await.unwrap(), NAME);
        }
    };
    tokio::join!(turn, work);
    assert!(matches!(keys.retire(&first), Err(EnvelopeError::InUse { families: 1, .. })));
    // A worker wraps anew what the old key wraps; then it can go.
    nursery.wait(1);
    let retire = async || keys.retire(&first).is_ok();
    eventually("the old key can be retired", retire, |is_retired| *is_retired).await;
    assert_eq!(name_of(&nursery, &family.lou, family.parent).await.unwrap(), NAME);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_blob_that_is_moved_to_another_row_does_not_open(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let other = somebody(&[Role::Customer]);
    let foreign = nursery.child(other, "2021-01-01").await;
    for (into, from, reader) in
        [(&family.max, &family.lou, family.parent), (&foreign, &family.lou, other)]
    {
        let moved = format!(
            "UPDATE children SET secret = (SELECT secret FROM children WHERE id = {}) WHERE id = {}",
            id_literal(&nursery, from).await,
            id_literal(&nursery, into).await,
        );
        nursery.execute(&moved).await.unwrap();
        let refused = name_of(&nursery, into, reader).await.unwrap_err();
        assert_eq!(refused.code(), Code::Internal);
        assert!(!refused.message().contains(NAME));
    }
    assert_eq!(name_of(&nursery, &family.lou, family.parent).await.unwrap(), NAME);
}

/// An id as the database writes it.
async fn id_literal(nursery: &Nursery, id: &str) -> String {
    match nursery.is_sqlite().await {
        true => format!("x'{}'", id.replace('-', "")),
        false => format!("'{id}'"),
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn without_its_ring_the_service_does_not_start(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    nursery.family().await;
    let folder = nursery.world.host.data_dir().join(FOLDER);
    std::fs::rename(&folder, folder.with_extension("away")).unwrap();
    let process = nursery.world.another_process();
    let host = process.host.of("child_assistance");
    let refused = child_assistance::start(&host).await.err().unwrap().to_string();
    assert!(refused.contains("no ring"), "{refused}");
    assert!(!folder.exists(), "none is made where values were encrypted before");
    std::fs::rename(folder.with_extension("away"), &folder).unwrap();
    let process = nursery.world.another_process();
    child_assistance::start(&process.host.of("child_assistance")).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_restored_after_the_erasure_of_a_family_cannot_be_read(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    // What a backup of the tables has.
    nursery.execute("CREATE TABLE backup_of_children AS SELECT * FROM children").await.unwrap();
    for child in [&family.lou, &family.max] {
        let request = pb::DeleteChildRequest { child_id: child.clone() };
        nursery.families().delete_child(request).by(family.parent).await.unwrap();
    }
    let timers = async || nursery.texts("SELECT kind FROM timers").await;
    eventually("the key is destroyed", timers, Vec::is_empty).await;
    nursery.execute("DELETE FROM children").await.unwrap();
    nursery.execute("INSERT INTO children SELECT * FROM backup_of_children").await.unwrap();
    let refused = name_of(&nursery, &family.lou, family.parent).await;
    assert_eq!(kit::testing::refusal(refused), "CHILD_NOT_FOUND");
    // The account begins anew, with another family and another key.
    let anew = nursery.child(family.parent, "2023-01-01").await;
    assert_eq!(name_of(&nursery, &anew, family.parent).await.unwrap(), profile("").name);
}
