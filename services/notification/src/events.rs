//! Facts that notification acts on: each becomes messages. It publishes none.

use crate::{
    contacts::Contacts,
    domain::{
        Error, Message, MessageId,
        catalogue::{Addressee, Circumstance, ContactChannel, NOTICES, Stage, moves_on},
        facts::NoticeFacts,
        message::{Particulars, State},
    },
    repository::{self, Overtaken, Repository, settings},
};
use async_trait::async_trait;
use kit::{
    Event, Id, Money, Window,
    messaging::{bus::Consumer, inbox},
    storage::idempotency,
};
use proto::quickserve::{
    child_assistance::v1::ChildEvent,
    fulfilment::v1::OrderState,
    moving::v1::MoveEvent,
    order::v1::{OrderEvent, SeriesEvent},
    payment::v1::{PaymentEvent, PayoutEvent},
    provider::v1::{ProviderEvent, TrackEvent},
    repair::v1::RepairEvent,
    transport::v1::RideEvent,
    user::v1::UserEvent,
};
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

/// An account was erased.
const USER_ERASED: &str = "user.erased";
/// The name under which this service remembers the facts it has acted on.
const CONSUMER: &str = "notification";
/// Wake-ups that a slow watcher may be behind before it must look by itself.
const WAKE_UPS: usize = 1_024;

/// Wakes those of this process who wait for messages, after a commit.
#[derive(Clone)]
pub struct Signals {
    /// Accounts with something new in the inbox.
    pub inbox: broadcast::Sender<Arc<[Uuid]>>,
    pub mail: Arc<Notify>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { inbox: broadcast::Sender::new(WAKE_UPS), mail: Arc::default() }
    }
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
        let fact = decode_event(event)?;
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
            // This fails when no stream is open, which is fine.
            let _ = self.signals.inbox.send(readers);
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
        let Some(user_id) = parse_id(&user_id)? else { return Ok(()) };
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

/// Reads a fact, by the service that its kind names.
fn decode_event(event: &Event) -> Result<NoticeFacts, Error> {
    let kind = event.kind.clone();
    match event.kind.split('.').next().unwrap_or_default() {
        "child" => of_child(kind, event.decode()?),
        "moving" => of_move(kind, event.decode()?),
        "order" => of_order(kind, event.decode()?),
        "payment" => of_payment(kind, event.decode()?),
        "payout" => of_payout(kind, event.decode()?),
        "provider" => of_provider(kind, event.decode()?),
        "repair" => of_repair(kind, event.decode()?),
        "series" => of_series(kind, event.decode()?),
        "transport" => of_ride(kind, event.decode()?),
        "track" => of_track(kind, event.decode()?),
        "user" => {
            let UserEvent { user_id } = event.decode()?;
            Ok(NoticeFacts { kind, account: parse_id(&user_id)?, ..NoticeFacts::default() })
        }
        other => Err(kit::Error::internal(format!("nothing is known of {other}")).into()),
    }
}

fn of_order(kind: String, order: OrderEvent) -> Result<NoticeFacts, Error> {
    let (from, to) = (order_stage(order.from()), order_stage(order.to()));
    let window = Window::parse("window", order.window.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&order.customer_id)?,
        provider: parse_id(&order.provider_user_id)?,
        account: None,
        guardians: Vec::new(),
        adults: Vec::new(),
        addressed: match order.addressee.as_str() {
            "customer" => Some(Addressee::Customer),
            "provider" => Some(Addressee::Provider),
            "operator" => Some(Addressee::Operator),
            _ => None,
        },
        circumstance: if order.manual_acceptance {
            Circumstance::ManualAcceptance
        } else {
            Circumstance::Usual
        },
        from: Some(from),
        to: Some(to),
        order_id: parse_id(&order.order_id)?,
        order_seq: None,
        parcel: false,
        particulars: Particulars {
            starts_at: window.map(|window| window.start),
            zone: window.map(|window| window.zone),
            amount: Money::parse("total", order.total.as_ref()).ok(),
            service: (!order.vertical.is_empty()).then_some(order.vertical),
            stars: (order.stars > 0).then_some(order.stars),
            ..Particulars::default()
        },
    })
}

fn of_payment(kind: String, payment: PaymentEvent) -> Result<NoticeFacts, Error> {
    let PaymentEvent {
        payment_id: _,
        order_id,
        customer_id,
        amount,
        reason: _,
        answered: _,
        provider_user_id,
        due_id: _,
        captured: _,
        refunded: _,
        charged_back: _,
        beyond_cap,
        expires_at: _,
        beside_capture: _,
    } = payment;
    let amount = Money::parse("amount", amount.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        circumstance: if beyond_cap { Circumstance::BeyondCap } else { Circumstance::Usual },
        particulars: Particulars { amount, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_payout(kind: String, payout: PayoutEvent) -> Result<NoticeFacts, Error> {
    let PayoutEvent { payout_id: _, order_id, provider_user_id, amount, kind: _ } = payout;
    let amount = Money::parse("amount", amount.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        particulars: Particulars { amount, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_provider(kind: String, provider: ProviderEvent) -> Result<NoticeFacts, Error> {
    let ProviderEvent { provider_id: _, user_id, reason, order_id: _ } = provider;
    let subject = (!reason.is_empty()).then_some(reason);
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&user_id)?,
        particulars: Particulars { subject, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_ride(kind: String, ride: RideEvent) -> Result<NoticeFacts, Error> {
    let RideEvent {
        order_id, customer_id, provider_user_id, stop, parcel, order_event_seq, ..
    } = ride;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        parcel,
        particulars: Particulars { stop: Some(stop), ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_child(kind: String, child: ChildEvent) -> Result<NoticeFacts, Error> {
    let ChildEvent {
        order_id,
        provider_user_id,
        guardian_ids,
        adult_user_ids,
        addressee,
        order_event_seq,
        ..
    } = child;
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&provider_user_id)?,
        guardians: parse_ids(&guardian_ids)?,
        adults: parse_ids(&adult_user_ids)?,
        addressed: match addressee.as_str() {
            "guardians" => Some(Addressee::Guardian),
            "adults" => Some(Addressee::Adult),
            "operator" => Some(Addressee::Operator),
            _ => None,
        },
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn of_series(kind: String, visit: SeriesEvent) -> Result<NoticeFacts, Error> {
    let window = Window::parse("window", visit.window.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&visit.customer_id)?,
        order_id: parse_id(&visit.order_id)?,
        particulars: Particulars {
            starts_at: window.map(|window| window.start),
            zone: window.map(|window| window.zone),
            service: Some(visit.vertical),
            ..Particulars::default()
        },
        ..NoticeFacts::default()
    })
}

fn of_move(kind: String, event: MoveEvent) -> Result<NoticeFacts, Error> {
    let MoveEvent { order_id, customer_id, provider_user_id, claim_id: _, order_event_seq } = event;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn of_repair(kind: String, repair: RepairEvent) -> Result<NoticeFacts, Error> {
    let RepairEvent { order_id, customer_id, provider_user_id, order_event_seq, .. } = repair;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn parse_ids(texts: &[String]) -> Result<Vec<Uuid>, Error> {
    let ids = texts.iter().map(|text| parse_id(text));
    Ok(ids.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn of_track(kind: String, track: TrackEvent) -> Result<NoticeFacts, Error> {
    let TrackEvent { order_id, customer_id, provider_id: _, order_seq } = track;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_seq),
        ..NoticeFacts::default()
    })
}

const fn order_stage(state: OrderState) -> Stage {
    match state {
        OrderState::PendingPayment => Stage::Unpaid,
        OrderState::Requested => Stage::Requested,
        OrderState::Searching => Stage::Searching,
        OrderState::Unspecified
        | OrderState::Assigned
        | OrderState::EnRoute
        | OrderState::Arrived
        | OrderState::InProgress
        | OrderState::AwaitingApproval
        | OrderState::Delivered
        | OrderState::ChangesRequested
        | OrderState::Completed
        | OrderState::Closed
        | OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => Stage::Other,
    }
}

/// The id in a fact; an empty text means that there is none, as does the nil id of what was erased.
fn parse_id(text: &str) -> Result<Option<Uuid>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let id: Uuid = text.parse().map_err(kit::Error::internal)?;
    Ok(Some(id).filter(|id| !id.is_nil()))
}
