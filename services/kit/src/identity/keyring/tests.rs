//! Keys on disk: private, whole, shared, rotated in time.

use super::*;
use std::os::unix::fs::MetadataExt as _;

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000)
}

fn states(keyring: &Keyring) -> Vec<KeyState> {
    keyring.keys().map(SigningKey::state).collect()
}

#[test]
fn the_file_is_private_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let made = Keyring::load_or_create(&keys, start()).unwrap();
    assert_eq!(states(&made), [KeyState::Active, KeyState::Next]);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&keys), mode(&keys.join(FILE))), (0o700, 0o600));
    let again = Keyring::load_or_create(&keys, start() + Duration::days(1)).unwrap();
    assert_eq!(again.jwks(), made.jwks());
    assert_eq!(again.active().sign(b"m").as_ref(), made.active().sign(b"m").as_ref());
}

#[test]
fn processes_that_start_together_share_one_set_of_keys() {
    let directory = tempfile::tempdir().unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let make = || Keyring::load_or_create(directory.path(), start()).unwrap().jwks();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(made.iter().all(|jwks| *jwks == made[0]));
}

#[test]
fn a_key_is_published_before_it_signs_and_after_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let mut keyring = Keyring::load_or_create(directory.path(), start()).unwrap();
    let first = keyring.active().kid().to_owned();
    let second = keyring.keys().nth(1).unwrap().kid().to_owned();

    let early = start() + PUBLISH_LEAD - Duration::seconds(1);
    let refused = keyring.rotate(early).unwrap_err();
    assert!(
        matches!(refused, KeyringError::TooSoon { ready_at } if ready_at == start() + PUBLISH_LEAD)
    );
    assert_eq!(keyring.active().kid(), first);

    let turned = start() + PUBLISH_LEAD;
    keyring.rotate(turned).unwrap();
    assert_eq!(keyring.active().kid(), second);
    assert_eq!(states(&keyring), [KeyState::Active, KeyState::Retiring, KeyState::Next]);
    let retiring = keyring.keys().find(|key| key.state() == KeyState::Retiring).unwrap();
    assert_eq!((retiring.kid(), retiring.retire_after()), (&*first, Some(turned + RETIRE_AFTER)));

    keyring.rotate(turned + PUBLISH_LEAD).unwrap();
    assert!(keyring.keys().any(|key| key.kid() == first), "still within its retirement");
    keyring.rotate(turned + PUBLISH_LEAD * 2).unwrap();
    assert!(keyring.keys().all(|key| key.kid() != first), "gone");
    assert_eq!(keyring.jwks()["keys"].as_array().unwrap().len(), 4);
    assert_eq!(Keyring::load(directory.path()).unwrap().jwks(), keyring.jwks());
}

#[test]
fn the_jwks_shows_public_keys_only() {
    let keyring = Keyring::ephemeral(start()).unwrap();
    let jwks = keyring.jwks();
    let key = jwks["keys"][0].as_object().unwrap();
    let names: Vec<_> = key.keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(key["x"], URL_SAFE_NO_PAD.encode(keyring.active().public_key()));
}

#[test]
fn the_name_of_a_key_is_its_thumbprint() {
    // The key and thumbprint of RFC 8037, appendix A.
    let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    assert_eq!(key_thumbprint(&x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_damaged_file_is_refused_without_showing_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    Keyring::load_or_create(directory.path(), start()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let pkcs8 = serde_json::from_str::<serde_json::Value>(&good).unwrap()[0]["pkcs8"].clone();
    let damaged = [
        String::new(),
        "[]".to_owned(),
        good.replace("active", "next"),
        good.replace("next", "active"),
        good.replace("pkcs8", "pkcs9"),
        good.replace(pkcs8.as_str().unwrap(), "AAAA"),
        good.replace(pkcs8.as_str().unwrap(), "!"),
    ];
    for text in damaged {
        fs::write(&path, &text).unwrap();
        let error = Keyring::load_or_create(directory.path(), start()).err().unwrap();
        assert!(matches!(error, KeyringError::Invalid { .. }), "{error}");
        assert!(!error.to_string().contains(pkcs8.as_str().unwrap()));
    }
}

#[test]
fn running_processes_follow_a_rotation_within_five_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(start());
    let keyring = Keyring::load_or_create(directory.path(), start()).unwrap();
    let shared = SharedKeyring::new(keyring, clock.clone());
    let before = shared.current().active().kid().to_owned();

    clock.advance(Duration::minutes(20));
    shared.current();
    let mut other = Keyring::load(directory.path()).unwrap();
    other.rotate(clock.now()).unwrap();
    clock.advance(Duration::seconds(4));
    assert_eq!(shared.current().active().kid(), before);
    clock.advance(Duration::seconds(1));
    assert_eq!(shared.current().active().kid(), other.active().kid());

    fs::write(directory.path().join(FILE), "{").unwrap();
    clock.advance(Duration::seconds(5));
    assert_eq!(shared.current().active().kid(), other.active().kid());
    other.save(directory.path()).unwrap();
}
