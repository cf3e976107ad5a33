//! Registering, with the seed's own bodies and with bad ones.

use crate::world::{PASSWORD, Service, assert_names, assert_refused, login, registration};
use futures::future::join_all;
use kit::testing::Backend;
use proto::quickserve::user::v1 as pb;
use tonic::{Code, Request};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_seeds_bodies_register(backend: Backend) {
    let service = Service::new(backend).await;
    for (word, role) in [
        ("client", "customer"),
        ("prestataire", "provider"),
        ("customer", "customer"),
        ("provider", "provider"),
    ] {
        let email = format!("{word}@example.org");
        let user = service.register(&format!(" {} ", email.to_uppercase()), word).await.unwrap();
        assert_eq!((user.email.as_str(), user.role.as_str()), (email.as_str(), role));
        assert_eq!(user.roles, [role]);
        assert_eq!((user.name.as_str(), user.version), ("Ana Díaz", 1));
        assert_eq!((user.locale.as_str(), user.time_zone.as_str()), ("fr", "Europe/Paris"));
        assert!(user.created_at.is_some() && user.email_verified_at.is_none());
        let person = service.login(&email, PASSWORD).await.unwrap();
        assert_eq!(person.id, user.id);
        assert_eq!(service.me(&person).await.unwrap(), user);
        let facts = ["user.registered", "user.contact_verification_requested"];
        service.expect_facts(&user.id, &facts).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_registrations_name_their_field(backend: Backend) {
    let service = Service::new(backend).await;
    let good = || registration("ana@example.org", "client");
    let long = |n: usize| "x".repeat(n);
    for (request, field) in [
        (pb::CreateUserRequest { name: String::new(), ..good() }, "name"),
        (pb::CreateUserRequest { name: "  ".into(), ..good() }, "name"),
        (pb::CreateUserRequest { name: "a\nb".into(), ..good() }, "name"),
        (pb::CreateUserRequest { name: long(101), ..good() }, "name"),
        (pb::CreateUserRequest { email: String::new(), ..good() }, "email"),
        (pb::CreateUserRequest { email: "nobody".into(), ..good() }, "email"),
        (pb::CreateUserRequest { email: format!("{}@b.fr", long(300)), ..good() }, "email"),
        (pb::CreateUserRequest { role: String::new(), ..good() }, "role"),
        (pb::CreateUserRequest { role: "operator".into(), ..good() }, "role"),
        (pb::CreateUserRequest { password: "short".into(), ..good() }, "password"),
        (pb::CreateUserRequest { password: "password123".into(), ..good() }, "password"),
        (pb::CreateUserRequest { password: "Ana@Example.org".into(), ..good() }, "password"),
        (pb::CreateUserRequest { password: long(129), ..good() }, "password"),
        (pb::CreateUserRequest { phone: "0612345678".into(), ..good() }, "phone"),
        (pb::CreateUserRequest { locale: "de".into(), ..good() }, "locale"),
        (pb::CreateUserRequest { time_zone: "Mars/Olympus".into(), ..good() }, "time_zone"),
    ] {
        assert_names(service.users.clone().create_user(request).await, field);
    }
    let refused = service.auth.clone().login(login("ana@example.org", PASSWORD)).await;
    assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_INVALID");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parallel_registrations_of_one_address_make_one_account(backend: Backend) {
    let service = Service::new(backend).await;
    let made = join_all((0..8).map(|_| service.register("ana@example.org", "client"))).await;
    let ids: Vec<String> = made.into_iter().map(|user| user.unwrap().id).collect();
    let person = service.login("ana@example.org", PASSWORD).await.unwrap();
    assert_eq!(ids.iter().filter(|id| **id == person.id).count(), 1);
    let facts =
        ["user.registered", "user.contact_verification_requested", "user.registration_repeated"];
    service.expect_facts(&person.id, &facts).await;
    for id in ids.iter().filter(|id| **id != person.id) {
        assert!(service.facts_of(id).is_empty(), "a placeholder has no facts");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_key_registers_once(backend: Backend) {
    let service = Service::new(backend).await;
    let keyed = |request: pb::CreateUserRequest| {
        let mut request = Request::new(request);
        request.metadata_mut().insert("idempotency-key", "first-try".parse().unwrap());
        request
    };
    let good = || registration("ana@example.org", "client");
    let answers = join_all((0..8).map(|_| {
        let mut users = service.users.clone();
        async move { users.create_user(keyed(good())).await }
    }))
    .await;
    let first = answers[0].as_ref().unwrap().get_ref().clone();
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap().get_ref() == first));
    let person = service.login("ana@example.org", PASSWORD).await.unwrap();
    assert_eq!(person.id, first.user.clone().unwrap().id);

    // The key is not bound to the password: what it is bound to is stored under a fast hash.
    let other = pb::CreateUserRequest { password: "another password".into(), ..good() };
    let replayed = service.users.clone().create_user(keyed(other)).await.unwrap();
    assert_eq!(*replayed.get_ref(), first);
    assert!(service.login("ana@example.org", "another password").await.is_err());

    let other = pb::CreateUserRequest { name: "Bob".into(), ..good() };
    let refused = service.users.clone().create_user(keyed(other)).await;
    assert_refused(refused, Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_installation_may_tell_that_an_address_is_registered(backend: Backend) {
    let settings = [("user.refuse_registered_email", "true")];
    let service = Service::configured(backend, &settings).await;
    let keyed = |key: &str, email: &str| {
        let mut request = Request::new(registration(email, "client"));
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
        request
    };
    let mut users = service.users.clone();
    let first = users.create_user(keyed("a", "ana@example.org")).await.unwrap().into_inner();
    let repeated = users.create_user(keyed("a", "ana@example.org")).await.unwrap().into_inner();
    assert_eq!(repeated, first, "the same call gets the same answer");
    for (key, email) in
        [("b", "ana@example.org"), ("c", " ANA@example.org"), ("b", "ana@example.org")]
    {
        let refused = users.create_user(keyed(key, email)).await.unwrap_err();
        assert_eq!(refused.message(), "Email already registered");
        assert_refused::<()>(Err(refused), Code::FailedPrecondition, "EMAIL_REGISTERED");
    }
    let id = first.user.unwrap().id;
    service.expect_facts(&id, &["user.registered", "user.contact_verification_requested"]).await;
    assert_eq!(service.login("ana@example.org", PASSWORD).await.unwrap().id, id);
}
