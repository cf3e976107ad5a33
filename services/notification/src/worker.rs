//! The postman, who takes mail out, and the sweep of old messages.

use crate::{
    contacts::Contacts,
    domain::{
        Error, Message, MessageId, Settings,
        message::{Contact, Reach, decide, retry_at},
        template,
    },
    events::Signals,
    mail::{Refusal, Transport, Writer},
    repository::{Repository, outgoing::Setback},
};
use futures::{StreamExt, stream};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Mail taken out at a time.
const BATCH: u64 = 50;
/// Letters on their way at the same moment.
const AT_ONCE: usize = 4;
/// How often the postman looks for what no commit of this process told him of.
const POLL: Duration = Duration::from_secs(5);
/// How often old messages are swept.
const SWEEP_EVERY: chrono::Duration = chrono::Duration::hours(24);

/// What the postman works with.
pub struct Parts {
    pub repository: Repository,
    /// What is known of accounts.
    pub contacts: Contacts,
    pub writer: Writer,
    /// The way they go.
    pub transport: Arc<Transport>,
    /// How long mail waits for more mail, to be taken out together.
    pub linger: Duration,
}

/// Takes mail out.
pub struct Postman {
    parts: Parts,
    claimant: Uuid,
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

    fn reach(&self, user_id: Uuid) -> Reach<'_> {
        match self.contacts.get(&user_id) {
            Some(Known::Contact(contact)) => Reach::Known(contact),
            Some(Known::Absent) => Reach::Absent,
            Some(Known::Unknown) | None => Reach::Unknown,
        }
    }
}

impl Postman {
    /// A postman with a claim of his own.
    pub fn new(parts: Parts) -> Self {
        Self { parts, claimant: Uuid::new_v4() }
    }

    /// Takes mail out until `stop`: a moment after it was written, and when the next falls due.
    pub async fn run(self, signals: Signals, stop: CancellationToken) {
        let clock = self.parts.repository.clock().clone();
        while !stop.is_cancelled() {
            let next = match self.round().await {
                // There may be more.
                Ok(done) if done >= BATCH => continue,
                Ok(_) => self.parts.repository.next_due().await,
                Err(error) => Err(error),
            };
            let next = next.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot look up due mail, will try again");
                None
            });
            tokio::select! {
                () = signals.mail.notified() => tokio::select! {
                    () = tokio::time::sleep(self.parts.linger) => {}
                    () = stop.cancelled() => {}
                },
                () = clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
                () = clock.poll(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Takes out what is due, and returns how many mails that were.
    async fn round(&self) -> Result<u64, Error> {
        let repository = &self.parts.repository;
        let due = repository.due(BATCH).await?;
        let count = due.len() as u64;
        if due.is_empty() {
            return Ok(0);
        }
        let readers = self.readers(&due).await?;
        let now = repository.clock().now();
        let decided = due.into_iter().map(|message| {
            let (settings, reach) =
                (readers.settings(message.user_id), readers.reach(message.user_id));
            let decision = decide(&message, &settings, reach, now);
            (message, decision)
        });
        let claimed = repository.claim(decided.collect(), self.claimant).await?;
        self.take_out(claimed, &readers).await?;
        Ok(count)
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

    async fn take_out(&self, claimed: Vec<Message>, readers: &Readers) -> Result<(), Error> {
        if claimed.is_empty() {
            return Ok(());
        }
        let outcomes: Vec<(Message, Result<(), Refusal>)> = stream::iter(claimed)
            .map(|message| async move {
                let outcome = self.deliver(&message, readers).await;
                (message, outcome)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut taken: Vec<MessageId> = Vec::new();
        let mut setbacks = Vec::new();
        for (message, outcome) in outcomes {
            match outcome {
                Ok(()) => taken.push(message.id),
                Err(refusal) => setbacks.push((message.id, self.setback(&message, refusal))),
            }
        }
        self.parts.repository.settle(taken, setbacks, self.claimant).await
    }

    async fn deliver(&self, message: &Message, readers: &Readers) -> Result<(), Refusal> {
        let contact = match readers.reach(message.user_id) {
            Reach::Known(contact) => contact,
            Reach::Absent => return Err(Refusal::ForGood("NO_CONTACT")),
            Reach::Unknown => return Err(Refusal::ForNow("USER_UNAVAILABLE")),
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
        self.parts.transport.send(letter).await
    }

    fn setback(&self, message: &Message, refusal: Refusal) -> Setback {
        let now = self.parts.repository.clock().now();
        // Spread over a fifth by the id's random end, so that a server that comes back is not run over.
        let jitter = 80 + i32::from(message.id.uuid().as_bytes()[15] % 41);
        let setback = match refusal {
            Refusal::ForGood(reason) => Setback::Never(reason),
            Refusal::ForNow(reason) => match retry_at(message.attempts, now, jitter) {
                Some(at) => Setback::Later(at, reason),
                None => Setback::Never(reason),
            },
        };
        if let Setback::Never(reason) = setback {
            tracing::warn!(message.id = %message.id, reason, "a mail is given up");
        }
        setback
    }
}

/// Forgets messages and letters that were kept long enough, now and then.
pub async fn sweep(
    repository: Repository,
    transport: Arc<Transport>,
    keep_days: u32,
    stop: CancellationToken,
) {
    let kept = chrono::Duration::days(keep_days.max(1).into());
    loop {
        tokio::select! {
            () = repository.clock().sleep(SWEEP_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let before = repository.clock().now() - kept;
        match repository.sweep(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old messages are forgotten"),
            Err(error) => tracing::warn!(%error, "cannot delete old messages, will try again"),
        }
        if let Err(error) = transport.sweep(before).await {
            tracing::warn!(%error, "old letters stay for now");
        }
    }
}
