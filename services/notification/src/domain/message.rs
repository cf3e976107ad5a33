//! The life of a message, and what is to become of one that is due.

use super::{
    Error, Message, Settings,
    catalogue::{ContactChannel, Importance},
    quiet,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use kit::Money;
use sea_orm::{DeriveActiveEnum, EnumIter, FromJsonQueryResult};
use serde::{Deserialize, Serialize};

/// Attempts to send a mail before it is given up.
pub const MAX_ATTEMPTS: i32 = 10;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Waits to be sent.
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// Waits for the end of quiet hours.
    #[sea_orm(string_value = "HELD")]
    Held,
    /// Is handed over; whether it was taken is not known yet.
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// Lies in the inbox, or was taken by the mail server. Final.
    #[sea_orm(string_value = "DELIVERED")]
    Delivered,
    /// Cannot be delivered. Final.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Is of no use any more, or not wanted. Final.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEvent {
    /// It must wait for the end of quiet hours.
    Hold,
    /// It is handed over.
    Send,
    /// It was taken.
    Confirm,
    /// It was not taken this time.
    Retry,
    /// It never will be.
    Fail,
    /// It is of no use any more, or not wanted.
    Cancel,
}

impl State {
    /// The whole life of a message. One whose answer never came is sent again, under the same name.
    pub fn transition(self, event: MessageEvent) -> Result<Self, Error> {
        use MessageEvent::{Cancel, Confirm, Fail, Hold, Retry, Send};
        match (self, event) {
            (Self::Queued | Self::Held, Hold) => Ok(Self::Held),
            (Self::Queued | Self::Held | Self::Sent, Send) => Ok(Self::Sent),
            (Self::Queued | Self::Held, Cancel) => Ok(Self::Cancelled),
            (Self::Queued | Self::Held | Self::Sent, Fail) => Ok(Self::Failed),
            (Self::Sent, Confirm) => Ok(Self::Delivered),
            (Self::Sent, Retry) => Ok(Self::Queued),
            (Self::Queued | Self::Held, Confirm | Retry)
            | (Self::Sent, Hold | Cancel)
            | (Self::Delivered | Self::Failed | Self::Cancelled, _) => {
                Err(Error::Refused(self, event))
            }
        }
    }

    /// The state in which a message of a channel begins: a row in the inbox is there at once.
    pub const fn first(channel: ContactChannel) -> Self {
        match channel {
            ContactChannel::Inbox => Self::Delivered,
            ContactChannel::Email => Self::Queued,
        }
    }
}

/// What a template is filled in with: facts, never names or addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(default)]
pub struct Particulars {
    /// When the work happens, at the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// Zone of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Tz>,
    /// Price or amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Key of the vertical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Stars of a review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars: Option<i32>,
    /// A stable code, such as the kind of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Number of a stop of a ride.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<i32>,
}

/// How to reach an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name to address.
    pub name: String,
    /// E-mail address; empty once the account is erased.
    pub email: String,
    /// Language, `fr` or `en`.
    pub locale: String,
    /// Zone of its quiet hours.
    pub zone: Tz,
}

/// What is known of the reader of a mail.
#[derive(Clone, Copy)]
pub enum Reader<'a> {
    /// How to reach them.
    Known(&'a Contact),
    /// There is no such account.
    Absent,
    /// It cannot be found out now.
    Unknown,
}

/// What is to become of a mail that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailDecision {
    /// It goes out.
    Send,
    /// It waits until then.
    Hold(DateTime<Utc>),
    /// It is dropped, for this reason.
    Cancel(&'static str),
    /// It is given up, for this reason.
    Fail(&'static str),
}

impl MailDecision {
    /// What that does to the message.
    pub const fn event(self) -> MessageEvent {
        match self {
            Self::Send => MessageEvent::Send,
            Self::Hold(_) => MessageEvent::Hold,
            Self::Cancel(_) => MessageEvent::Cancel,
            Self::Fail(_) => MessageEvent::Fail,
        }
    }
}

/// Decides on a mail that is due.
pub fn decide_delivery(
    message: &Message,
    settings: &Settings,
    reach: Reader<'_>,
    now: DateTime<Utc>,
) -> MailDecision {
    let in_flight = message.state == State::Sent;
    if message.stale {
        // One that is on its way cannot be called back, but is not repeated either.
        let superseded = "SUPERSEDED";
        return if in_flight {
            MailDecision::Fail(superseded)
        } else {
            MailDecision::Cancel(superseded)
        };
    }
    if message.attempts >= MAX_ATTEMPTS {
        return MailDecision::Fail("NO_ANSWER");
    }
    // What may have arrived already is only repeated: it is too late to hold or drop it.
    if in_flight {
        return MailDecision::Send;
    }
    let contact = match reach {
        Reader::Known(contact) if !contact.email.is_empty() => contact,
        Reader::Known(_) | Reader::Absent => return MailDecision::Cancel("NO_CONTACT"),
        // The attempt fails and is repeated later, like any other.
        Reader::Unknown => return MailDecision::Send,
    };
    if !settings.email && message.importance == Importance::Routine {
        return MailDecision::Cancel("NOT_WANTED");
    }
    if message.importance != Importance::Critical {
        let zone = settings.time_zone.parse().unwrap_or(contact.zone);
        let hours = settings.quiet_hours();
        if let Some(end) = hours.and_then(|hours| quiet::end_of_quiet(hours, zone, now)) {
            return MailDecision::Hold(end);
        }
    }
    MailDecision::Send
}

impl Message {
    /// Notes that its reader has read it. False when they had before.
    pub fn mark_read(&mut self, now: DateTime<Utc>) -> bool {
        let first = self.read_at.is_none();
        self.read_at = self.read_at.or(Some(now));
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{catalogue::Addressee, quiet::QuietTimes};
    use sea_orm::Iterable;

    const EVENTS: [MessageEvent; 6] = [
        MessageEvent::Hold,
        MessageEvent::Send,
        MessageEvent::Confirm,
        MessageEvent::Retry,
        MessageEvent::Fail,
        MessageEvent::Cancel,
    ];

    #[test]
    fn the_whole_life_of_a_message() {
        use State::{Cancelled, Delivered, Failed, Held, Queued, Sent};
        let expected = [
            (Queued, [Some(Held), Some(Sent), None, None, Some(Failed), Some(Cancelled)]),
            (Held, [Some(Held), Some(Sent), None, None, Some(Failed), Some(Cancelled)]),
            (Sent, [None, Some(Sent), Some(Delivered), Some(Queued), Some(Failed), None]),
            (Delivered, [None; 6]),
            (Failed, [None; 6]),
            (Cancelled, [None; 6]),
        ];
        assert_eq!(State::iter().count(), expected.len());
        for (state, row) in expected {
            for (event, to) in EVENTS.into_iter().zip(row) {
                assert_eq!(state.transition(event).ok(), to, "{state:?} {event:?}");
            }
        }
    }

    fn now() -> DateTime<Utc> {
        // Midnight in Paris.
        "2027-05-10T22:00:00Z".parse().unwrap()
    }

    fn mail(importance: Importance) -> Message {
        Message {
            id: kit::Id::from_uuid(uuid::Uuid::nil()),
            event_id: uuid::Uuid::nil(),
            addressee: Addressee::Customer,
            channel: ContactChannel::Email,
            user_id: uuid::Uuid::nil(),
            template: "order.created.customer".to_owned(),
            importance,
            particulars: Particulars::default(),
            order_id: None,
            order_seq: 1,
            fades: true,
            stale: false,
            state: State::Queued,
            attempts: 0,
            failure: String::new(),
            due_at: Some(now()),
            claimed_by: None,
            lease_until: None,
            created_at: now(),
            read_at: None,
        }
    }

    fn contact() -> Contact {
        let (name, email) = ("Ada".to_owned(), "ada@example.org".to_owned());
        Contact { name, email, locale: "fr".to_owned(), zone: chrono_tz::Europe::Paris }
    }

    #[test]
    fn quiet_hours_hold_all_but_what_is_critical() {
        let mut settings = Settings::of(uuid::Uuid::nil());
        settings.set_quiet_hours(Some(QuietTimes { from: 22 * 60, to: 7 * 60 }));
        let morning = "2027-05-11T05:00:00Z".parse().unwrap();
        for (importance, expected) in [
            (Importance::Routine, MailDecision::Hold(morning)),
            (Importance::Essential, MailDecision::Hold(morning)),
            (Importance::Critical, MailDecision::Send),
        ] {
            let decision =
                decide_delivery(&mail(importance), &settings, Reader::Known(&contact()), now());
            assert_eq!(decision, expected, "{importance:?}");
        }
        // In the zone that the settings name it is still the afternoon.
        settings.time_zone = "America/Los_Angeles".to_owned();
        let decision = decide_delivery(
            &mail(Importance::Routine),
            &settings,
            Reader::Known(&contact()),
            now(),
        );
        assert_eq!(decision, MailDecision::Send);
    }

    #[test]
    fn only_routine_mail_can_be_unwanted() {
        let mut settings = Settings::of(uuid::Uuid::nil());
        settings.email = false;
        for (importance, expected) in [
            (Importance::Routine, MailDecision::Cancel("NOT_WANTED")),
            (Importance::Essential, MailDecision::Send),
            (Importance::Critical, MailDecision::Send),
        ] {
            let decision =
                decide_delivery(&mail(importance), &settings, Reader::Known(&contact()), now());
            assert_eq!(decision, expected, "{importance:?}");
        }
    }

    #[test]
    fn what_is_stale_or_has_no_reader_is_dropped() {
        let settings = Settings::of(uuid::Uuid::nil());
        let routine = mail(Importance::Routine);
        let stale = Message { stale: true, ..routine.clone() };
        let decision = decide_delivery(&stale, &settings, Reader::Known(&contact()), now());
        assert_eq!(decision, MailDecision::Cancel("SUPERSEDED"));
        let erased = Contact { email: String::new(), ..contact() };
        for reach in [Reader::Absent, Reader::Known(&erased)] {
            let decision = decide_delivery(&routine, &settings, reach, now());
            assert_eq!(decision, MailDecision::Cancel("NO_CONTACT"));
        }
        // A mail whose answer never came is repeated, but not for ever.
        let in_flight = Message { state: State::Sent, ..stale };
        let decision = decide_delivery(&in_flight, &settings, Reader::Known(&contact()), now());
        assert_eq!(decision, MailDecision::Fail("SUPERSEDED"));
        let lost = Message { stale: false, ..in_flight };
        assert_eq!(
            decide_delivery(&lost, &settings, Reader::Known(&contact()), now()),
            MailDecision::Send
        );
        let given_up = Message { attempts: MAX_ATTEMPTS, ..lost };
        let decision = decide_delivery(&given_up, &settings, Reader::Known(&contact()), now());
        assert_eq!(decision, MailDecision::Fail("NO_ANSWER"));
    }
}
