//! The settings of payment, section `payment`.

use crate::domain::commission::Rules;
use kit::program::config::Secret;
use serde::Deserialize;
use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::Path,
    time::Duration,
};
use uuid::Uuid;

/// The settings of payment.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the platform takes.
    pub commission: Rules,
    /// How long one call to the payment provider may take, in milliseconds.
    pub psp_timeout_ms: u64,
    /// How long an authorisation may be without an outcome before it is given up, in seconds.
    pub pending_deadline_s: u32,
    /// When a payout without a time of its own falls due, in seconds after the capture.
    pub payout_delay_s: u32,
    /// Where customers confirm; the payment provider's reference is added.
    pub confirmation_url: String,
    /// Secrets that sign events of the payment provider: the current one first, then those being replaced. Without any,
    /// one is made and kept in the data folder.
    pub psp_webhook_secrets: Vec<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            commission: Rules::default(),
            psp_timeout_ms: 4_000,
            pending_deadline_s: 1_800,
            payout_delay_s: 172_800,
            confirmation_url: "https://psp.invalid/confirm/".to_owned(),
            psp_webhook_secrets: Vec::new(),
        }
    }
}

impl Config {
    /// Refuses settings that make no sense.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.psp_timeout_ms > 0, "payment.psp_timeout_ms must be more than zero");
        self.commission.check()
    }

    /// How long one call to the payment provider may take.
    pub fn psp_timeout(&self) -> Duration {
        Duration::from_millis(self.psp_timeout_ms)
    }

    /// How long an authorisation may be without an outcome.
    pub fn pending_deadline(&self) -> chrono::Duration {
        chrono::Duration::seconds(self.pending_deadline_s.into())
    }

    /// When a payout falls due after the capture.
    pub fn payout_delay(&self) -> chrono::Duration {
        chrono::Duration::seconds(self.payout_delay_s.into())
    }
}

/// The file in the data folder that keeps the secret.
const SECRET_FILE: &str = "psp-webhook.secret";

/// The secret of this data folder, made when there is none.
pub fn own_secret(folder: &Path) -> std::io::Result<Secret> {
    let path = folder.join(SECRET_FILE);
    let made = format!("whsec_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(mut file) => {
            file.write_all(made.as_bytes())?;
            Ok(Secret::new(made))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(Secret::new(std::fs::read_to_string(path)?.trim()))
        }
        Err(error) => Err(error),
    }
}
