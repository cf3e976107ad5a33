//! Notification owns messages: what people are told about their orders, money and accounts, how they want to be told,
//! and the way there (an inbox and e-mail). It acts on the facts of the other services and asks user for contacts.
//!
//! Start reading at `domain::catalogue` (who is told what) and `worker` (how mail goes out); `api` has a function
//! for each RPC. The words are in `templates`.

mod api;
mod contacts;
mod convert;
mod domain;
mod events;
mod mail;
mod repository;
mod watch;
mod worker;

use domain::text::Locale;
use kit::program::config::Secret;
use proto::quickserve::notification::v1::notification_service_server::NotificationServiceServer;
use serde::Deserialize;
use std::sync::Arc;

/// The section `notification` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sender of mail.
    pub from: String,
    /// Host of the SMTP server; without one, mail is written as files into the folder `mail` of the data folder.
    pub smtp_host: String,
    /// Port of the SMTP server; 0 takes the usual one.
    pub smtp_port: u16,
    /// How the way to the SMTP server is protected.
    pub smtp_security: Security,
    /// Account at the SMTP server; none without.
    pub smtp_username: String,
    /// Password at the SMTP server.
    pub smtp_password: Secret,
    /// Where the operators of the marketplace get their mail; without it they get none.
    pub operator_email: String,
    /// Language of the operators' mail, `fr` or `en`.
    pub operator_locale: Locale,
    /// Milliseconds that mail waits for more mail, to be sent together.
    pub linger_ms: u32,
    /// Days for which messages, and letters in the folder of mail, are kept.
    pub keep_days: u32,
}

/// How the way to an SMTP server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after `STARTTLS`, or no mail.
    Starttls,
    /// Not at all; a password is then refused unless the server is on this machine.
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            from: "QuickServe <no-reply@quickserve.example>".to_owned(),
            smtp_host: String::new(),
            smtp_port: 0,
            smtp_security: Security::Starttls,
            smtp_username: String::new(),
            smtp_password: Secret::default(),
            operator_email: String::new(),
            operator_locale: Locale::Fr,
            linger_ms: 200,
            keep_days: 365,
        }
    }
}

/// Starts the service on its database, which must be migrated.
///
/// # Errors
/// A configuration that cannot be used, templates that are incomplete, or a database that does not open.
pub async fn start(host: &kit::Host) -> anyhow::Result<kit::Routes> {
    let config: Config = host.config()?;
    let templates = Arc::new(domain::template::Templates::load()?);
    let transport = Arc::new(mail::Transport::open(&config, host.data_dir()).await?);
    let writer = mail::Writer::new(&config, templates.clone())?;
    let repository = repository::Repository::new(host.database().await?);
    let contacts = contacts::Contacts::new(host, &config);
    let signals = events::Signals { inbox: host.wake_ups("inbox"), mail: Arc::default() };

    let teller = events::Teller {
        repository: repository.clone(),
        contacts: contacts.clone(),
        signals: signals.clone(),
        operators: !config.operator_email.is_empty(),
    };
    host.subscribe(Arc::new(teller))?;
    let mail = worker::MailWorker::new(worker::Parts {
        repository: repository.clone(),
        contacts: contacts.clone(),
        writer,
        transport: transport.clone(),
        linger: std::time::Duration::from_millis(config.linger_ms.into()),
    });
    host.spawn(mail.run(signals.clone(), host.stop_token()));
    let kept = chrono::Duration::days(config.keep_days.max(1).into());
    let swept = repository.clone();
    host.every("delete old messages", worker::DELETE_EVERY, move || {
        worker::delete_old(swept.clone(), transport.clone(), kept)
    });

    let reader = api::Reader { repository, contacts, templates };
    let watches = watch::Watches::new(reader.clone(), signals, host.stop_token());
    Ok(kit::Routes::default().add(NotificationServiceServer::new(api::Api { reader, watches })))
}
