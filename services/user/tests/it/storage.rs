//! What the tables hold: nothing that opens an account, and hashes of today.

use crate::world::{PASSWORD, Service, from, login};
use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use kit::Db;
use kit::testing::{Backend, acting_as};
use proto::quickserve::{
    common::v1::Address,
    user::v1::{self as pb, ContactPurpose},
};
use sea_orm::{ConnectionTrait, Statement, Value};
use sha2::{Digest, Sha256};
use yare::parameterized;

async fn database(service: &Service) -> Db {
    Db::connect(&service.host.database_config(), service.world.clock.clone()).await.unwrap()
}

async fn texts(db: &Db, table: &str, column: &str) -> Vec<String> {
    let sql = format!("SELECT {column} FROM {table}");
    let query = Statement::from_string(db.connection().get_database_backend(), sql);
    let rows = db.connection().query_all_raw(query).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_outdated_hash_is_renewed_at_sign_in(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let params = Params::new(8_192, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let weak = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let db = database(&service).await;
    let engine = db.connection().get_database_backend();
    let sql = "UPDATE credentials SET password_hash = $1";
    let update = Statement::from_sql_and_values(engine, sql, [Value::from(weak.clone())]);
    db.connection().execute_raw(update).await.unwrap();

    assert!(service.login("ana@example.org", "not the password").await.is_err());
    assert_eq!(texts(&db, "credentials", "password_hash").await[0], weak);
    service.login("ana@example.org", PASSWORD).await.unwrap();
    let renewed = texts(&db, "credentials", "password_hash").await;
    assert!(renewed[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{renewed:?}");
    service.login("ana@example.org", PASSWORD).await.unwrap();
    assert_eq!(texts(&db, "credentials", "password_hash").await, renewed);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_token_or_code_is_stored_as_it_is(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let next = service.refresh(&person).await.unwrap();
    let code = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    let db = database(&service).await;
    let mut stored = texts(&db, "refresh_tokens", "hash").await;
    stored.extend(texts(&db, "contact_codes", "code_hash").await);
    assert_eq!(stored.len(), 3);
    let sql = "SELECT successor FROM refresh_tokens WHERE successor IS NOT NULL";
    let query = Statement::from_string(db.connection().get_database_backend(), sql.to_owned());
    let row = db.connection().query_one_raw(query).await.unwrap().unwrap();
    let sealed: Vec<u8> = row.try_get_by_index(0).unwrap();
    let sealed = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, sealed);
    stored.push(sealed);
    let plain = code.replace('-', "");
    for text in &stored {
        assert!(!text.is_empty());
        assert!(!person.refresh.contains(text.as_str()) && !next.refresh.contains(text.as_str()));
        assert!(!plain.contains(text.as_str()));
    }
}

/// The bytes of a refresh token.
fn token_bytes(token: &str) -> Vec<u8> {
    let text = token.strip_prefix("qsr_").unwrap();
    base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text).unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_token_that_the_version_before_rotated_still_answers_with_its_successor(
    backend: Backend,
) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let next = service.refresh(&person).await.unwrap();
    // As that version kept it: the successor, combined with a pad that only the old token makes.
    let (old, new) = (token_bytes(&person.refresh), token_bytes(&next.refresh));
    let domain = "refresh-successor";
    let length = (domain.len() as u64).to_be_bytes();
    let pad = Sha256::digest([&length, domain.as_bytes(), &old].concat());
    let sealed: Vec<u8> = new.iter().zip(pad).map(|(new, pad)| new ^ pad).collect();
    let db = database(&service).await;
    let engine = db.connection().get_database_backend();
    let sql = "UPDATE refresh_tokens SET successor = $1 WHERE successor IS NOT NULL";
    let update = Statement::from_sql_and_values(engine, sql, [Value::from(sealed)]);
    assert_eq!(db.connection().execute_raw(update).await.unwrap().rows_affected(), 1);
    let again = service.refresh(&person).await.unwrap();
    assert_eq!(again.refresh, next.refresh);
    service.refresh(&again).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erasure_leaves_no_personal_row(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let address = Address {
        lines: vec!["1 rue de la Paix".into()],
        postcode: "75002".into(),
        city: "Paris".into(),
        country: "FR".into(),
        lat: Some(48.868_7),
        lng: Some(2.330_9),
        ..Address::default()
    };
    let kept = pb::CreateAddressRequest { label: "home".into(), address: Some(address) };
    let mut users = service.users.clone();
    acting_as(person.subject, users.create_address(kept)).await.unwrap();
    let from_home = from("192.0.2.1", login(&person.email, PASSWORD));
    service.auth.clone().login(from_home).await.unwrap();
    let db = database(&service).await;
    let tables = [
        ("credentials", "password_hash"),
        ("addresses", "label"),
        ("contact_codes", "purpose"),
        ("known_clients", "client"),
    ];
    for (table, column) in tables {
        assert_eq!(texts(&db, table, column).await.len(), 1, "{table} before");
    }
    acting_as(person.subject, users.erase_me(pb::EraseMeRequest {})).await.unwrap();
    for (table, column) in tables {
        assert!(texts(&db, table, column).await.is_empty(), "{table} after");
    }
    let row = "name || phone || suspension_reason || COALESCE(email, '')";
    assert_eq!(texts(&db, "users", row).await, ["—"]);
}
