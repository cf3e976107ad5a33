//! Keys that turn, are retired, destroyed and lost, and values that are moved.

use super::{Cell, EnvelopeError, KeyStore};
use crate::testing::start;
use std::{fs, os::unix::fs::PermissionsExt};
use uuid::Uuid;

const FAMILY: Uuid = Uuid::from_u128(7);
const NAME: Cell<'static> = Cell { table: "children", row: Uuid::from_u128(1), column: "secret" };

fn store() -> (tempfile::TempDir, KeyStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::open_or_create(folder.path(), start()).unwrap();
    (folder, store)
}

#[test]
fn a_value_opens_in_its_own_cell_and_nowhere_else() {
    let (_folder, store) = store();
    let key = store.create_key(FAMILY).unwrap();
    let blob = key.seal(NAME, b"Lou").unwrap();
    assert_eq!(store.find_key(FAMILY).unwrap().open(NAME, &blob).unwrap(), b"Lou");
    assert!(!blob.windows(3).any(|part| part == b"Lou"));
    for elsewhere in [
        Cell { table: "adults", ..NAME },
        Cell { row: Uuid::from_u128(2), ..NAME },
        Cell { column: "note", ..NAME },
    ] {
        assert!(matches!(key.open(elsewhere, &blob), Err(EnvelopeError::Foreign)));
    }
    let other = store.create_key(Uuid::from_u128(8)).unwrap();
    assert!(matches!(other.open(NAME, &blob), Err(EnvelopeError::Foreign)));
    for length in 0..blob.len() {
        assert!(key.open(NAME, &blob[..length]).is_err(), "cut to {length}");
    }
    for index in 0..blob.len() {
        let mut changed = blob.clone();
        changed[index] ^= 1;
        assert!(key.open(NAME, &changed).is_err(), "byte {index} changed");
    }
    assert_ne!(blob, key.seal(NAME, b"Lou").unwrap(), "a nonce is used once");
}

#[test]
fn a_family_has_one_key_however_often_it_is_made() {
    let (folder, store) = store();
    let blob = store.create_key(FAMILY).unwrap().seal(NAME, b"Lou").unwrap();
    let again = KeyStore::open(folder.path()).unwrap().create_key(FAMILY).unwrap();
    assert_eq!(again.open(NAME, &blob).unwrap(), b"Lou");
    for file in ["ring.json", "07/00000000-0000-0000-0000-000000000007.key"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_rotation_is_followed_and_a_key_in_use_is_not_retired() {
    let (folder, store) = store();
    let key = store.create_key(FAMILY).unwrap();
    let blob = key.seal(NAME, b"Lou").unwrap();
    let first = store.ring().active().unwrap().kid().to_owned();
    // Another process turns the ring.
    KeyStore::open(folder.path()).unwrap().rotate(start()).unwrap();
    let second = store.ring().active().unwrap().kid().to_owned();
    assert_ne!(first, second);
    assert_eq!(store.find_key(FAMILY).unwrap().open(NAME, &blob).unwrap(), b"Lou");
    for (kid, families) in [(&first, 1), (&second, 0)] {
        let refused = store.retire(kid).unwrap_err();
        assert!(matches!(refused, EnvelopeError::InUse { families: it, .. } if it == families));
    }
    assert_eq!(store.rewrap_keys().unwrap(), 1);
    assert_eq!(store.rewrap_keys().unwrap(), 0, "nothing is left to do");
    store.retire(&first).unwrap();
    let rewrapped = store.find_key(FAMILY).unwrap();
    assert_eq!(rewrapped.open(NAME, &blob).unwrap(), b"Lou");
    assert_eq!(rewrapped.pepper(), key.pepper(), "codes of before are still right");
    assert!(matches!(store.retire(&first), Err(EnvelopeError::UnknownKey(_))));
}

#[test]
fn values_are_read_and_sealed_while_the_ring_turns() {
    let (_folder, store) = store();
    let blob = store.create_key(FAMILY).unwrap().seal(NAME, b"Lou").unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4_u128)
            .map(|n| {
                let (store, blob) = (store.clone(), &blob);
                scope.spawn(move || {
                    for round in 0..50 {
                        let key = store.find_key(FAMILY).unwrap();
                        assert_eq!(key.open(NAME, blob).unwrap(), b"Lou");
                        store.create_key(Uuid::from_u128(100 + n * 1_000 + round)).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..10 {
            let old = store.ring().active().unwrap().kid().to_owned();
            store.rotate(start()).unwrap();
            store.rewrap_keys().unwrap();
            // A key that was made meanwhile may still hold it, and is never lost.
            match store.retire(&old) {
                Ok(()) | Err(EnvelopeError::InUse { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    for family in (0..4).flat_map(|n| (0..50).map(move |round| 100 + n * 1_000 + round)) {
        store.find_key(Uuid::from_u128(family)).unwrap();
    }
}

#[test]
fn a_destroyed_key_is_gone_and_wrapping_anew_does_not_bring_it_back() {
    let (folder, store) = store();
    let blob = store.create_key(FAMILY).unwrap().seal(NAME, b"Lou").unwrap();
    store.destroy_key(FAMILY).unwrap();
    store.destroy_key(FAMILY).unwrap();
    assert!(matches!(store.find_key(FAMILY), Err(EnvelopeError::Destroyed)));
    store.rotate(start()).unwrap();
    assert_eq!(store.rewrap_keys().unwrap(), 0);
    // A family that begins anew under the same id reads nothing of before.
    let anew = KeyStore::open(folder.path()).unwrap().create_key(FAMILY).unwrap();
    assert!(matches!(anew.open(NAME, &blob), Err(EnvelopeError::Foreign)));
}

/// What a process leaves that ends while it destroys the key of the family, and while it replaces it.
fn leave_remains(folder: &std::path::Path) {
    let shard = folder.join("07");
    let key = shard.join(format!("{FAMILY}.key"));
    fs::copy(&key, shard.join(format!("{FAMILY}.key.00000000000000aa.new"))).unwrap();
    fs::rename(&key, shard.join(format!("{FAMILY}.gone"))).unwrap();
}

#[test]
fn a_destruction_that_broke_off_is_finished() {
    let (folder, store) = store();
    store.create_key(FAMILY).unwrap();
    let neighbour = Uuid::from_u128(0x0107);
    store.create_key(neighbour).unwrap();
    leave_remains(folder.path());
    store.destroy_key(FAMILY).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("07")).unwrap().count(), 1);
    store.find_key(neighbour).unwrap();
    store.destroy_key(Uuid::from_u128(9)).unwrap();
}

#[test]
fn remains_of_keys_are_destroyed_after_a_start() {
    let (folder, store) = store();
    store.create_key(FAMILY).unwrap();
    store.create_key(Uuid::from_u128(0x0107)).unwrap();
    leave_remains(folder.path());
    store.rewrap_keys().unwrap();
    assert_eq!(fs::read_dir(folder.path().join("07")).unwrap().count(), 1);
}

#[test]
fn keys_are_not_looked_at_again_while_the_ring_stays() {
    let (folder, store) = store();
    store.create_key(FAMILY).unwrap();
    let key = folder.path().join("07").join(format!("{FAMILY}.key"));
    let whole = fs::read(&key).unwrap();
    // A key that cannot be opened is noticed where it is looked at.
    fs::write(&key, b"broken").unwrap();
    assert_eq!(store.rewrap_keys().unwrap(), 0, "the ring has one key");
    store.rotate(start()).unwrap();
    assert!(store.rewrap_keys().is_err(), "the ring has changed");
    fs::write(&key, whole).unwrap();
    assert_eq!(store.rewrap_keys().unwrap(), 1, "a pass that failed is made again");
    fs::write(&key, b"broken").unwrap();
    assert_eq!(store.rewrap_keys().unwrap(), 0, "nothing has changed since");
}

#[test]
fn without_a_ring_nothing_opens_and_a_broken_one_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(KeyStore::open(folder.path()), Err(EnvelopeError::NoRing { .. })));
    for (text, problem) in [
        ("{", "JSON"),
        ("[]", "no key"),
        (r#"[{"kid":"x","key":"","pepper":"","created_at":"2027-05-24T08:00:00Z"}]"#, "no name"),
        (r#"[{"kid":"01","key":"QQ==","pepper":"","created_at":"2027-05-24T08:00:00Z"}]"#, "32"),
    ] {
        fs::write(folder.path().join("ring.json"), text).unwrap();
        let error = KeyStore::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
