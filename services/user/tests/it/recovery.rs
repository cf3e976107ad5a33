//! Proving an address and setting a new password.

use crate::world::{PASSWORD, Service, assert_names, assert_refused};
use chrono::Duration;
use futures::future::join_all;
use kit::testing::Backend;
use proto::quickserve::user::v1::{self as pb, ContactPurpose};
use tonic::{Code, Status};
use yare::parameterized;

const NEW: &str = "a better password";
const JOINED: [&str; 2] = ["user.registered", "user.contact_verification_requested"];

async fn verify(service: &Service, code: &str) -> Result<(), Status> {
    let request = pb::VerifyContactRequest { code: code.to_owned() };
    service.auth.clone().verify_contact(request).await.map(drop)
}

async fn ask_reset(service: &Service, email: &str) {
    let request = pb::RequestPasswordResetRequest { email: email.to_owned() };
    service.auth.clone().request_password_reset(request).await.unwrap();
}

async fn reset(service: &Service, code: &str, password: &str) -> Result<(), Status> {
    let (code, password) = (code.to_owned(), password.to_owned());
    let request = pb::ConfirmPasswordResetRequest { code, password };
    service.auth.clone().confirm_password_reset(request).await.map(drop)
}

/// Waits until requests for mail so far are worked off: they are in the order in which they came, and the one that
/// comes now, for somebody new, leaves a fact.
async fn worked_off(service: &Service, email: &str) {
    let other = service.register(email, "client").await.unwrap();
    ask_reset(service, email).await;
    let facts = [JOINED[0], JOINED[1], "user.password_reset_requested"];
    service.expect_facts(&other.id, &facts).await;
}

#[track_caller]
fn assert_bad_code(answer: Result<(), Status>) {
    assert_refused(answer, Code::FailedPrecondition, "CODE_INVALID");
}

/// The code with another last letter: it finds its row, and is wrong.
fn mistyped(code: &str) -> String {
    let (start, last) = code.split_at(code.len() - 1);
    format!("{start}{}", if last == "7" { "8" } else { "7" })
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_proves_an_address_once(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let first = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    let code = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    assert_bad_code(verify(&service, &first).await);
    assert_bad_code(reset(&service, &code, NEW).await);
    assert!(service.me(&person).await.unwrap().email_verified_at.is_none());

    let tries = join_all((0..5).map(|_| verify(&service, &code))).await;
    assert_eq!(tries.iter().filter(|it| it.is_ok()).count(), 1, "{tries:?}");
    let me = service.me(&person).await.unwrap();
    assert!(me.email_verified_at.is_some());
    assert_eq!(me.version, 2);
    let facts = [JOINED[0], JOINED[1], "user.contact_verified"];
    service.expect_facts(&person.id, &facts).await;
    let again = service.code(&person.id, ContactPurpose::Verification).await;
    assert_refused(again, Code::FailedPrecondition, "CODE_NOT_REQUESTED");
    assert!(!service.all_facts().windows(5).any(|part| code.as_bytes().starts_with(part)));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_is_guessed_at_five_times_at_most(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let code = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    let guesses = join_all((0..5).map(|_| async {
        assert_bad_code(verify(&service, &mistyped(&code)).await);
    }));
    guesses.await;
    assert_bad_code(verify(&service, &code).await);
    for text in ["x", "AAAAA-AAAAA-AAAAA-AAAAA", "ééééé"] {
        assert_bad_code(verify(&service, text).await);
    }
    assert_names(verify(&service, "").await, "code");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_expires_and_another_is_mailed_at_most_once_a_minute(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let code = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    let resend = async || {
        let request = pb::ResendVerificationRequest { email: " ANA@example.org".to_owned() };
        service.auth.clone().resend_verification(request).await.unwrap();
    };
    resend().await;
    worked_off(&service, "bob@example.org").await;
    service.world.clock.advance(Duration::hours(24));
    assert_bad_code(verify(&service, &code).await);
    let late = service.code(&person.id, ContactPurpose::Verification).await;
    assert_refused(late, Code::FailedPrecondition, "CODE_NOT_REQUESTED");

    let mut facts = JOINED.to_vec();
    for _ in 0..3 {
        resend().await;
    }
    facts.push("user.contact_verification_requested");
    service.expect_facts(&person.id, &facts).await;
    let code = service.code(&person.id, ContactPurpose::Verification).await.unwrap();
    verify(&service, &code).await.unwrap();

    // An address that is proven needs no code; what was asked before is worked off first.
    service.world.clock.advance(Duration::minutes(2));
    resend().await;
    ask_reset(&service, "ana@example.org").await;
    facts.extend(["user.contact_verified", "user.password_reset_requested"]);
    service.expect_facts(&person.id, &facts).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_reset_sets_a_new_password_and_ends_every_session(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let none = service.code(&person.id, ContactPurpose::PasswordReset).await;
    assert_refused(none, Code::FailedPrecondition, "CODE_NOT_REQUESTED");
    ask_reset(&service, "ana@example.org").await;
    let facts = [JOINED[0], JOINED[1], "user.password_reset_requested"];
    service.expect_facts(&person.id, &facts).await;
    let code = service.code(&person.id, ContactPurpose::PasswordReset).await.unwrap();

    assert_names(reset(&service, &code, "short").await, "password");
    assert_names(reset(&service, &code, "password123").await, "password");
    assert_bad_code(verify(&service, &code).await);
    reset(&service, &code.to_lowercase(), NEW).await.unwrap();
    assert_bad_code(reset(&service, &code, "a third password").await);

    let refused = service.login("ana@example.org", PASSWORD).await;
    assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_INVALID");
    let ended = service.refresh(&person).await;
    assert_refused(ended, Code::Unauthenticated, "REFRESH_TOKEN_INVALID");
    let person = service.login("ana@example.org", NEW).await.unwrap();
    assert!(service.me(&person).await.unwrap().email_verified_at.is_some());
    let facts = [facts[0], facts[1], facts[2], "user.password_changed"];
    service.expect_facts(&person.id, &facts).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_reset_code_lives_half_an_hour_and_parallel_uses_set_one_password(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    ask_reset(&service, "ana@example.org").await;
    let asked = [JOINED[0], JOINED[1], "user.password_reset_requested"];
    service.expect_facts(&person.id, &asked).await;
    let code = service.code(&person.id, ContactPurpose::PasswordReset).await.unwrap();
    service.world.clock.advance(Duration::minutes(30));
    assert_bad_code(reset(&service, &code, NEW).await);

    let code = service.code(&person.id, ContactPurpose::PasswordReset).await.unwrap();
    let passwords: Vec<_> = (0..4).map(|n| format!("a better password {n}")).collect();
    let tries = passwords.iter().map(|password| reset(&service, &code, password));
    let tries = join_all(tries).await;
    assert_eq!(tries.iter().filter(|it| it.is_ok()).count(), 1, "{tries:?}");
    let winner = tries.iter().position(Result::is_ok).unwrap();
    service.login("ana@example.org", &passwords[winner]).await.unwrap();
}
