//! The keys of families as who runs the program meets them: they turn, are not retired too early, and are in no copy.

use super::{Home, program::Finished};
use kit::testing::{Backend, eventually};
use quickserve::demo;
use serde_json::Value;

/// Names of the keys of the ring in a state, as `keys list` prints them.
fn keys_in(state: &str, listed: &str) -> Vec<String> {
    let rows = listed.lines().map(|line| line.split("  ").collect::<Vec<_>>());
    rows.filter(|row| row[1] == state).map(|row| row[0].to_owned()).collect()
}

impl Home {
    /// Does something with the keys of families.
    async fn family_keys(&self, command: &[&str]) -> Finished {
        self.run(&[&["keys", "--ring", "child"], command].concat()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ring_of_family_keys_turns_and_is_in_no_copy() {
    let home = Home::new(Backend::Sqlite).await;
    let before = home.family_keys(&["list"]).await;
    assert_eq!(before.status.code(), Some(1), "there is no ring before the first start");
    let program = home.start().await;
    let alice = demo::make_customer(&program.client, "alice", "alice@test.example").await.unwrap();
    let lou = demo::enter_child(&alice, "Lou", "2022-05-17").await.unwrap();
    let active = keys_in("Active", &home.family_keys(&["list"]).await.ok());
    let turned = home.family_keys(&["rotate"]).await.ok();
    assert_eq!(keys_in("Retiring", &turned), active, "{turned}");
    let early = home.family_keys(&["retire", &active[0]]).await;
    assert_eq!(early.status.code(), Some(1));
    assert!(early.stderr.contains("still wraps 1 family keys"), "{}", early.stderr);
    program.stop().await;

    // The service wraps anew when it starts, and each minute; then the old key can go.
    let program = home.start().await;
    let retire = async || home.family_keys(&["retire", &active[0]]).await.status.success();
    eventually("the old key is retired", retire, |is_retired| *is_retired).await;
    let listed = home.family_keys(&["list"]).await.ok();
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let client = program.client.with_token(alice.client.token().unwrap());
    let path = format!("/v1/children/{lou}");
    let read: Value = client.get(&path).await.unwrap().ok().unwrap();
    assert_eq!(read["profile"]["name"], "Lou");

    // A copy of the data is of no use without the keys, which are kept apart from it.
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("copy");
    home.run(&["backup", copy.to_str().unwrap()]).await.ok();
    program.stop().await;
    assert!(!copy.join("family-keys").exists());
    let restored = Home::restored(&copy).await;
    let refused = restored.refusal("up").await;
    assert!(refused.contains("there is no ring of keys"), "{refused}");
    let keys = home.path().join("family-keys");
    std::fs::rename(keys, restored.path().join("family-keys")).unwrap();
    let program = restored.start().await;
    let client = program.client.with_token(alice.client.token().unwrap());
    let read = client.get(&path).await.unwrap().ok().unwrap();
    assert_eq!(read["profile"]["name"], "Lou");
    program.stop().await;
}
