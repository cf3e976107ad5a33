//! Services that answer at once and remember what they saw. They know the few RPCs that the tests call.

use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use kit::{Caller, Host, Routes, caller_of};
use prost::Message;
use proto::{
    codec::Codec,
    quickserve::{
        notification::v1::{self as notification, notification_service_server as inbox},
        provider::v1::tracking_service_server as tracking,
        user::v1::{
            self as user, account_service_server as accounts, user_service_server as users,
        },
    },
    validate::Validate,
};
use std::{
    convert::Infallible,
    marker::PhantomData,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tokio::sync::Notify;
use tonic::{
    Request, Response, Status,
    body::Body,
    metadata::MetadataMap,
    server::{Grpc, NamedService},
};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{Service, service_fn};

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
        let users = Fake::<Users>(self.clone(), PhantomData);
        let accounts = Fake::<Accounts>(self.clone(), PhantomData);
        host.of("user").install(Routes::default().add(users).add(accounts));
        let inbox = Fake::<Inbox>(self.clone(), PhantomData);
        host.of("notification").install(Routes::default().add(inbox));
        let tracking = Fake::<Tracking>(self.clone(), PhantomData);
        host.of("provider").install(Routes::default().add(tracking));
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
        let seen = (caller_of(request), request.metadata().clone());
        *self.0.seen.lock().unwrap() = Some(seen);
    }
}

/// The name of a service that a fake stands for.
trait Name: 'static {
    const NAME: &'static str;
}

struct Users;
struct Accounts;
struct Inbox;
struct Tracking;

impl Name for Users {
    const NAME: &'static str = users::SERVICE_NAME;
}
impl Name for Accounts {
    const NAME: &'static str = accounts::SERVICE_NAME;
}
impl Name for Inbox {
    const NAME: &'static str = inbox::SERVICE_NAME;
}
impl Name for Tracking {
    const NAME: &'static str = tracking::SERVICE_NAME;
}

struct Fake<N>(Fakes, PhantomData<fn() -> N>);

impl<N> Clone for Fake<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<N: Name> NamedService for Fake<N> {
    const NAME: &'static str = N::NAME;
}

impl<N> Service<http::Request<Body>> for Fake<N> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fakes = self.0.clone();
        Box::pin(async move { Ok(fakes.answer(request).await) })
    }
}

/// Serves a unary RPC by a function of the request's message.
async fn unary<I, O, F>(
    request: http::Request<Body>,
    fakes: Fakes,
    answer: fn(Fakes, Caller, I) -> F,
) -> http::Response<Body>
where
    I: Message + Default + Validate + Send + 'static,
    O: Message + Send + 'static,
    F: Future<Output = Result<O, Status>> + Send + 'static,
{
    let service = service_fn(move |request: Request<I>| {
        fakes.see(&request);
        let answer = answer(fakes.clone(), caller_of(&request), request.into_inner());
        async move { answer.await.map(Response::new) }
    });
    Grpc::new(Codec::<O, I>::default()).unary(service, request).await
}

impl Fakes {
    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path().to_owned();
        match path.rsplit('/').next().unwrap() {
            "CreateUser" => unary(request, self, create_user).await,
            "GetUser" => unary(request, self, get_user).await,
            "GetMe" => unary(request, self, get_me).await,
            "UpdateMe" => unary(request, self, update_me).await,
            "SuspendUser" => unary(request, self, suspend_user).await,
            "ListRevocations" => {
                let revocations = self.0.revocations.lock().unwrap().clone();
                let answer = user::ListRevocationsResponse { revocations };
                let service = service_fn(move |_: Request<user::ListRevocationsRequest>| {
                    std::future::ready(Ok(Response::new(answer.clone())))
                });
                Grpc::new(Codec::default()).unary(service, request).await
            }
            "WatchInbox" => {
                let service = service_fn(move |request| std::future::ready(self.inbox(&request)));
                Grpc::new(Codec::default()).server_streaming(service, request).await
            }
            // It answers nothing for as long as its client has sent nothing.
            "StreamPositions" => {
                self.see(&Request::from_http(request));
                std::future::pending().await
            }
            _ => Status::unimplemented("no test asks for this").into_http(),
        }
    }

    /// Two messages, and the end when a test closes the inbox.
    fn inbox(
        &self,
        request: &Request<notification::WatchInboxRequest>,
    ) -> Result<Response<Messages>, Status> {
        self.see(request);
        let message = |subject: &str| {
            let message =
                notification::Message { subject: subject.to_owned(), ..Default::default() };
            Ok(notification::WatchInboxResponse { message: Some(message) })
        };
        let first = futures::stream::iter([message("one"), message("two")]);
        let state = Arc::clone(&self.0);
        let end = futures::stream::once(async move { state.close.notified().await });
        let end = end.filter_map(|()| std::future::ready(None));
        Ok(Response::new(first.chain(end).boxed()))
    }
}

type Messages = BoxStream<'static, Result<notification::WatchInboxResponse, Status>>;

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

async fn create_user(
    _: Fakes,
    _: Caller,
    request: user::CreateUserRequest,
) -> Result<user::CreateUserResponse, Status> {
    Ok(user::CreateUserResponse { user: account(ABSENT, &request.name) })
}

async fn get_user(
    _: Fakes,
    _: Caller,
    request: user::GetUserRequest,
) -> Result<user::GetUserResponse, Status> {
    let id = request.user_id;
    match id.as_str() {
        SLOW => std::future::pending().await,
        BROKEN => panic!("as told"),
        ABSENT => {
            let details = ErrorDetails::with_error_info(
                "USER_NOT_FOUND",
                "quickserve",
                [("allowed_actions".to_owned(), "create,search".to_owned())],
            );
            let code = tonic::Code::NotFound;
            Err(Status::with_error_details(code, "the account does not exist", details))
        }
        _ => Ok(user::GetUserResponse { user: account(&id, "Ada") }),
    }
}

/// The caller's account, with a name that is long enough to be worth compressing.
async fn get_me(
    _: Fakes,
    caller: Caller,
    _: user::GetMeRequest,
) -> Result<user::GetMeResponse, Status> {
    let id = caller.subject()?.user_id.to_string();
    Ok(user::GetMeResponse { user: account(&id, &"Ada ".repeat(1000)) })
}

/// The account has version 3, and one of its changes is always in progress.
async fn update_me(
    _: Fakes,
    caller: Caller,
    request: user::UpdateMeRequest,
) -> Result<user::UpdateMeResponse, Status> {
    use kit::rpc::error::Error;
    let id = caller.subject()?.user_id.to_string();
    let name = request.changes.unwrap_or_default().name;
    match request.version {
        _ if name.is_empty() && request.update_mask.is_some_and(|mask| mask.paths == ["name"]) => {
            Err(Error::invalid("changes.name", "must not be empty").into())
        }
        _ if name == "Busy" => Err(Error::InProgress.into()),
        0 | 3 => Ok(user::UpdateMeResponse { user: account(&id, &name) }),
        _ => Err(Error::VersionMismatch.into()),
    }
}

async fn suspend_user(
    _: Fakes,
    _: Caller,
    request: user::SuspendUserRequest,
) -> Result<user::SuspendUserResponse, Status> {
    Ok(user::SuspendUserResponse { user: account(&request.user_id, "Ada") })
}
