//! The worker that sends mail, and the deletion of old messages.

use crate::{
    contacts::Contacts,
    domain::{
        Error, Message, MessageId, Settings,
        message::{Contact, MAX_ATTEMPTS, MailDecision, Reader, State, decide_delivery},
        records, template,
    },
    events::Signals,
    mail::{Refusal, Transport, Writer},
    repository::{Repository, outgoing::MailOutcome},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use kit::messaging::queue::{self, Backoff, Claim, Worker};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Mail claimed at a time.
const BATCH: u64 = 50;
/// Letters on their way at the same moment.
const AT_ONCE: usize = 4;
/// How often the worker looks for what no commit of this process told it of.
const POLL: Duration = Duration::from_secs(5);
/// How long a mail rests that was not taken.
const BACKOFF: Backoff =
    Backoff { first: chrono::Duration::minutes(1), longest: chrono::Duration::hours(2) };
/// How often old messages are deleted.
pub const DELETE_EVERY: chrono::Duration = chrono::Duration::hours(24);

/// What the worker works with.
pub struct Parts {
    pub repository: Repository,
    /// What is known of accounts.
    pub contacts: Contacts,
    pub writer: Writer,
    /// The way they go.
    pub transport: Arc<Transport>,
    /// How long mail waits for more mail, to be sent together.
    pub linger: Duration,
}

/// Sends mail, each letter at least once and, where the transport can tell, exactly once.
///
/// A letter has one Message-ID, made of the message's id, however often it is sent. That it is being handed over is
/// noted before, that it was taken right after. When a process dies in between, another one takes the letter up once
/// the lease has ended, asks the transport whether it has arrived, and sends it again otherwise.
pub struct MailWorker {
    parts: Parts,
}

/// What is known of the reader of a mail.
enum Known {
    Contact(Contact),
    Absent,
    /// The user service did not answer.
    Unknown,
}

/// What the mails of one round need to know.
#[derive(Default)]
struct Readers {
    settings: HashMap<Uuid, Settings>,
    contacts: HashMap<Uuid, Known>,
}

impl Readers {
    fn settings(&self, user_id: Uuid) -> Settings {
        self.settings.get(&user_id).cloned().unwrap_or(Settings::of(user_id))
    }

    fn reach(&self, user_id: Uuid) -> Reader<'_> {
        match self.contacts.get(&user_id) {
            Some(Known::Contact(contact)) => Reader::Known(contact),
            Some(Known::Absent) => Reader::Absent,
            Some(Known::Unknown) | None => Reader::Unknown,
        }
    }
}

impl MailWorker {
    /// A worker with these parts.
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Sends mail until `stop`: a moment after it was written, and when the next falls due.
    pub async fn run(self, signals: Signals, stop: CancellationToken) {
        let db = self.parts.repository.db().clone();
        queue::run(&db, &self, &signals.mail, &stop).await;
    }

    /// Decides on claimed mail, and sends what is to go.
    async fn handle(&self, claim: Uuid, due: Vec<Message>) -> Result<(), Error> {
        let repository = &self.parts.repository;
        let readers = self.readers(&due).await?;
        let now = repository.clock().now();
        let mut going = Vec::new();
        let mut in_flight = HashSet::new();
        for message in due {
            let reach = readers.reach(message.user_id);
            match decide_delivery(&message, &readers.settings(message.user_id), reach, now) {
                MailDecision::Send => going.push(message.id),
                decision => repository.set_aside(claim, &message, decision).await?,
            }
            if message.state == State::Sent {
                in_flight.insert(message.id);
            }
        }
        let going = repository.begin_sending(claim, going).await?;
        let mut sending = stream::iter(going)
            .map(|message| {
                let repeated = in_flight.contains(&message.id);
                self.send(message, repeated, &readers)
            })
            .buffer_unordered(AT_ONCE)
            .ready_chunks(AT_ONCE);
        // Letters are settled as soon as they are sent, those that are ready together in one statement, so that a process
        // that dies repeats no more than what was on its way. All are sent before an error ends the round: none is cut
        // off half way.
        let mut settled = Ok(());
        while let Some(sent) = sending.next().await {
            settled = settled.and(self.settle(claim, sent).await);
        }
        settled
    }

    /// Notes what became of letters that were handed over.
    async fn settle(&self, claim: Uuid, sent: Vec<(MessageId, MailOutcome)>) -> Result<(), Error> {
        let mut by_outcome: HashMap<MailOutcome, Vec<MessageId>> = HashMap::new();
        for (id, outcome) in sent {
            by_outcome.entry(outcome).or_default().push(id);
        }
        for (outcome, ids) in by_outcome {
            self.parts.repository.settle(claim, ids, outcome).await?;
        }
        Ok(())
    }

    async fn readers(&self, due: &[Message]) -> Result<Readers, Error> {
        let accounts = due.iter().map(|message| message.user_id);
        let mut readers = Readers {
            settings: self.parts.repository.settings_of(accounts.clone()).await?,
            contacts: HashMap::new(),
        };
        for user_id in accounts {
            if readers.contacts.contains_key(&user_id) {
                continue;
            }
            let known = match self.parts.contacts.of(user_id).await {
                Ok(Some(contact)) => Known::Contact(contact),
                Ok(None) => Known::Absent,
                Err(error) => {
                    tracing::warn!(%error, user.id = %user_id, "cannot load the contact of an account, its mail waits");
                    Known::Unknown
                }
            };
            readers.contacts.insert(user_id, known);
        }
        Ok(readers)
    }

    /// Hands a letter over and says what became of it. `repeated` says that a process died, or lost the answer, after
    /// it may have handed the letter over.
    async fn send(
        &self,
        message: Message,
        repeated: bool,
        readers: &Readers,
    ) -> (MessageId, MailOutcome) {
        let outcome = match self.deliver(&message, repeated, readers).await {
            Ok(()) => MailOutcome::Taken,
            Err(refusal) => self.setback(&message, refusal),
        };
        (message.id, outcome)
    }

    async fn deliver(
        &self,
        message: &Message,
        repeated: bool,
        readers: &Readers,
    ) -> Result<(), Refusal> {
        // Before a code is made: that would void the one in a letter that has arrived.
        if repeated && self.has_arrived(message).await? {
            return Ok(());
        }
        let contact = match readers.reach(message.user_id) {
            Reader::Known(contact) => contact,
            Reader::Absent => return Err(Refusal::ForGood("NO_CONTACT")),
            Reader::Unknown => return Err(Refusal::ForNow("USER_UNAVAILABLE")),
        };
        let code = match template::code_purpose(&message.template) {
            None => None,
            Some(purpose) => match self.parts.contacts.issue_code(message.user_id, purpose).await {
                Ok(Some(code)) => Some(code),
                Ok(None) => return Err(Refusal::ForGood("CODE_NOT_REQUESTED")),
                Err(error) => {
                    tracing::warn!(%error, message.id = %message.id, "cannot get a code for a mail, it waits");
                    return Err(Refusal::ForNow("USER_UNAVAILABLE"));
                }
            },
        };
        let settings = readers.settings(message.user_id);
        let now = self.parts.repository.clock().now();
        let letter = self.parts.writer.write(message, &settings, contact, code.as_ref(), now)?;
        kit::program::crash::crash_point("mail.sending");
        self.parts.transport.send(letter).await?;
        kit::program::crash::crash_point("mail.sent");
        Ok(())
    }

    async fn has_arrived(&self, message: &Message) -> Result<bool, Refusal> {
        let letter_id = self.parts.writer.message_id(message);
        let now = self.parts.repository.clock().now();
        self.parts.transport.has(&letter_id, message.created_at, now).await
    }

    fn setback(&self, message: &Message, refusal: Refusal) -> MailOutcome {
        let outcome = match refusal {
            Refusal::ForNow(reason) if message.attempts < MAX_ATTEMPTS => {
                let now = self.parts.repository.clock().now();
                MailOutcome::Later(now + BACKOFF.after(message.attempts), reason)
            }
            Refusal::ForNow(reason) | Refusal::ForGood(reason) => MailOutcome::Never(reason),
        };
        if let MailOutcome::Never(reason) = outcome {
            tracing::warn!(message.id = %message.id, reason, "a mail is given up");
        }
        outcome
    }
}

#[async_trait]
impl Worker for MailWorker {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn poll(&self) -> Duration {
        POLL
    }

    fn linger(&self) -> Duration {
        self.parts.linger
    }

    async fn work_off(&self) -> Result<usize, kit::Error> {
        let repository = &self.parts.repository;
        let Claim { id, rows } = repository.claim_due(BATCH).await?;
        let count = rows.len();
        if count > 0 {
            let handled = self.handle(id, rows);
            queue::hold::<records::message::Entity, _>(repository.db(), id, handled).await?;
        }
        Ok(count)
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, kit::Error> {
        Ok(self.parts.repository.next_due().await?)
    }
}

/// Deletes messages and letters that were kept long enough.
pub async fn delete_old(
    repository: Repository,
    transport: Arc<Transport>,
    kept: chrono::Duration,
) -> anyhow::Result<()> {
    let before = repository.clock().now() - kept;
    let count = repository.sweep(before).await?;
    if count > 0 {
        tracing::info!(count, "deleted old messages");
    }
    Ok(transport.sweep(before).await?)
}
