//! The settings of payment, section `payment`.

use crate::domain::commission::Rules;
use anyhow::Context;
use kit::program::{config::Secret, secret_file};
use serde::Deserialize;
use std::{path::Path, time::Duration};
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
    /// When a payout falls due for which order set no time, in seconds after the capture.
    pub payout_delay_s: u32,
    /// The reasons of blocks that hold back what a provider has earned, as operators give them to `:block`. Payouts of a
    /// suspended account are always held.
    pub held_blocks: Vec<String>,
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
            held_blocks: vec!["FRAUD".to_owned()],
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

/// The secret of this data folder, made when there is none. A file without one is refused: events that are signed with
/// nothing would pass.
pub fn own_secret(folder: &Path) -> anyhow::Result<Secret> {
    let path = folder.join(SECRET_FILE);
    let fresh = format!("whsec_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let kept = secret_file::load_or_create(&path, fresh.as_bytes())
        .with_context(|| format!("the file {}", path.display()))?;
    let kept = String::from_utf8(kept).unwrap_or_default();
    let secret = kept.trim();
    anyhow::ensure!(!secret.is_empty(), "the file {} is damaged", path.display());
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_and_a_file_without_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let made = own_secret(folder.path()).unwrap();
        assert!(made.reveal().starts_with("whsec_"));
        assert_eq!(own_secret(folder.path()).unwrap().reveal(), made.reveal());
        for damaged in [b"".as_slice(), b" \n", b"\xFF"] {
            std::fs::write(folder.path().join(SECRET_FILE), damaged).unwrap();
            assert!(own_secret(folder.path()).unwrap_err().to_string().ends_with("is damaged"));
        }
    }
}
