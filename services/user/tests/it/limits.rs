//! Who guesses waits, and nobody else.

use crate::world::{PASSWORD, Service, assert_refused, from, login, registration};
use chrono::Duration;
use futures::future::join_all;
use kit::rpc::error::reason_of;
use kit::testing::{Backend, eventually};
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
    answer.as_ref().is_err_and(|status| reason_of(status) == "TOO_MANY_ATTEMPTS")
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_guesses_a_password_waits_longer_each_time(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    try_login(&service, HOME, "ana@example.org", PASSWORD).await.unwrap();
    let wrong = async || try_login(&service, STRANGER, "ana@example.org", "wrong guess").await;
    for _ in 0..6 {
        assert_refused(wrong().await, Code::Unauthenticated, "CREDENTIALS_INVALID");
    }
    for seconds in [30, 60, 120, 240] {
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
    // The owner never waits where they have signed in before; and the stranger does not forever.
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
    let is_verified = |answer: &&Result<_, Status>| {
        answer.as_ref().is_err_and(|status| reason_of(status) == "CREDENTIALS_INVALID")
    };
    let verified = answers.iter().filter(is_verified).count();
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

/// An address in a network of its own.
fn network(number: usize) -> String {
    format!("2001:db8:0:{number:x}::1")
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn many_networks_together_guess_no_more_than_one(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    try_login(&service, HOME, "ana@example.org", PASSWORD).await.unwrap();
    let mut verified = 0;
    // Every half minute for a quarter of an hour, from each of 40 networks.
    for _ in 0..30 {
        for number in 0..40 {
            let guess = try_login(&service, &network(number), "ana@example.org", "guess").await;
            verified += usize::from(!is_throttled(&guess));
        }
        let home = try_login(&service, HOME, "ana@example.org", PASSWORD).await;
        assert!(home.is_ok(), "the owner is not locked out: {home:?}");
        service.world.clock.advance(Duration::seconds(30));
    }
    assert_eq!(verified, 10);
    // A known client that guesses has no more, and the guesses elsewhere do not count with its own.
    let mut verified = 0;
    for _ in 0..30 {
        let guess = try_login(&service, HOME, "ana@example.org", "guess").await;
        verified += usize::from(!is_throttled(&guess));
        service.world.clock.advance(Duration::seconds(30));
    }
    assert_eq!(verified, 10);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_reads_the_mailbox_is_known_again(backend: Backend) {
    let service = Service::new(backend).await;
    let ana = service.register("ana@example.org", "client").await.unwrap();
    for number in 0..40 {
        let _ = try_login(&service, &network(number), "ana@example.org", "guess").await;
    }
    let sign_in =
        async |password: &str| try_login(&service, HOME, "ana@example.org", password).await;
    assert!(is_throttled(&sign_in(PASSWORD).await), "a new device cannot be told from strangers");
    let request = pb::RequestPasswordResetRequest { email: "ana@example.org".to_owned() };
    service.auth.clone().request_password_reset(from(HOME, request)).await.unwrap();
    let code = async || service.code(&ana.id, pb::ContactPurpose::PasswordReset).await;
    let code = eventually("the code is asked for", code, Result::is_ok).await.unwrap();
    let password = "another good password".to_owned();
    let request = pb::ConfirmPasswordResetRequest { code, password: password.clone() };
    service.auth.clone().confirm_password_reset(from(HOME, request)).await.unwrap();
    sign_in(&password).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_client_is_known_for_a_while_only(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    try_login(&service, HOME, "ana@example.org", PASSWORD).await.unwrap();
    let guess_elsewhere = async || {
        for number in 0..40 {
            let _ = try_login(&service, &network(number), "ana@example.org", "guess").await;
        }
    };
    let sign_in = async || try_login(&service, HOME, "ana@example.org", PASSWORD).await;
    service.world.clock.advance(Duration::days(89));
    guess_elsewhere().await;
    assert!(!is_throttled(&sign_in().await));
    service.world.clock.advance(Duration::days(91));
    guess_elsewhere().await;
    assert!(is_throttled(&sign_in().await));
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
