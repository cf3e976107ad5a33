//! One text, typed in different ways: composed or not, and with characters that are not seen.

use crate::world::{PASSWORD, Service, assert_names, registration};
use argon2::{Argon2, password_hash::PasswordHasher};
use kit::{
    Db,
    testing::{Backend, acting_as},
};
use proto::quickserve::user::v1 as pb;
use sea_orm::{ConnectionTrait, Statement, Value};
use yare::parameterized;

const COMPOSED: (&str, &str) = ("élise@müller.example", "crème brûlée");
const DECOMPOSED: (&str, &str) =
    ("e\u{301}lise@mu\u{308}ller.example", "cre\u{300}me bru\u{302}le\u{301}e");

/// Runs a statement on the service's database, as an earlier version of the service could have.
async fn execute(service: &Service, sql: &str, values: impl IntoIterator<Item = Value>) {
    let config = service.host.database_config();
    let db = Db::connect(&config, service.world.clock.clone()).await.unwrap();
    let engine = db.connection().get_database_backend();
    let statement = Statement::from_sql_and_values(engine, sql, values);
    let done = db.connection().execute_raw(statement).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    db.close().await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_registers_in_one_form_signs_in_in_the_other(backend: Backend) {
    let service = Service::new(backend).await;
    for (email, password) in [COMPOSED, DECOMPOSED] {
        let request =
            pb::CreateUserRequest { password: password.into(), ..registration(email, "client") };
        let answer = service.users.clone().create_user(request).await.unwrap().into_inner();
        assert_eq!(answer.user.unwrap().email, COMPOSED.0);
        for (email, password) in [COMPOSED, DECOMPOSED] {
            service.login(email, password).await.unwrap();
        }
        let person = service.login(COMPOSED.0, DECOMPOSED.1).await.unwrap();
        let mut users = service.users.clone();
        acting_as(person.subject, users.erase_me(pb::EraseMeRequest {})).await.unwrap();
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_account_of_an_earlier_version_signs_in_whatever_form_it_was_kept_in(backend: Backend) {
    let service = Service::new(backend).await;
    let korean = ("\u{1112}\u{1161}\u{11ab}@example.org", "\u{d55c}@example.org");
    service.register("ana@example.org", "client").await.unwrap();
    let hash = Argon2::default().hash_password(DECOMPOSED.1.as_bytes()).unwrap().to_string();
    execute(&service, "UPDATE users SET email = $1", [korean.0.into()]).await;
    execute(&service, "UPDATE credentials SET password_hash = $1", [hash.into()]).await;
    let again = "DELETE FROM seaql_migrations WHERE version = $1";
    execute(&service, again, ["m0003_composed_emails".into()]).await;
    service.host.migrate().await.unwrap();

    let wrong = service.login(korean.1, "creme brulee").await;
    assert!(wrong.is_err());
    // The first sign-in finds the hash of the decomposed form and replaces it.
    for password in [COMPOSED.1, DECOMPOSED.1, COMPOSED.1] {
        for email in [korean.0, korean.1] {
            service.login(email, password).await.unwrap();
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn names_have_nothing_that_is_not_seen(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    for name in ["\u{200b}", "\u{202e}anA", "Ana\u{feff}", "\u{3164}", "Ana\u{2066}"] {
        let named = |name: &str| pb::CreateUserRequest {
            name: name.into(),
            ..registration("bob@example.org", "client")
        };
        assert_names(service.users.clone().create_user(named(name)).await, "name");
        let changes = pb::UserChanges { name: name.into(), ..pb::UserChanges::default() };
        let request = pb::UpdateMeRequest { changes: Some(changes), ..Default::default() };
        let mut users = service.users.clone();
        let changed = acting_as(person.subject, users.update_me(request)).await;
        assert_names(changed, "changes.name");
        let operator = user::create_operator(&service.host, "op@example.org", name, PASSWORD).await;
        assert!(operator.unwrap_err().to_string().starts_with("name must not have characters"));
    }
    let email = registration("ana\u{200b}@example.org", "client");
    assert_names(service.users.clone().create_user(email).await, "email");
}
