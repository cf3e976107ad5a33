//! The caller's own account, what others see of it, and its end.

use crate::world::{PASSWORD, Person, Service, assert_names, assert_refused, stranger};
use kit::testing::{Backend, acting_as};
use proto::quickserve::user::v1 as pb;
use tonic::{Code, Status};
use yare::parameterized;

async fn update(
    service: &Service,
    person: &Person,
    changes: pb::UserChanges,
    paths: &[&str],
    version: i64,
) -> Result<pb::User, Status> {
    let paths = paths.iter().map(ToString::to_string).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = pb::UpdateMeRequest { changes: Some(changes), update_mask, version };
    let answer = acting_as(person.subject, service.users.clone().update_me(request)).await?;
    Ok(answer.into_inner().user.unwrap())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_owner_changes_what_the_mask_names(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let changes = |name: &str, phone: &str| pb::UserChanges {
        name: name.to_owned(),
        phone: phone.to_owned(),
        ..pb::UserChanges::default()
    };
    // Seen by others before, so that a kept copy would show.
    service.see(&person, &person.id).await.unwrap();
    let me = update(&service, &person, changes(" Bea ", "+33612345678"), &["name"], 1).await;
    let me = me.unwrap();
    assert_eq!((me.name.as_str(), me.phone.as_str(), me.version), ("Bea", "", 2));
    assert_eq!(service.see(&person, &person.id).await.unwrap(), me);
    assert_eq!(service.me(&person).await.unwrap(), me);

    let me = update(&service, &person, changes("", "+33612345678"), &[], 0).await.unwrap();
    assert_eq!((me.name.as_str(), me.phone.as_str(), me.version), ("Bea", "+33612345678", 3));
    let me = update(&service, &person, changes("", ""), &["phone"], 3).await.unwrap();
    assert_eq!((me.phone.as_str(), me.version), ("", 4));
    let same = update(&service, &person, changes("Bea", ""), &["name"], 4).await.unwrap();
    assert_eq!(same, me, "nothing changed, so neither does the version");

    let stale = update(&service, &person, changes("Cid", ""), &["name"], 3).await;
    assert_refused(stale, Code::Aborted, "VERSION_MISMATCH");
    for (changes, path, field) in [
        (changes("", ""), "name", "changes.name"),
        (changes("a", ""), "email", "update_mask"),
        (changes("a", ""), "roles", "update_mask"),
        (changes("a", "12"), "phone", "changes.phone"),
        (
            pb::UserChanges { time_zone: "Mars/Olympus".into(), ..changes("a", "") },
            "time_zone",
            "changes.time_zone",
        ),
    ] {
        assert_names(update(&service, &person, changes, &[path], 0).await, field);
    }
    assert_eq!(service.me(&person).await.unwrap(), me);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn parallel_changes_of_one_version_have_one_winner(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let names: Vec<String> = (0..10).map(|n| format!("Ana {n}")).collect();
    let tries = names.iter().map(|name| {
        let changes = pb::UserChanges { name: name.clone(), ..pb::UserChanges::default() };
        update(&service, &person, changes, &["name"], 1)
    });
    let tries = futures::future::join_all(tries).await;
    let winner = tries.iter().position(Result::is_ok).unwrap();
    for (_, answer) in tries.into_iter().enumerate().filter(|(index, _)| *index != winner) {
        assert_refused(answer, Code::Aborted, "VERSION_MISMATCH");
    }
    assert_eq!(service.me(&person).await.unwrap().name, names[winner]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn others_see_the_public_part_only(backend: Backend) {
    let service = Service::new(backend).await;
    let ana = service.join("ana@example.org", "client").await;
    let bob = service.join("bob@example.org", "prestataire").await;
    let operator = service.operator().await;
    let own = service.see(&ana, &ana.id).await.unwrap();
    assert_eq!(own.email, "ana@example.org");
    assert_eq!(service.see(&operator, &ana.id).await.unwrap(), own);
    for _ in 0..2 {
        let public = service.see(&bob, &ana.id).await.unwrap();
        let expected = pb::User {
            id: own.id.clone(),
            name: own.name.clone(),
            role: own.role.clone(),
            roles: own.roles.clone(),
            created_at: own.created_at,
            ..pb::User::default()
        };
        assert_eq!(public, expected);
    }
    let absent = service.see(&bob, "018f0000-0000-7000-8000-000000000000").await;
    assert_refused(absent, Code::NotFound, "USER_NOT_FOUND");
    assert_names(service.see(&bob, "1").await, "user_id");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_suspended_account_is_shut_out_until_it_is_reinstated(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let operator = service.operator().await;
    let suspended = service.suspend(&operator, &person.id).await.unwrap();
    assert_eq!(suspended.status(), pb::UserStatus::Suspended);
    assert_eq!(suspended.suspension_reason, "chargebacks");
    assert_eq!(service.suspend(&operator, &person.id).await.unwrap(), suspended);

    let login = service.login("ana@example.org", PASSWORD).await;
    assert_refused(login, Code::Unauthenticated, "CREDENTIALS_INVALID");
    let refresh = service.refresh(&person).await;
    assert_refused(refresh, Code::Unauthenticated, "REFRESH_TOKEN_INVALID");
    // An access token that has not expired opens nothing here, and soon nothing elsewhere.
    assert_refused(service.me(&person).await, Code::Unauthenticated, "SESSION_REVOKED");
    assert_eq!(service.revocations().await, [(person.id.clone(), String::new(), 2)]);
    let changes = pb::UserChanges { name: "x".into(), ..pb::UserChanges::default() };
    let change = update(&service, &person, changes, &["name"], 0).await;
    assert_refused(change, Code::Unauthenticated, "SESSION_REVOKED");

    let request = pb::ReinstateUserRequest { user_id: person.id.clone() };
    for _ in 0..2 {
        let request = request.clone();
        let mut users = service.users.clone();
        let answer = acting_as(operator.subject, users.reinstate_user(request)).await;
        let user = answer.unwrap().into_inner().user.unwrap();
        assert_eq!(user.status(), pb::UserStatus::Active);
        assert!(user.suspension_reason.is_empty());
    }
    let again = service.login("ana@example.org", PASSWORD).await.unwrap();
    assert_eq!(service.claims(&again.access).await.token_version, 2);
    let old = service.refresh(&person).await;
    assert_refused(old, Code::Unauthenticated, "REFRESH_TOKEN_INVALID");
    let facts = [
        "user.registered",
        "user.contact_verification_requested",
        "user.suspended",
        "user.reinstated",
    ];
    service.expect_facts(&person.id, &facts).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_account_keeps_nothing_personal(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let other = service.join("bob@example.org", "client").await;
    let operator = service.operator().await;
    service.see(&other, &person.id).await.unwrap();
    let mut users = service.users.clone();
    for _ in 0..2 {
        let erase = users.erase_me(pb::EraseMeRequest {});
        acting_as(person.subject, erase).await.unwrap();
    }
    let left = service.see(&operator, &person.id).await.unwrap();
    assert_eq!(left.status(), pb::UserStatus::Erased);
    let traces = format!("{}{}{}", left.name, left.email, left.phone);
    assert_eq!(traces, "—");
    assert_refused(service.see(&other, &person.id).await, Code::NotFound, "USER_NOT_FOUND");
    assert_refused(service.me(&person).await, Code::Unauthenticated, "SESSION_REVOKED");
    assert_eq!(service.revocations().await, [(person.id.clone(), String::new(), 2)]);
    let login = service.login("ana@example.org", PASSWORD).await;
    assert_refused(login, Code::Unauthenticated, "CREDENTIALS_INVALID");
    let refresh = service.refresh(&person).await;
    assert_refused(refresh, Code::Unauthenticated, "REFRESH_TOKEN_INVALID");
    let contact = pb::GetContactRequest { user_id: person.id.clone() };
    let contact = service.accounts.clone().get_contact(contact).await.unwrap().into_inner();
    assert!(contact.email.is_empty() && contact.phone.is_empty());
    let suspend = service.suspend(&operator, &person.id).await;
    assert_refused(suspend, Code::FailedPrecondition, "USER_STATE");
    let facts = ["user.registered", "user.contact_verification_requested", "user.erased"];
    service.expect_facts(&person.id, &facts).await;

    // The address is free again, for another account.
    let again = service.join("ana@example.org", "client").await;
    assert_ne!(again.id, person.id);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn answers_about_consent_are_kept_in_order(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let record = async |kind: &str, granted: bool| {
        service.world.clock.advance(chrono::Duration::seconds(1));
        let (kind, text_version) = (kind.to_owned(), "2027-01".to_owned());
        let request = pb::RecordConsentRequest { kind, text_version, granted };
        acting_as(person.subject, service.users.clone().record_consent(request)).await
    };
    for (kind, granted) in [("terms", true), ("marketing_email", true), ("marketing_email", false)]
    {
        let consent = record(kind, granted).await.unwrap().into_inner().consent.unwrap();
        assert_eq!((consent.kind.as_str(), consent.granted), (kind, granted));
    }
    assert_names(record("Not a kind", true).await, "kind");
    let list = async |page_token: String| {
        let request = pb::ListConsentsRequest { page_size: 2, page_token };
        let mut users = service.users.clone();
        acting_as(person.subject, users.list_consents(request)).await.unwrap().into_inner()
    };
    let first = list(String::new()).await;
    let seen: Vec<_> = first.consents.iter().map(|it| (it.kind.as_str(), it.granted)).collect();
    assert_eq!(seen, [("marketing_email", false), ("marketing_email", true)]);
    let rest = list(first.next_page_token).await;
    assert_eq!((rest.consents.len(), rest.next_page_token.as_str()), (1, ""));

    let mut users = service.users.clone();
    let request = pb::ListConsentsRequest::default();
    let others = acting_as(stranger(), users.list_consents(request)).await.unwrap();
    assert!(others.into_inner().consents.is_empty());
}
