//! Codes of adults: what is answered as done is done, and a repeated call is answered as the first one.

use crate::fixture::{CODE, Hand, Nursery, new_id};
use kit::testing::{ActingAs, Backend, refusal};
use proto::quickserve::child_assistance::v1::{self as pb, GuardianRight};
use tonic::Status;
use yare::parameterized;

fn adult_request(child: &str, id: &str, code: &str) -> pb::CreateAuthorizedAdultRequest {
    pb::CreateAuthorizedAdultRequest {
        child_id: child.to_owned(),
        id: id.to_owned(),
        profile: Some(pb::AdultProfile { name: "Bob".into(), ..Default::default() }),
        code: code.to_owned(),
        ..Default::default()
    }
}

async fn set_by_link(nursery: &Nursery, id: &str, code: &str, token: &str) -> Result<(), Status> {
    let (adult_id, token) = (id.to_owned(), token.to_owned());
    let request = pb::SetAdultCodeRequest { adult_id, code: code.to_owned(), token };
    nursery.families().set_adult_code(request).await.map(|_| ())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_that_comes_with_the_second_call_is_set(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let told = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let id = new_id();
    let create = async |code: &str, by| {
        let request = adult_request(&family.lou, &id, code);
        let answer = nursery.families().create_authorized_adult(request).by(by).await;
        answer.map(|answer| answer.into_inner().link_token)
    };
    let link = create("", family.parent).await.unwrap();
    assert!(!link.is_empty());
    assert_eq!(create("16180339", family.parent).await.unwrap(), "", "a code was given");
    assert_eq!(create("16180339", family.parent).await.unwrap(), "");
    assert_eq!(refusal(create("00000000", family.parent).await), "ADULT_EXISTS");
    assert_eq!(refusal(create("16180339", told).await), "GUARDIAN_RIGHT");
    let by_link = set_by_link(&nursery, &id, CODE, &link).await;
    assert_eq!(refusal(by_link), "ADULT_NOT_FOUND", "the link has ended");
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &id, 1)).await.unwrap();
    nursery.check_out(&order, Hand::over(&family.lou, &id, 2).code("16180339")).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_that_was_set_by_a_link_is_answered_again(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let id = new_id();
    let request = adult_request(&family.lou, &id, "");
    let made = nursery.families().create_authorized_adult(request).by(family.parent).await;
    let link = made.unwrap().into_inner().link_token;
    set_by_link(&nursery, &id, CODE, &link).await.unwrap();
    set_by_link(&nursery, &id, CODE, &link).await.unwrap();
    let other = set_by_link(&nursery, &id, "16180339", &link).await;
    assert_eq!(refusal(other), "ADULT_NOT_FOUND", "the link sets a code once");
    nursery.revoke(&id, family.parent).await.unwrap();
    assert_eq!(refusal(set_by_link(&nursery, &id, CODE, &link).await), "ADULT_NOT_FOUND");
}
