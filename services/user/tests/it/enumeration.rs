//! Nobody learns from an answer whether an address has an account.

use crate::world::{PASSWORD, Service, assert_refused, login, registration};
use chrono::Duration;
use kit::testing::{Backend, acting_as};
use prost::Message;
use proto::{google::api::HttpBody, quickserve::user::v1 as pb};
use tonic::{Code, Status};
use yare::parameterized;

/// All that a client sees of a refusal.
fn bytes(status: &Status) -> (Code, String, Vec<u8>, String) {
    let headers = format!("{:?}", status.metadata());
    (status.code(), status.message().to_owned(), status.details().to_vec(), headers)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_taken_address_answers_like_a_free_one(backend: Backend) {
    let service = Service::new(backend).await;
    let first = service.join("ana@example.org", "client").await;
    let free = service.register("free@example.org", "client").await.unwrap();
    let other = pb::CreateUserRequest {
        password: "another good password".into(),
        ..registration("ana@example.org", "client")
    };
    let answer = service.users.clone().create_user(other).await.unwrap();
    let taken = answer.into_inner().user.unwrap();
    let same = pb::User { id: free.id.clone(), email: free.email.clone(), ..taken.clone() };
    assert_eq!(same, free);
    assert_eq!(taken.id.len(), free.id.len());
    assert_ne!(taken.id, first.id);

    // Also the way on, by the id that was answered, tells nothing.
    let seen = service.see(&first, &taken.id).await.unwrap();
    let expected = service.see(&first, &free.id).await.unwrap();
    assert_eq!(pb::User { id: free.id.clone(), ..seen }, expected);

    // The account is what it was; the placeholder opens nothing, and goes away.
    service.login("ana@example.org", PASSWORD).await.unwrap();
    let refused = service.login("ana@example.org", "another good password").await;
    assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_INVALID");
    let contact = pb::GetContactRequest { user_id: taken.id.clone() };
    let contact = service.accounts.clone().get_contact(contact).await;
    assert_refused(contact, Code::NotFound, "USER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_owner_is_told_of_repetitions_once_an_hour_and_placeholders_go_away(backend: Backend) {
    let service = Service::new(backend).await;
    let owner = service.join("ana@example.org", "client").await;
    let operator = service.operator().await;
    let mut kinds = vec!["user.registered", "user.contact_verification_requested"];
    service.register("ana@example.org", "client").await.unwrap();
    let placeholder = service.register("ana@example.org", "client").await.unwrap();
    kinds.push("user.registration_repeated");
    service.expect_facts(&owner.id, &kinds).await;
    service.world.clock.advance(Duration::hours(1));
    service.register("ana@example.org", "client").await.unwrap();
    kinds.push("user.registration_repeated");
    service.expect_facts(&owner.id, &kinds).await;

    service.world.clock.advance(Duration::days(31));
    kit::testing::eventually(
        "the sweep",
        async || {
            let gone = service.suspend(&operator, &placeholder.id).await.unwrap_err();
            gone.code()
        },
        |seen| *seen == Code::NotFound,
    )
    .await;
    service.login("ana@example.org", PASSWORD).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_refused_sign_in_has_the_same_bytes(backend: Backend) {
    let service = Service::new(backend).await;
    let operator = service.operator().await;
    service.join("wrong@example.org", "client").await;
    let suspended = service.join("suspended@example.org", "client").await;
    let erased = service.join("erased@example.org", "client").await;
    service.suspend(&operator, &suspended.id).await.unwrap();
    let mut users = service.users.clone();
    acting_as(erased.subject, users.erase_me(pb::EraseMeRequest {})).await.unwrap();

    let mut answers = Vec::new();
    for (email, password) in [
        ("absent@example.org", PASSWORD),
        ("wrong@example.org", "not the password"),
        ("suspended@example.org", PASSWORD),
        ("erased@example.org", PASSWORD),
    ] {
        let refused = service.auth.clone().login(login(email, password)).await.unwrap_err();
        let form = format!("username={email}&password={password}");
        let oauth = token(&service, &form).await.unwrap_err();
        answers.push((bytes(&refused), bytes(&oauth)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0.0, Code::Unauthenticated);
}

async fn token(service: &Service, form: &str) -> Result<pb::IssueTokenResponse, Status> {
    let form = HttpBody {
        content_type: "application/x-www-form-urlencoded".to_owned(),
        data: form.as_bytes().to_vec(),
        extensions: Vec::new(),
    };
    let request = pb::IssueTokenRequest { form: Some(form) };
    Ok(service.auth.clone().issue_token(request).await?.into_inner())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn requests_for_mail_answer_the_same_for_any_address(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let mut answers = Vec::new();
    for email in ["ana@example.org", "absent@example.org"] {
        let email = email.to_owned();
        let mut auth = service.auth.clone();
        let reset = pb::RequestPasswordResetRequest { email: email.clone() };
        let reset = auth.request_password_reset(reset).await.unwrap();
        let resend = auth.resend_verification(pb::ResendVerificationRequest { email });
        let resend = resend.await.unwrap();
        answers.push((
            reset.get_ref().encode_to_vec(),
            format!("{:?}", reset.metadata()),
            resend.get_ref().encode_to_vec(),
            format!("{:?}", resend.metadata()),
        ));
    }
    assert_eq!(answers[0], answers[1]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn where_addresses_must_be_proven_a_new_account_signs_in_no_more_than_a_taken_one(
    backend: Backend,
) {
    let service =
        Service::configured(backend, &[("user.login_requires_verified_email", "true")]).await;
    let user = service.register("ana@example.org", "client").await.unwrap();
    let unproven = service.login("ana@example.org", PASSWORD).await.err().unwrap();
    let absent = service.login("absent@example.org", PASSWORD).await.err().unwrap();
    assert_eq!(bytes(&unproven), bytes(&absent));
    let code = service.code(&user.id, pb::ContactPurpose::Verification).await.unwrap();
    service.auth.clone().verify_contact(pb::VerifyContactRequest { code }).await.unwrap();
    service.login("ana@example.org", PASSWORD).await.unwrap();
}
