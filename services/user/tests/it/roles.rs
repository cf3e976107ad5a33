//! Roles are a set that grows, and some operator can always sign in.

use crate::world::{PASSWORD, Person, Service, assert_names, assert_refused};
use futures::future::join_all;
use kit::{
    Role,
    testing::{Backend, acting_as},
};
use proto::quickserve::user::v1 as pb;
use tonic::{Code, Status};
use yare::parameterized;

async fn add_role(service: &Service, person: &Person, role: &str) -> Result<pb::User, Status> {
    let request = pb::AddRoleRequest { role: role.to_owned() };
    let answer = acting_as(person.subject, service.users.clone().add_role(request)).await?;
    Ok(answer.into_inner().user.unwrap())
}

/// Makes another operator and signs them in.
async fn another_operator(service: &Service, email: &str) -> Person {
    user::create_operator(&service.host, email, "Otto", PASSWORD).await.unwrap();
    service.login(email, PASSWORD).await.unwrap()
}

async fn erase(service: &Service, person: &Person) -> Result<(), Status> {
    let mut users = service.users.clone();
    acting_as(person.subject, users.erase_me(pb::EraseMeRequest {})).await.map(drop)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_becomes_a_customer_too_and_tokens_carry_both(backend: Backend) {
    let service = Service::new(backend).await;
    for (first, words, second) in [
        ("provider", ["client", "customer"], Role::Customer),
        ("customer", ["prestataire", "provider"], Role::Provider),
    ] {
        let person = service.join(&format!("{first}@example.org"), first).await;
        assert!(!person.subject.roles.has(second));
        for word in words {
            let user = add_role(&service, &person, word).await.unwrap();
            assert_eq!(user.roles, ["customer", "provider"]);
            assert_eq!((user.role.as_str(), user.version), (first, 2), "added once");
        }
        assert_eq!(service.me(&person).await.unwrap().roles, ["customer", "provider"]);
        let refreshed = service.refresh(&person).await.unwrap();
        let again = service.login(&person.email, PASSWORD).await.unwrap();
        for person in [refreshed, again] {
            assert!(Role::ALL[..2].iter().all(|role| person.subject.roles.has(*role)));
            assert!(!person.subject.roles.has(Role::Operator));
        }
        for word in ["operator", "", "admin"] {
            assert_names(add_role(&service, &person, word).await, "role");
        }
    }
    let operator = service.operator().await;
    let refused = add_role(&service, &operator, "customer").await;
    assert_refused(refused, Code::FailedPrecondition, "OPERATOR_ROLE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn operators_suspend_each_other_but_never_themselves_nor_the_last_one(backend: Backend) {
    let service = Service::new(backend).await;
    let olga = service.operator().await;
    let suspended = service.suspend(&olga, &olga.id).await;
    assert_refused(suspended, Code::FailedPrecondition, "SELF_SUSPENSION");
    assert_refused(erase(&service, &olga).await, Code::FailedPrecondition, "LAST_OPERATOR");
    assert_eq!(service.me(&olga).await.unwrap().status(), pb::UserStatus::Active);

    let otto = another_operator(&service, "otto@example.org").await;
    service.suspend(&olga, &otto.id).await.unwrap();
    // Otto's access token is good for a moment: it must not shut the last one out.
    let last = service.suspend(&otto, &olga.id).await;
    assert_refused(last, Code::FailedPrecondition, "LAST_OPERATOR");
    // A suspended operator is none of those who keep the doors open.
    erase(&service, &otto).await.unwrap();
    assert_refused(erase(&service, &olga).await, Code::FailedPrecondition, "LAST_OPERATOR");
    another_operator(&service, "oda@example.org").await;
    erase(&service, &olga).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn operators_who_suspend_each_other_at_once_leave_one(backend: Backend) {
    let service = Service::new(backend).await;
    let mut operators = vec![service.operator().await];
    for n in 0..3 {
        operators.push(another_operator(&service, &format!("o{n}@example.org")).await);
    }
    let pairs = operators.iter().flat_map(|by| operators.iter().map(move |whom| (by, whom)));
    let all = pairs.filter(|(by, whom)| by.id != whom.id);
    let answers = join_all(all.map(|(by, whom)| service.suspend(by, &whom.id))).await;
    let refused: Vec<Status> = answers.into_iter().filter_map(Result::err).collect();
    assert!(refused.iter().all(|it| it.code() == Code::FailedPrecondition), "{refused:?}");
    let mut active = 0;
    for operator in &operators {
        active += usize::from(service.login(&operator.email, PASSWORD).await.is_ok());
    }
    assert_eq!(active, 1);
}
