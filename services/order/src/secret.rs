//! Where the key of start codes and cancel tokens comes from.

use crate::domain::CodeKey;
use anyhow::Context;
use kit::program::{config::Secret, secret_file};
use std::path::Path;

/// The file that holds the key when the configuration names none.
const FILE: &str = "order.secret";
/// Bytes of a key.
const LENGTH: usize = 32;

/// The configured key, or the one in the data folder, which is made when there is none.
pub fn load_secret(configured: &Secret, folder: &Path) -> anyhow::Result<CodeKey> {
    if !configured.is_empty() {
        let key = configured.reveal().as_bytes();
        anyhow::ensure!(key.len() >= LENGTH, "order.secret must have at least {LENGTH} characters");
        return Ok(CodeKey::new(key.to_vec()));
    }
    let path = folder.join(FILE);
    let key = secret_file::load_or_create(&path, &rand::random::<[u8; LENGTH]>())
        .with_context(|| format!("the file {}", path.display()))?;
    anyhow::ensure!(key.len() == LENGTH, "the file {} is damaged", path.display());
    Ok(CodeKey::new(key))
}
