//! Mail: how a message becomes a letter, and the ways a letter can go.

mod file;
mod smtp;

use crate::{
    Config,
    contacts::IssuedCode,
    domain::{
        Message, Settings,
        message::Contact,
        template::{Code, Templates},
        text::Locale,
    },
};
use anyhow::Context;
use chrono::{DateTime, Utc};
use lettre::{
    Address,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use std::{path::Path, sync::Arc, time::SystemTime};

/// Says from which template a letter was written.
const TEMPLATE: HeaderName = HeaderName::new_from_ascii_str("X-QuickServe-Template");
/// Keeps absence notes from answering (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Why a letter did not go out, with a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It may go out another time.
    ForNow(&'static str),
    /// It never will.
    ForGood(&'static str),
}

/// The way that letters go.
pub enum Transport {
    Files(file::Files),
    /// To a mail server.
    Smtp(smtp::Smtp),
}

impl Transport {
    /// The way that the configuration names.
    pub async fn open(config: &Config, data_dir: &Path) -> anyhow::Result<Self> {
        if config.smtp_host.is_empty() {
            let files = file::Files::open(data_dir.join("mail")).await;
            return Ok(Self::Files(files.context("the folder of mail cannot be made")?));
        }
        Ok(Self::Smtp(smtp::Smtp::new(config)?))
    }

    /// Sends a letter.
    pub async fn send(&self, letter: Letter) -> Result<(), Refusal> {
        match self {
            Self::Files(files) => files.write(letter).await,
            Self::Smtp(smtp) => smtp.send(letter.mail).await,
        }
    }

    /// Whether the letter with this Message-ID, written at `since` or later, has gone already. A mail server cannot be
    /// asked: it answers no.
    pub async fn has(
        &self,
        message_id: &str,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        match self {
            Self::Files(files) => files.has(message_id, since, now).await,
            Self::Smtp(_) => Ok(false),
        }
    }

    /// Forgets letters sent on days before that of `before`. A server forgets by itself.
    pub async fn sweep(&self, before: DateTime<Utc>) -> std::io::Result<()> {
        match self {
            Self::Files(files) => files.delete_before(before.date_naive()).await,
            Self::Smtp(_) => Ok(()),
        }
    }
}

/// A letter, ready to go.
pub struct Letter {
    mail: lettre::Message,
    sent_at: DateTime<Utc>,
}

pub struct Writer {
    from: Mailbox,
    templates: Arc<Templates>,
}

impl Writer {
    /// A writer with the sender that the configuration names.
    pub fn new(config: &Config, templates: Arc<Templates>) -> anyhow::Result<Self> {
        let from = config.from.parse().context("notification.from is no mailbox")?;
        Ok(Self { from, templates })
    }

    /// The Message-ID of a message's letter: the same however often it is sent, so that a mailbox that knows it can
    /// drop a second one.
    pub fn message_id(&self, message: &Message) -> String {
        format!("<{}@{}>", message.id, self.from.email.domain())
    }

    /// The letter of a message.
    pub fn write(
        &self,
        message: &Message,
        settings: &Settings,
        contact: &Contact,
        code: Option<&IssuedCode>,
        now: DateTime<Utc>,
    ) -> Result<Letter, Refusal> {
        let locale = Locale::first_of([&settings.locale, &contact.locale]);
        let code = code.map(|IssuedCode { code, expires_at }| Code {
            code,
            expires: (*expires_at, contact.zone),
        });
        let said = self.templates.render(locale, &message.template, &message.particulars, code);
        let name = plain_text(&contact.name);
        let order = message.order_id.map(|order| order.to_string());
        let text = self.templates.letter(locale, &name, &said.body, order);

        let address: Address =
            contact.email.parse().map_err(|_| Refusal::ForGood("ADDRESS_INVALID"))?;
        let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable);
        let mail = lettre::Message::builder()
            .message_id(Some(self.message_id(message)))
            .date(SystemTime::from(now))
            .from(self.from.clone())
            .to(Mailbox::new(Some(name).filter(|name| !name.is_empty()), address))
            .subject(plain_text(&said.subject))
            .raw_header(HeaderValue::new(TEMPLATE, message.template.clone()))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(body.map_err(|_| Refusal::ForGood("UNWRITABLE"))?)
            .map_err(|_| Refusal::ForGood("UNWRITABLE"))?;
        Ok(Letter { mail, sent_at: now })
    }
}

/// The text without what could end a line of a header.
fn plain_text(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
