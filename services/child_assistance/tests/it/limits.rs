//! How much an account may keep, and what a refused call leaves behind.

use crate::fixture::{Nursery, new_id, profile};
use kit::{
    Role, Subject,
    envelope::FOLDER,
    testing::{ActingAs, Backend, refusal, somebody},
};
use proto::quickserve::child_assistance::v1::{self as pb, GuardianRight};
use tonic::Status;
use yare::parameterized;

async fn create(nursery: &Nursery, id: &str, by: Subject) -> Result<(), Status> {
    let profile = Some(profile("2022-05-17"));
    let request = pb::CreateChildRequest { id: id.to_owned(), profile };
    nursery.families().create_child(request).by(by).await.map(|_| ())
}

/// How many files of family keys there are.
fn key_files(nursery: &Nursery) -> usize {
    let folder = nursery.world.host.data_dir().join(FOLDER);
    let shards = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = shards.filter(|path| path.is_dir());
    files.map(|shard| std::fs::read_dir(shard).unwrap().count()).sum()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_id_that_is_taken_makes_no_key(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let before = key_files(&nursery);
    for _ in 0..3 {
        let taken = create(&nursery, &family.lou, somebody(&[Role::Customer])).await;
        assert_eq!(refusal(taken), "CHILD_EXISTS");
    }
    assert_eq!(key_files(&nursery), before);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_family_has_so_many_children_and_a_child_so_many_invitations(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let parent = somebody(&[Role::Customer]);
    let mut last = String::new();
    for _ in 0..30 {
        last = new_id();
        create(&nursery, &last, parent).await.unwrap();
    }
    assert_eq!(refusal(create(&nursery, &new_id(), parent).await), "TOO_MANY");
    create(&nursery, &last, parent).await.unwrap();
    let invite = async || {
        let right = GuardianRight::Notify.into();
        let request = pb::InviteGuardianRequest { child_id: last.clone(), right };
        nursery.families().invite_guardian(request).by(parent).await
    };
    for _ in 0..20 {
        invite().await.unwrap();
    }
    assert_eq!(refusal(invite().await), "TOO_MANY");
    nursery.wait(14 * 24 * 60);
    invite().await.unwrap();
}
