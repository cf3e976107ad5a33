//! Tokens: their rotation, their races and their end.

use crate::world::{PASSWORD, Person, Service, assert_names, assert_refused};
use chrono::Duration;
use futures::future::join_all;
use kit::{
    Role,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
};
use proto::{google::api::HttpBody, quickserve::user::v1 as pb};
use std::collections::HashSet;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use yare::parameterized;

#[track_caller]
fn assert_ended(answer: Result<Person, Status>) {
    assert_refused(answer, Code::Unauthenticated, "REFRESH_TOKEN_INVALID");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_session_is_opened_and_renewed(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "prestataire").await;
    let claims = service.claims(&person.access).await;
    assert!(claims.subject.roles.has(Role::Provider));
    assert!(!claims.subject.roles.has(Role::Operator));
    assert_eq!(claims.token_version, 1);

    let mut latest = person.clone();
    let mut seen = HashSet::from([person.refresh.clone()]);
    for _ in 0..5 {
        service.world.clock.advance(Duration::days(10));
        latest = service.refresh(&latest).await.unwrap();
        assert_eq!(latest.subject, person.subject);
        assert!(seen.insert(latest.refresh.clone()), "a refresh token came twice");
    }
    // Sixty days after it was opened, a session ends however often it was used.
    service.world.clock.advance(Duration::days(10));
    assert_ended(service.refresh(&latest).await);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_session_that_is_not_used_ends(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    service.world.clock.advance(Duration::days(14) - Duration::seconds(1));
    let person = service.refresh(&person).await.unwrap();
    service.world.clock.advance(Duration::days(14));
    assert_ended(service.refresh(&person).await);
    for text in ["", "qsr_", "x", "qsr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let refused = service.refresh(&Person { refresh: text.into(), ..person.clone() }).await;
        if text.is_empty() {
            assert_names(refused, "refresh_token");
        } else {
            assert_ended(refused);
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn twenty_parallel_refreshes_keep_one_session(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let answers = join_all((0..20).map(|_| service.refresh(&person))).await;
    let answers: Vec<Person> = answers.into_iter().map(Result::unwrap).collect();
    let tokens: HashSet<_> = answers.iter().map(|it| it.refresh.clone()).collect();
    assert_eq!(tokens.len(), 1, "one successor");
    assert!(answers.iter().all(|it| it.subject == person.subject), "one session");

    // Late within the grace, too, and also once the successor has moved on.
    let next = service.refresh(&answers[0]).await.unwrap();
    service.world.clock.advance(Duration::seconds(9));
    assert_eq!(service.refresh(&person).await.unwrap().refresh, answers[0].refresh);
    assert_eq!(service.refresh(&answers[0]).await.unwrap().refresh, next.refresh);
    service.refresh(&next).await.unwrap();
    let facts = ["user.registered", "user.contact_verification_requested"];
    service.expect_facts(&person.id, &facts).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_token_that_comes_back_after_the_grace_ends_its_session_and_no_other(backend: Backend) {
    let service = Service::new(backend).await;
    let stolen = service.join("ana@example.org", "client").await;
    let elsewhere = service.login("ana@example.org", PASSWORD).await.unwrap();
    let current = service.refresh(&stolen).await.unwrap();
    service.world.clock.advance(Duration::seconds(10));
    let answers = join_all((0..10).map(|_| service.refresh(&stolen))).await;
    answers.into_iter().for_each(assert_ended);
    assert_ended(service.refresh(&current).await);
    service.refresh(&elsewhere).await.unwrap();
    let facts = ["user.registered", "user.contact_verification_requested", "user.session_reused"];
    service.expect_facts(&stolen.id, &facts).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn logout_ends_one_session_and_logout_all_ends_all(backend: Backend) {
    let service = Service::new(backend).await;
    let here = service.join("ana@example.org", "client").await;
    let there = service.login("ana@example.org", PASSWORD).await.unwrap();
    let third = service.login("ana@example.org", PASSWORD).await.unwrap();
    let other = service.join("bob@example.org", "client").await;
    let mut auth = service.auth.clone();
    for _ in 0..2 {
        acting_as(here.subject, auth.logout(pb::LogoutRequest {})).await.unwrap();
    }
    service.world.clock.advance(Duration::seconds(1));
    assert_ended(service.refresh(&here).await);
    let there = service.refresh(&there).await.unwrap();

    acting_as(there.subject, auth.logout_all(pb::LogoutAllRequest {})).await.unwrap();
    assert_ended(service.refresh(&there).await);
    assert_ended(service.refresh(&third).await);
    service.refresh(&other).await.unwrap();
    let again = service.login("ana@example.org", PASSWORD).await.unwrap();
    assert_eq!(service.claims(&again.access).await.token_version, 2);
    let session = here.subject.session_id.to_string();
    let expected = [(here.id.clone(), session, 1), (here.id.clone(), String::new(), 2)];
    assert_eq!(service.revocations().await, expected);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_form_of_oauth_issues_and_renews_tokens(backend: Backend) {
    let service = Service::new(backend).await;
    service.register("ana@example.org", "client").await.unwrap();
    let ask = async |content_type: &str, form: String| {
        let data = form.into_bytes();
        let content_type = content_type.to_owned();
        let form = HttpBody { content_type, data, extensions: Vec::new() };
        let request = pb::IssueTokenRequest { form: Some(form) };
        service.auth.clone().issue_token(request).await
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    let form = "username=Ana%40example.org&password=correct+horse+battery&scope=".to_owned();
    let answer = ask(FORM, form.clone()).await.unwrap();
    assert_eq!(answer.metadata().get("cache-control").unwrap(), "no-store");
    let answer = answer.into_inner();
    assert_eq!((answer.token_type.as_str(), answer.expires_in), ("bearer", 600));
    service.claims(&answer.access_token).await;

    let refresh = format!("grant_type=refresh_token&refresh_token={}", answer.refresh_token);
    let next = ask(FORM, refresh).await.unwrap().into_inner();
    assert_ne!(next.refresh_token, answer.refresh_token);

    for bad in ["username=ana@example.org&password=wrong", "username=nobody&password=wrong"] {
        let refused = ask(FORM, bad.to_owned()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert_eq!(reason_of(&refused), "CREDENTIALS_INVALID");
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata.get("error").unwrap(), "invalid_grant");
    }
    assert_names(ask("application/json", form.clone()).await, "form");
    assert_names(ask(FORM, format!("{form}&username=bob")).await, "form");
    assert_names(ask(FORM, "grant_type=magic".to_owned()).await, "form.grant_type");
    assert_names(ask(FORM, "username=ana@example.org".to_owned()).await, "form.password");
}
