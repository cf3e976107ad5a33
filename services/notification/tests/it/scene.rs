//! A host with the service, a scripted user service, a bus to put facts on, and a look at the tables and letters.

use kit::{
    Clock, Db, Event, Routes,
    messaging::bus::Bus,
    program::config::Config,
    rpc::caller::{Role, Subject},
    rpc::client::Channel,
    testing::{Backend, World, acting_as, eventually, somebody, start},
};
use proto::quickserve::{
    common::v1::{Money, TimeWindow},
    fulfilment::v1::OrderState,
    notification::v1 as pb,
    order::v1::OrderEvent,
    user::v1::{
        ContactPurpose, GetContactRequest, GetContactResponse, IssueContactCodeRequest,
        IssueContactCodeResponse, ListRevocationsRequest, ListRevocationsResponse, UserEvent,
        account_service_server::{AccountService, AccountServiceServer},
    },
};
use sea_orm::{ConnectionTrait, Statement};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub type Client = pb::notification_service_client::NotificationServiceClient<Channel>;

/// The scripted user service.
#[derive(Clone, Default)]
pub struct Users {
    contacts: Arc<Mutex<HashMap<Uuid, GetContactResponse>>>,
    /// Codes issued, in order.
    pub codes: Arc<Mutex<Vec<String>>>,
    /// Whether it answers nothing but that it is unavailable.
    pub down: Arc<Mutex<bool>>,
}

impl Users {
    pub fn set(&self, user_id: Uuid, contact: GetContactResponse) {
        self.contacts.lock().unwrap().insert(user_id, contact);
    }

    fn up(&self) -> Result<(), Status> {
        if *self.down.lock().unwrap() { Err(Status::unavailable("down")) } else { Ok(()) }
    }
}

#[tonic::async_trait]
impl AccountService for Users {
    async fn get_contact(
        &self,
        request: Request<GetContactRequest>,
    ) -> Result<Response<GetContactResponse>, Status> {
        self.up()?;
        let id: Uuid = request.get_ref().user_id.parse().unwrap();
        let found = self.contacts.lock().unwrap().get(&id).cloned();
        found.map(Response::new).ok_or_else(|| Status::not_found("no such account"))
    }

    async fn issue_contact_code(
        &self,
        request: Request<IssueContactCodeRequest>,
    ) -> Result<Response<IssueContactCodeResponse>, Status> {
        self.up()?;
        if request.get_ref().purpose() == ContactPurpose::PasswordReset {
            return Err(Status::failed_precondition("the account has not asked for a code"));
        }
        let mut codes = self.codes.lock().unwrap();
        let code = format!("7QK2M-9XATB-C4D8E-{:05}", codes.len());
        codes.push(code.clone());
        let expires_at = Some(kit::values::time::timestamp(start() + chrono::Duration::days(1)));
        Ok(Response::new(IssueContactCodeResponse { code, expires_at }))
    }

    async fn list_revocations(
        &self,
        _: Request<ListRevocationsRequest>,
    ) -> Result<Response<ListRevocationsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

/// A row of the table of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub template: String,
    pub channel: String,
    pub state: String,
    pub failure: String,
    pub attempts: i32,
}

/// A letter in the folder of mail.
#[derive(Clone, Debug)]
pub struct Letter {
    pub path: PathBuf,
    pub raw: String,
    pub body: String,
}

/// Everything a story needs.
pub struct Scene {
    pub world: World,
    pub clock: Clock,
    pub users: Users,
    pub customer: Subject,
    pub provider: Subject,
    db: Db,
}

impl Scene {
    pub async fn new(backend: Backend) -> Self {
        Self::with_config(backend, &[]).await
    }

    /// The service runs, and knows an English customer and a French provider.
    pub async fn with_config(backend: Backend, entries: &[(&str, &str)]) -> Self {
        let linger = ("notification.linger_ms", "1");
        let config = Config::from_map([linger].iter().chain(entries).copied());
        let world = World::with(backend, config).await;
        let users = Users::default();
        let routes = Routes::default().add(AccountServiceServer::new(users.clone()));
        world.host.of("user").install(routes);
        let own = world.host.of("notification");
        own.migrate().await.unwrap();
        own.install(notification::start(&own).await.unwrap());
        let db = Db::connect(&own.database_config(), world.clock.clone()).await.unwrap();
        let (customer, provider) = (somebody(&[Role::Customer]), somebody(&[Role::Provider]));
        let clock = world.clock.clone();
        let scene = Self { world, clock, users, customer, provider, db };
        scene.users.set(customer.user_id, contact("Ada Lovelace", "ada@example.org", "en"));
        scene.users.set(provider.user_id, contact("Édith Piaf", "edith@example.org", "fr"));
        scene
    }

    /// The service, as the outside reaches it.
    pub fn client(&self) -> Client {
        Client::new(self.world.outside("notification"))
    }

    /// Puts a fact on the bus; every consumer has acted on it when this returns.
    pub async fn publish(&self, event: &Event) {
        self.world.bus.publish(event).await.unwrap();
    }

    /// Publishes the next fact of an order.
    pub async fn order(&self, order: &mut Order, kind: &str, from: OrderState, to: OrderState) {
        let event = self.order_event(order, kind, from, to, |_| {});
        self.publish(&event).await;
    }

    pub fn order_event(
        &self,
        order: &mut Order,
        kind: &str,
        from: OrderState,
        to: OrderState,
        change: impl FnOnce(&mut OrderEvent),
    ) -> Event {
        order.seq += 1;
        let mut data = OrderEvent {
            order_id: order.id.to_string(),
            vertical: "cleaning".to_owned(),
            customer_id: self.customer.user_id.to_string(),
            provider_id: Uuid::new_v4().to_string(),
            provider_user_id: self.provider.user_id.to_string(),
            from: from.into(),
            to: to.into(),
            window: Some(TimeWindow {
                start: Some(kit::values::time::timestamp(start() + chrono::Duration::days(1))),
                end: Some(kit::values::time::timestamp(start() + chrono::Duration::hours(26))),
                time_zone: "Europe/Paris".to_owned(),
            }),
            total: Some(money(12_050)),
            ..OrderEvent::default()
        };
        change(&mut data);
        self.event(kind, order.id, order.seq, &data)
    }

    pub fn event(
        &self,
        kind: &str,
        aggregate: Uuid,
        seq: i64,
        data: &impl prost::Message,
    ) -> Event {
        Event {
            id: Uuid::new_v4(),
            source: kind.split('.').next().unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            aggregate,
            seq,
            occurred_at: self.clock.now(),
            actor: String::new(),
            traceparent: String::new(),
            data: data.encode_to_vec(),
            only_for: None,
        }
    }

    /// Publishes a fact about an account.
    pub async fn account(&self, kind: &str, user_id: Uuid) {
        let data = UserEvent { user_id: user_id.to_string() };
        self.publish(&self.event(kind, user_id, 1, &data)).await;
    }

    /// Every message, in the order in which they were written.
    pub async fn rows(&self) -> Vec<Row> {
        let sql = "SELECT template, channel, state, failure, attempts FROM messages ORDER BY id";
        let connection = self.db.connection();
        let query = Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(query).await.unwrap();
        rows.iter()
            .map(|row| Row {
                template: row.try_get("", "template").unwrap(),
                channel: row.try_get("", "channel").unwrap(),
                state: row.try_get("", "state").unwrap(),
                failure: row.try_get("", "failure").unwrap(),
                attempts: row.try_get("", "attempts").unwrap(),
            })
            .collect()
    }

    /// Changes the tables behind the service's back.
    pub async fn change(&self, sql: &str) {
        self.db.connection().execute_unprepared(sql).await.unwrap();
    }

    /// Waits until the mail from `template` stands in `state`, and returns why it does.
    pub async fn mail_is(&self, template: &str, state: &str) -> String {
        let is_it =
            |row: &Row| row.channel == "email" && row.template == template && row.state == state;
        let what = format!("{template} is {state}");
        let rows = eventually(&what, async || self.rows().await, |rows| rows.iter().any(is_it));
        rows.await.into_iter().find(is_it).unwrap().failure
    }

    /// Waits until so many attempts to send the only mail are over, and returns what came of the last one.
    pub async fn mail_after(&self, attempts: i32) -> Row {
        let is_over =
            |row: &Row| row.channel == "email" && row.attempts == attempts && row.state != "SENT";
        let what = format!("{attempts} attempts are over");
        let rows = eventually(&what, async || self.rows().await, |rows| rows.iter().any(is_over));
        rows.await.into_iter().find(is_over).unwrap()
    }

    /// The folder of letters.
    pub fn mail_folder(&self) -> PathBuf {
        self.world.host.data_dir().join("mail")
    }

    /// The letters from `template`, the oldest first.
    pub fn letters(&self, template: &str) -> Vec<Letter> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(self.mail_folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "mbox"))
            .collect();
        paths.sort();
        let letters = paths.into_iter().flat_map(|path| {
            let mailbox = format!("\n{}", std::fs::read_to_string(&path).unwrap());
            let letters: Vec<_> = mailbox.split("\nFrom ").skip(1).map(str::to_owned).collect();
            letters.into_iter().map(move |letter| {
                let (_, raw) = letter.split_once('\n').unwrap();
                let (_, body) = raw.split_once("\n\n").unwrap();
                let body = unquoted(&body.replace('\n', "\r\n"));
                Letter { path: path.clone(), raw: raw.to_owned(), body }
            })
        });
        let header = format!("X-QuickServe-Template: {template}\n");
        letters.filter(|letter| letter.raw.contains(&header)).collect()
    }

    /// Templates of the messages in somebody's inbox, the oldest first.
    pub async fn inbox(&self, subject: Subject) -> Vec<String> {
        let mut messages = self.messages(subject).await;
        messages.reverse();
        messages.into_iter().map(|message| message.template).collect()
    }

    pub async fn messages(&self, subject: Subject) -> Vec<pb::Message> {
        let request = pb::ListMessagesRequest { page_size: 100, ..Default::default() };
        let listed = acting_as(subject, self.client().list_messages(request)).await.unwrap();
        listed.into_inner().messages
    }

    /// Sets somebody's quiet hours.
    pub async fn quiet(&self, subject: Subject, from: &str, to: &str) {
        let hours = pb::QuietHours {
            enabled: true,
            from: from.to_owned(),
            to: to.to_owned(),
            ..Default::default()
        };
        let request = pb::UpdateQuietHoursRequest { quiet_hours: Some(hours) };
        acting_as(subject, self.client().update_quiet_hours(request)).await.unwrap();
    }
}

/// An order that facts are published of.
pub struct Order {
    pub id: Uuid,
    pub seq: i64,
}

impl Order {
    pub fn new() -> Self {
        Self { id: Uuid::new_v4(), seq: 0 }
    }
}

pub fn contact(name: &str, email: &str, locale: &str) -> GetContactResponse {
    GetContactResponse {
        name: name.to_owned(),
        email: email.to_owned(),
        phone: String::new(),
        locale: locale.to_owned(),
        time_zone: "Europe/Paris".to_owned(),
    }
}

pub fn money(minor_units: i64) -> Money {
    Money { currency: "EUR".to_owned(), minor_units }
}

/// Decodes quoted-printable (RFC 2045 §6.7).
pub fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'=', [high, low, after @ ..]) => {
                let hex = std::str::from_utf8(&[*high, *low]).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
