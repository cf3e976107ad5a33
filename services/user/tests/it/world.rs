//! What the stories share: a running user service, and people who use it.

use kit::{
    Host, Role, Subject,
    identity::token::{AccessClaims, ISSUER, Verifier},
    program::config::Config,
    rpc::client::Channel,
    rpc::error::reason_of,
    testing::{Backend, EventRecorder, World, acting_as, eventually},
    values::time::timestamp,
};
use proto::quickserve::user::v1::{
    self as pb, account_service_client::AccountServiceClient,
    auth_service_client::AuthServiceClient, user_service_client::UserServiceClient,
};
use std::sync::Arc;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// A good password.
pub const PASSWORD: &str = "correct horse battery";

/// The service, its clients, and the events it published.
pub struct Service {
    pub world: World,
    pub host: Host,
    pub users: UserServiceClient<Channel>,
    pub auth: AuthServiceClient<Channel>,
    pub accounts: AccountServiceClient<Channel>,
    events: Arc<EventRecorder>,
}

/// Somebody who has signed in.
#[derive(Clone)]
pub struct Person {
    pub email: String,
    pub id: String,
    pub subject: Subject,
    pub access: String,
    pub refresh: String,
}

impl Service {
    /// The service on `backend`, as it is configured from the start.
    pub async fn new(backend: Backend) -> Self {
        Self::configured(backend, &[]).await
    }

    /// As [`Service::new`], with these entries of the configuration.
    pub async fn configured(backend: Backend, entries: &[(&str, &str)]) -> Self {
        // A story that does many things at once shall not be told that hashing is busy, however slow the machine is.
        let turns = ("user.hashing_turns", "32");
        let config = Config::from_map([turns].iter().chain(entries).copied());
        let world = World::with(backend, config).await;
        let host = world.host.of("user");
        host.migrate().await.unwrap();
        let events = EventRecorder::subscribed(&host, &["user."]);
        host.install(user::start(&host).await.unwrap());
        Self {
            users: UserServiceClient::new(world.outside("user")),
            auth: AuthServiceClient::new(world.outside("user")),
            accounts: AccountServiceClient::new(world.host.of("notification").channel("user")),
            world,
            host,
            events,
        }
    }

    pub async fn register(&self, email: &str, role: &str) -> Result<pb::User, Status> {
        let answer = self.users.clone().create_user(registration(email, role)).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// Signs somebody in.
    pub async fn login(&self, email: &str, password: &str) -> Result<Person, Status> {
        let answer = self.auth.clone().login(login(email, password)).await?.into_inner();
        Ok(self.person(email, answer.access_token, answer.refresh_token).await)
    }

    /// Registers somebody and signs them in.
    pub async fn join(&self, email: &str, role: &str) -> Person {
        self.register(email, role).await.unwrap();
        self.login(email, PASSWORD).await.unwrap()
    }

    /// The tokens that became void since the world began, as the edge asks for them: account, session, version.
    pub async fn revocations(&self) -> Vec<(String, String, i64)> {
        let request = pb::ListRevocationsRequest { since: Some(timestamp(kit::testing::start())) };
        let mut edge = AccountServiceClient::new(self.world.outside("user"));
        let answer = edge.list_revocations(request).await.unwrap().into_inner();
        let tuple = |it: pb::Revocation| (it.user_id, it.session_id, it.token_version);
        answer.revocations.into_iter().map(tuple).collect()
    }

    /// Makes an operator and signs them in.
    pub async fn operator(&self) -> Person {
        user::create_operator(&self.host, "op@example.org", "Olga", PASSWORD).await.unwrap();
        self.login("op@example.org", PASSWORD).await.unwrap()
    }

    /// Takes the next tokens of a session.
    pub async fn refresh(&self, person: &Person) -> Result<Person, Status> {
        let refresh_token = person.refresh.clone();
        let request = pb::RefreshTokenRequest { refresh_token };
        let answer = self.auth.clone().refresh_token(request).await?.into_inner();
        Ok(self.person(&person.email, answer.access_token, answer.refresh_token).await)
    }

    async fn person(&self, email: &str, access: String, refresh: String) -> Person {
        let subject = self.claims(&access).await.subject;
        let id = subject.user_id.to_string();
        Person { email: email.to_owned(), id, subject, access, refresh }
    }

    /// What an access token says, verified with the published keys.
    pub async fn claims(&self, access: &str) -> AccessClaims {
        let jwks = self.auth.clone().get_jwks(pb::GetJwksRequest {}).await.unwrap();
        let body = jwks.into_inner().body.unwrap();
        assert_eq!(body.content_type, "application/json");
        let jwks = serde_json::from_slice(&body.data).unwrap();
        let verifier = Verifier::from_jwks(ISSUER, &jwks, self.world.clock.clone());
        verifier.verify_access(access).await.unwrap()
    }

    /// The account as its owner sees it.
    pub async fn me(&self, person: &Person) -> Result<pb::User, Status> {
        let mut users = self.users.clone();
        let answer = acting_as(person.subject, users.get_me(pb::GetMeRequest {})).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// An account as `person` sees it.
    pub async fn see(&self, person: &Person, id: &str) -> Result<pb::User, Status> {
        let request = pb::GetUserRequest { user_id: id.to_owned() };
        let answer = acting_as(person.subject, self.users.clone().get_user(request)).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// Suspends an account.
    pub async fn suspend(&self, operator: &Person, id: &str) -> Result<pb::User, Status> {
        let request =
            pb::SuspendUserRequest { user_id: id.to_owned(), reason: "chargebacks".to_owned() };
        let answer = acting_as(operator.subject, self.users.clone().suspend_user(request)).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// The code of a mail to an account, as notification gets it.
    pub async fn code(&self, id: &str, purpose: pb::ContactPurpose) -> Result<String, Status> {
        let request =
            pb::IssueContactCodeRequest { user_id: id.to_owned(), purpose: purpose.into() };
        Ok(self.accounts.clone().issue_contact_code(request).await?.into_inner().code)
    }

    /// The kinds of the events of an account so far.
    pub fn facts_of(&self, id: &str) -> Vec<String> {
        self.events.assert_no_gaps();
        self.events.kinds_of(id)
    }

    /// Every event so far, as bytes.
    pub fn all_facts(&self) -> Vec<u8> {
        self.events.events().into_iter().flat_map(|event| event.data).collect()
    }

    /// Waits until the events of an account are of these kinds.
    pub async fn expect_facts(&self, id: &str, kinds: &[&str]) {
        eventually("the events of the account", async || self.facts_of(id), |seen| seen == kinds)
            .await;
    }
}

pub fn registration(email: &str, role: &str) -> pb::CreateUserRequest {
    pb::CreateUserRequest {
        name: "Ana Díaz".to_owned(),
        email: email.to_owned(),
        role: role.to_owned(),
        password: PASSWORD.to_owned(),
        ..pb::CreateUserRequest::default()
    }
}

pub fn login(email: &str, password: &str) -> pb::LoginRequest {
    pb::LoginRequest { email: email.to_owned(), password: password.to_owned() }
}

/// A request that comes from `address`, as the edge tells.
pub fn from<T>(address: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(user::CLIENT_ADDRESS, address.parse().unwrap());
    request
}

/// Asserts the code and the reason of a refusal.
#[track_caller]
pub fn assert_refused<T>(answer: Result<T, Status>, code: Code, expected: &str) {
    let Err(status) = answer else { panic!("not refused with {expected}") };
    assert_eq!((status.code(), reason_of(&status).as_str()), (code, expected), "{status}");
}

/// Asserts that a refusal names `field`.
#[track_caller]
pub fn assert_names<T>(answer: Result<T, Status>, field: &str) {
    let Err(status) = answer else { panic!("not refused for {field}") };
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().unwrap();
    let fields: Vec<_> = details.field_violations.iter().map(|it| it.field.as_str()).collect();
    assert!(fields.contains(&field), "{fields:?} and not {field}");
}

/// Somebody who is signed in with a role and has no account.
pub fn stranger() -> Subject {
    kit::testing::somebody(&[Role::Customer])
}
