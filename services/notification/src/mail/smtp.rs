//! Mail to a server, by SMTP.
//!
//! SMTP has no way to ask whether a letter was taken. When a process dies, or the connection breaks, between the
//! server's answer and our note of it, the letter goes again: better twice than never. Both carry the same Message-ID,
//! by which many servers and mailboxes drop the second one, but none has to (RFC 1047 is about such duplicates). The
//! note follows the answer at once, so that the gap is one commit wide.

use super::Refusal;
use crate::{Config, Security};
use anyhow::{Context, ensure};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use std::time::Duration;

/// How long the server may take for one step.
const STEP_LONGEST: Duration = Duration::from_secs(15);
/// How long it may take for a letter.
const LETTER_LONGEST: Duration = Duration::from_secs(60);

/// A mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// The server that the configuration names. It is asked for nothing yet.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let host = config.smtp_host.clone();
        let (tls, usual_port) = match config.smtp_security {
            Security::Tls => (Tls::Wrapper(tls_to(&host)?), 465),
            Security::Starttls => (Tls::Required(tls_to(&host)?), 587),
            Security::None => (Tls::None, 25),
        };
        let port = if config.smtp_port == 0 { usual_port } else { config.smtp_port };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(port)
            .tls(tls)
            .timeout(Some(STEP_LONGEST));
        if !config.smtp_username.is_empty() {
            ensure!(
                config.smtp_security != Security::None || is_local(&host),
                "notification.smtp_security must not be none where a password is sent"
            );
            let password = config.smtp_password.reveal().to_owned();
            builder = builder.credentials(Credentials::new(config.smtp_username.clone(), password));
        }
        Ok(Self { transport: builder.build() })
    }

    /// Hands a letter to the server.
    pub async fn send(&self, letter: Message) -> Result<(), Refusal> {
        let sent = tokio::time::timeout(LETTER_LONGEST, self.transport.send(letter)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(is_refusal(&error)),
            Err(_) => Err(Refusal::ForNow("SMTP_TIMEOUT")),
        }
    }
}

fn tls_to(host: &str) -> anyhow::Result<TlsParameters> {
    TlsParameters::new(host.to_owned()).context("TLS to the mail server")
}

/// What the server's answer means. Its text may repeat the address, so that only the code is logged.
fn is_refusal(error: &Error) -> Refusal {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    tracing::warn!(code, timeout = error.is_timeout(), "the mail server took no mail");
    if error.is_permanent() {
        Refusal::ForGood("SMTP_REFUSED")
    } else if error.is_transient() {
        Refusal::ForNow("SMTP_BUSY")
    } else {
        Refusal::ForNow("SMTP_UNREACHABLE")
    }
}

fn is_local(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::program::config::Secret;

    #[tokio::test]
    async fn a_password_never_travels_in_the_open() {
        let config = |host: &str, security, username: &str| Config {
            smtp_host: host.to_owned(),
            smtp_security: security,
            smtp_username: username.to_owned(),
            smtp_password: Secret::new("sesame"),
            ..Config::default()
        };
        for (config, allowed) in [
            (config("mail.example.org", Security::None, "quickserve"), false),
            (config("mail.example.org", Security::None, ""), true),
            (config("mail.example.org", Security::Starttls, "quickserve"), true),
            (config("mail.example.org", Security::Tls, "quickserve"), true),
            (config("127.0.0.1", Security::None, "quickserve"), true),
            (config("::1", Security::None, "quickserve"), true),
            (config("localhost", Security::None, "quickserve"), true),
        ] {
            assert_eq!(Smtp::new(&config).is_ok(), allowed, "{}", config.smtp_host);
        }
    }
}
