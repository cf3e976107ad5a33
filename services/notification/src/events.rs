//! Facts that notification acts on: each becomes messages. It publishes none.

mod decode;

use crate::{
    contacts::Contacts,
    domain::{
        Error, Message, MessageId,
        catalogue::{ContactChannel, NOTICES, moves_on},
        facts::NoticeFacts,
        message::State,
    },
    repository::{self, Overtaken, Repository, settings},
};
use async_trait::async_trait;
use kit::{
    Event, Id,
    messaging::{bus::Consumer, inbox, wake_ups::WakeUps},
    storage::idempotency,
};
use proto::quickserve::user::v1::UserEvent;
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// An account was erased.
const USER_ERASED: &str = "user.erased";
/// The name under which this service remembers the facts it has acted on.
const CONSUMER: &str = "notification";

/// Wakes those who wait for messages, after a commit.
#[derive(Clone)]
pub struct Signals {
    /// Accounts with something new in the inbox, whose streams may be in other processes too.
    pub inbox: WakeUps,
    pub mail: Arc<Notify>,
}

/// Turns facts into messages.
pub struct Teller {
    pub repository: Repository,
    /// What is known of accounts.
    pub contacts: Contacts,
    /// Whom to wake.
    pub signals: Signals,
    /// Whether operators have a mailbox.
    pub operators: bool,
}

impl Teller {
    async fn tell(&self, event: &Event) -> Result<(), Error> {
        let fact = decode::decode_event(event)?;
        let messages = self.messages(event, &fact);
        let overtakes = moves_on(&event.kind).then_some(fact.order_id).flatten();
        if messages.is_empty() && overtakes.is_none() {
            return Ok(());
        }
        let readers: Arc<[Uuid]> = messages
            .iter()
            .filter(|message| message.channel == ContactChannel::Inbox)
            .map(|message| message.user_id)
            .collect();
        let mail = messages.iter().any(|message| message.channel == ContactChannel::Email);
        let overtaken = overtakes.map(|order_id| Overtaken { order_id, before_seq: event.seq });
        if self.save(messages, overtaken).await? {
            self.signals.inbox.wake(readers);
            if mail {
                self.signals.mail.notify_one();
            }
        }
        Ok(())
    }

    /// Saves the messages of a fact and cancels those that it overtakes. False when none is new.
    async fn save(
        &self,
        messages: Vec<Message>,
        overtaken: Option<Overtaken>,
    ) -> Result<bool, Error> {
        let Some(overtaken) = overtaken else {
            return repository::insert_message(self.repository.db.connection(), messages).await;
        };
        let tx = self.repository.db.begin().await?;
        repository::cancel_overtaken(&tx, overtaken).await?;
        let is_new = repository::insert_message(&*tx, messages).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    fn messages(&self, event: &Event, fact: &NoticeFacts) -> Vec<Message> {
        let clock = self.repository.clock();
        let now = clock.now();
        let mut messages = Vec::new();
        for (notice, user_id) in fact.notices(self.operators) {
            for channel in notice.channels {
                let id: MessageId = Id::new(clock);
                let state = State::first(*channel);
                messages.push(Message {
                    id,
                    event_id: notice.addressee.fact_for(event.id, user_id),
                    addressee: notice.addressee,
                    channel: *channel,
                    user_id,
                    template: notice.template(),
                    importance: notice.importance,
                    particulars: fact.particulars.clone(),
                    order_id: fact.order_id,
                    order_seq: fact.order_seq.unwrap_or(event.seq),
                    fades: notice.fades,
                    stale: false,
                    state,
                    attempts: 0,
                    failure: String::new(),
                    due_at: (*channel == ContactChannel::Email).then_some(now),
                    claimed_by: None,
                    lease_until: None,
                    created_at: now,
                    read_at: None,
                });
            }
        }
        messages
    }

    async fn forget(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let Some(user_id) = decode::parse_id(&user_id)? else { return Ok(()) };
        self.contacts.forget(user_id).await;
        let tx = self.repository.db.begin().await?;
        if inbox::first_time(&tx, CONSUMER, event).await? {
            repository::delete_messages_to(&tx, user_id).await?;
            settings::delete_settings(&tx, user_id).await?;
            idempotency::forget_account(&tx, user_id).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl Consumer for Teller {
    fn wants(&self, kind: &str) -> bool {
        kind == USER_ERASED || NOTICES.iter().any(|notice| notice.kind == kind)
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let done = match event.kind.as_str() {
            USER_ERASED => self.forget(event).await,
            _ => self.tell(event).await,
        };
        Ok(done?)
    }
}
