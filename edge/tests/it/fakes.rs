//! Services that answer at once and remember what they saw.

use futures::{StreamExt as _, stream::BoxStream};
use kit::{Caller, Host, Routes, caller};
use proto::quickserve::{
    notification::v1::{self as notification, notification_service_server as inbox},
    user::v1::{self as user, account_service_server as accounts, user_service_server as users},
};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// Account whose reads never end.
pub const SLOW: &str = "00000000-0000-4000-8000-000000000001";
/// Account whose reads panic at the service.
pub const BROKEN: &str = "00000000-0000-4000-8000-000000000002";
/// Account that does not exist.
pub const ABSENT: &str = "00000000-0000-4000-8000-000000000003";

/// What the services saw last, and what they shall answer.
#[derive(Clone, Default)]
pub struct Fakes(Arc<State>);

#[derive(Default)]
struct State {
    seen: Mutex<Option<(Caller, MetadataMap)>>,
    revocations: Mutex<Vec<user::Revocation>>,
    /// Lets an open inbox end.
    close: Notify,
}

impl Fakes {
    /// Puts the services into the process of `host`.
    pub fn install(&self, host: &Host) {
        let users = users::UserServiceServer::new(self.clone());
        let accounts = accounts::AccountServiceServer::new(self.clone());
        host.of("user").install(Routes::default().add(users).add(accounts));
        let inbox = inbox::NotificationServiceServer::new(self.clone());
        host.of("notification").install(Routes::default().add(inbox));
    }

    /// Who called last, and with what.
    pub fn seen(&self) -> (Caller, MetadataMap) {
        self.0.seen.lock().unwrap().take().expect("a service was called")
    }

    /// Whether any service was called since it was last asked.
    pub fn was_called(&self) -> bool {
        self.0.seen.lock().unwrap().take().is_some()
    }

    /// Makes tokens void.
    pub fn revoke(&self, revocation: user::Revocation) {
        self.0.revocations.lock().unwrap().push(revocation);
    }

    /// Ends an open inbox.
    pub fn close_inbox(&self) {
        self.0.close.notify_one();
    }

    fn see<T>(&self, request: &Request<T>) {
        let seen = (caller(request), request.metadata().clone());
        *self.0.seen.lock().unwrap() = Some(seen);
    }
}

fn account(id: &str, name: &str) -> Option<user::User> {
    Some(user::User {
        id: id.to_owned(),
        name: name.to_owned(),
        email: "ada@example.org".to_owned(),
        roles: vec!["customer".to_owned()],
        version: 3,
        ..user::User::default()
    })
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no test asks for this"))
}

#[tonic::async_trait]
impl users::UserService for Fakes {
    async fn create_user(
        &self,
        request: Request<user::CreateUserRequest>,
    ) -> Result<Response<user::CreateUserResponse>, Status> {
        self.see(&request);
        let user = account(ABSENT, &request.into_inner().name);
        Ok(Response::new(user::CreateUserResponse { user }))
    }

    async fn get_user(
        &self,
        request: Request<user::GetUserRequest>,
    ) -> Result<Response<user::GetUserResponse>, Status> {
        self.see(&request);
        let id = request.into_inner().user_id;
        match id.as_str() {
            SLOW => std::future::pending().await,
            BROKEN => panic!("as told"),
            ABSENT => {
                let details = tonic_types::ErrorDetails::with_error_info(
                    "USER_NOT_FOUND",
                    "quickserve",
                    [("allowed_actions".to_owned(), "create,search".to_owned())],
                );
                use tonic_types::StatusExt as _;
                let code = tonic::Code::NotFound;
                Err(Status::with_error_details(code, "the account does not exist", details))
            }
            _ => Ok(Response::new(user::GetUserResponse { user: account(&id, "Ada") })),
        }
    }

    async fn get_me(
        &self,
        request: Request<user::GetMeRequest>,
    ) -> Result<Response<user::GetMeResponse>, Status> {
        self.see(&request);
        let id = caller(&request).subject()?.user_id.to_string();
        // Long enough to be worth compressing.
        Ok(Response::new(user::GetMeResponse { user: account(&id, &"Ada ".repeat(1000)) }))
    }

    async fn update_me(
        &self,
        request: Request<user::UpdateMeRequest>,
    ) -> Result<Response<user::UpdateMeResponse>, Status> {
        self.see(&request);
        let changes = request.into_inner().changes.unwrap_or_default();
        Ok(Response::new(user::UpdateMeResponse { user: account(ABSENT, &changes.name) }))
    }

    async fn erase_me(
        &self,
        _: Request<user::EraseMeRequest>,
    ) -> Result<Response<user::EraseMeResponse>, Status> {
        unused()
    }

    async fn suspend_user(
        &self,
        request: Request<user::SuspendUserRequest>,
    ) -> Result<Response<user::SuspendUserResponse>, Status> {
        self.see(&request);
        let user = account(&request.into_inner().user_id, "Ada");
        Ok(Response::new(user::SuspendUserResponse { user }))
    }

    async fn reinstate_user(
        &self,
        _: Request<user::ReinstateUserRequest>,
    ) -> Result<Response<user::ReinstateUserResponse>, Status> {
        unused()
    }

    async fn create_address(
        &self,
        _: Request<user::CreateAddressRequest>,
    ) -> Result<Response<user::CreateAddressResponse>, Status> {
        unused()
    }

    async fn list_addresses(
        &self,
        _: Request<user::ListAddressesRequest>,
    ) -> Result<Response<user::ListAddressesResponse>, Status> {
        unused()
    }

    async fn get_address(
        &self,
        _: Request<user::GetAddressRequest>,
    ) -> Result<Response<user::GetAddressResponse>, Status> {
        unused()
    }

    async fn update_address(
        &self,
        _: Request<user::UpdateAddressRequest>,
    ) -> Result<Response<user::UpdateAddressResponse>, Status> {
        unused()
    }

    async fn delete_address(
        &self,
        _: Request<user::DeleteAddressRequest>,
    ) -> Result<Response<user::DeleteAddressResponse>, Status> {
        unused()
    }

    async fn record_consent(
        &self,
        _: Request<user::RecordConsentRequest>,
    ) -> Result<Response<user::RecordConsentResponse>, Status> {
        unused()
    }

    async fn list_consents(
        &self,
        _: Request<user::ListConsentsRequest>,
    ) -> Result<Response<user::ListConsentsResponse>, Status> {
        unused()
    }
}

#[tonic::async_trait]
impl accounts::AccountService for Fakes {
    async fn get_contact(
        &self,
        _: Request<user::GetContactRequest>,
    ) -> Result<Response<user::GetContactResponse>, Status> {
        unused()
    }

    async fn issue_contact_code(
        &self,
        _: Request<user::IssueContactCodeRequest>,
    ) -> Result<Response<user::IssueContactCodeResponse>, Status> {
        unused()
    }

    async fn list_revocations(
        &self,
        _: Request<user::ListRevocationsRequest>,
    ) -> Result<Response<user::ListRevocationsResponse>, Status> {
        let revocations = self.0.revocations.lock().unwrap().clone();
        Ok(Response::new(user::ListRevocationsResponse { revocations }))
    }
}

#[tonic::async_trait]
impl inbox::NotificationService for Fakes {
    type WatchInboxStream = BoxStream<'static, Result<notification::WatchInboxResponse, Status>>;

    async fn list_messages(
        &self,
        request: Request<notification::ListMessagesRequest>,
    ) -> Result<Response<notification::ListMessagesResponse>, Status> {
        self.see(&request);
        Ok(Response::new(notification::ListMessagesResponse::default()))
    }

    /// Two messages, and the end when a test closes the inbox.
    async fn watch_inbox(
        &self,
        request: Request<notification::WatchInboxRequest>,
    ) -> Result<Response<Self::WatchInboxStream>, Status> {
        self.see(&request);
        let message = |subject: &str| {
            let message =
                notification::Message { subject: subject.to_owned(), ..Default::default() };
            Ok(notification::WatchInboxResponse { message: Some(message), ..Default::default() })
        };
        let first = futures::stream::iter([message("one"), message("two")]);
        let state = Arc::clone(&self.0);
        let end = futures::stream::once(async move { state.close.notified().await });
        let end = end.filter_map(|()| std::future::ready(None));
        Ok(Response::new(first.chain(end).boxed()))
    }

    async fn mark_read(
        &self,
        _: Request<notification::MarkReadRequest>,
    ) -> Result<Response<notification::MarkReadResponse>, Status> {
        unused()
    }

    async fn get_preferences(
        &self,
        _: Request<notification::GetPreferencesRequest>,
    ) -> Result<Response<notification::GetPreferencesResponse>, Status> {
        unused()
    }

    async fn update_preferences(
        &self,
        request: Request<notification::UpdatePreferencesRequest>,
    ) -> Result<Response<notification::UpdatePreferencesResponse>, Status> {
        self.see(&request);
        let preferences = request.into_inner().preferences;
        Ok(Response::new(notification::UpdatePreferencesResponse { preferences }))
    }

    async fn get_quiet_hours(
        &self,
        _: Request<notification::GetQuietHoursRequest>,
    ) -> Result<Response<notification::GetQuietHoursResponse>, Status> {
        unused()
    }

    async fn update_quiet_hours(
        &self,
        _: Request<notification::UpdateQuietHoursRequest>,
    ) -> Result<Response<notification::UpdateQuietHoursResponse>, Status> {
        unused()
    }
}
