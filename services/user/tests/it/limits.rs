//! Who guesses waits, and nobody else.

use crate::world::{PASSWORD, Service, assert_refused, from, login, registration};
use chrono::Duration;
use futures::future::join_all;
use kit::rpc::error::reason;
use kit::testing::Backend;
use proto::quickserve::user::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use yare::parameterized;

const HOME: &str = "192.0.2.1";
const STRANGER: &str = "198.51.100.9";

async fn try_login(
    service: &Service,
    address: &str,
    email: &str,
    password: &str,
) -> Result<pb::LoginResponse, Status> {
    let request = from(address, login(email, password));
    Ok(service.auth.clone().login(request).await?.into_inner())
}

fn is_throttled<T>(answer: &Result<T, Status>) -> bool {
    answer.as_ref().is_err_and(|status| reason(status) == "TOO_MANY_ATTEMPTS")
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_guesses_a_password_waits_longer_each_time(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let wrong = async || try_login(&service, STRANGER, "ana@example.org", "wrong guess").await;
    for _ in 0..6 {
        assert_refused(wrong().await, Code::Unauthenticated, "CREDENTIALS_INVALID");
    }
    for seconds in [1, 2, 4, 8] {
        let refused = wrong().await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let retry = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(retry.as_secs(), seconds);
        // Not even the right password is looked at before the wait is over.
        let right = try_login(&service, STRANGER, "ana@example.org", PASSWORD).await;
        assert!(is_throttled(&right));
        service.world.clock.advance(Duration::seconds(i64::try_from(seconds).unwrap()));
        assert_refused(wrong().await, Code::Unauthenticated, "CREDENTIALS_INVALID");
    }
    // The owner, elsewhere, never waits; and the stranger does not forever.
    try_login(&service, HOME, "ana@example.org", PASSWORD).await.unwrap();
    service.world.clock.advance(Duration::minutes(15));
    try_login(&service, STRANGER, "ana@example.org", PASSWORD).await.unwrap();
    for _ in 0..6 {
        assert!(!is_throttled(&wrong().await), "a success forgives what was before it");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_absent_account_is_throttled_like_any_other(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let mut answers = Vec::new();
    for email in ["ana@example.org", "absent@example.org"] {
        let mut codes = Vec::new();
        for _ in 0..8 {
            let refused = try_login(&service, STRANGER, email, "wrong guess").await;
            let refused = refused.unwrap_err();
            codes.push((refused.code(), refused.message().to_owned()));
        }
        answers.push(codes);
    }
    assert_eq!(answers[0], answers[1]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parallel_guesses_are_counted_before_they_are_made(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let guesses = (0..200).map(|n| {
        let service = &service;
        async move { try_login(service, STRANGER, "ana@example.org", &format!("guess {n}")).await }
    });
    let answers = join_all(guesses).await;
    let verified = answers.iter().filter(|answer| !is_throttled(answer)).count();
    assert_eq!(verified, 6);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_client_that_tries_many_accounts_and_codes_waits_too(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let guess_code = async || {
        let code = pb::VerifyContactRequest { code: "AAAAA-AAAAA-AAAAA-AAAAA".into() };
        service.auth.clone().verify_contact(from(STRANGER, code)).await
    };
    for n in 0..35 {
        assert_refused(guess_code().await, Code::FailedPrecondition, "CODE_INVALID");
        if n % 7 == 0 {
            let email = format!("somebody{n}@example.org");
            let refused = try_login(&service, STRANGER, &email, "wrong guess").await;
            assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_INVALID");
        }
    }
    assert_refused(guess_code().await, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
    let refused = try_login(&service, STRANGER, "ana@example.org", PASSWORD).await;
    assert_refused(refused, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
    try_login(&service, HOME, "ana@example.org", PASSWORD).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn mail_and_registrations_are_limited_for_each_client(backend: Backend) {
    let service = Service::configured(backend, &[("user.registrations_free", "2")]).await;
    for n in 0..45 {
        let email = format!("somebody{n}@example.org");
        let request = pb::RequestPasswordResetRequest { email };
        let mut auth = service.auth.clone();
        let answer = auth.request_password_reset(from(STRANGER, request)).await;
        assert_eq!(is_throttled(&answer), n >= 40, "{n}");
    }
    for (n, address) in [STRANGER, STRANGER, STRANGER, HOME].into_iter().enumerate() {
        let request = registration(&format!("ana{n}@example.org"), "client");
        let answer = service.users.clone().create_user(from(address, request)).await;
        assert_eq!(is_throttled(&answer), n == 2, "{n}");
    }
}
