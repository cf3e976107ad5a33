//! Who may call: what the contract says is what the service does.

use crate::world::{Service, assert_refused, login, stranger};
use kit::testing::{Backend, acting_as};
use proto::quickserve::user::v1::{
    self as pb, account_service_client::AccountServiceClient as Accounts,
};
use tonic::Code;
use yare::parameterized;

/// Asks for a contact as the service `caller`.
async fn contact_as(
    service: &Service,
    caller: &'static str,
    id: &str,
) -> Result<(), tonic::Status> {
    let mut accounts = Accounts::new(service.world.host.of(caller).channel("user"));
    let request = pb::GetContactRequest { user_id: id.to_owned() };
    accounts.get_contact(request).await.map(drop)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_notification_asks_for_contacts_and_codes(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let request = pb::GetContactRequest { user_id: person.id.clone() };
    let contact = service.accounts.clone().get_contact(request).await.unwrap().into_inner();
    assert_eq!(contact.email, "ana@example.org");
    assert_eq!((contact.locale.as_str(), contact.time_zone.as_str()), ("fr", "Europe/Paris"));
    for other in ["order", "payment"] {
        let denied = contact_as(&service, other, &person.id).await;
        assert_refused(denied, Code::PermissionDenied, "PERMISSION_DENIED");
    }
    let mut accounts = Accounts::new(service.world.outside("user"));
    let request = pb::IssueContactCodeRequest {
        user_id: person.id.clone(),
        purpose: pb::ContactPurpose::Verification.into(),
    };
    let denied = acting_as(person.subject, accounts.issue_contact_code(request)).await;
    assert_refused(denied, Code::PermissionDenied, "PERMISSION_DENIED");
    let absent = contact_as(&service, "notification", &stranger().user_id.to_string()).await;
    assert_refused(absent, Code::NotFound, "USER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn anonymous_callers_and_plain_accounts_are_kept_out(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let mut users = service.users.clone();
    let nobody = users.get_me(pb::GetMeRequest {}).await;
    assert_refused(nobody, Code::Unauthenticated, "UNAUTHENTICATED");
    let request = pb::GetUserRequest { user_id: person.id.clone() };
    assert_refused(users.get_user(request).await, Code::Unauthenticated, "UNAUTHENTICATED");
    let suspend = service.suspend(&person, &person.id).await;
    assert_refused(suspend, Code::PermissionDenied, "PERMISSION_DENIED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn messages_hide_their_secrets(backend: Backend) {
    let request = login("ana@example.org", "hunter2hunter2");
    let printed = format!("{request:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("ana@"), "{printed}");
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let me = format!("{:?}", service.me(&person).await.unwrap());
    assert!(!me.contains("ana@") && !me.contains("Ana"), "{me}");
}
