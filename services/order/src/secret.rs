//! Where the key of start codes and cancel tokens comes from.

use crate::domain::CodeKey;
use anyhow::Context;
use std::{fs, io, io::Write, path::Path};

/// The file that holds the key when the configuration names none.
const FILE: &str = "order.secret";
/// Bytes of a key.
const LENGTH: usize = 32;

/// The configured key, or the one in the data folder, which is made when there is none.
pub fn load_secret(
    configured: &kit::program::config::Secret,
    folder: &Path,
) -> anyhow::Result<CodeKey> {
    if !configured.is_empty() {
        let key = configured.reveal().as_bytes();
        anyhow::ensure!(key.len() >= LENGTH, "order.secret must have at least {LENGTH} characters");
        return Ok(CodeKey::new(key.to_vec()));
    }
    let path = folder.join(FILE);
    let key = match make_secret(folder, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(&path),
        made => made,
    };
    let key = key.with_context(|| format!("the file {}", path.display()))?;
    anyhow::ensure!(key.len() == LENGTH, "the file {} is damaged", path.display());
    Ok(CodeKey::new(key))
}

/// Makes the file whole or not at all: a key is written beside it and linked into place, unless one is there.
fn make_secret(folder: &Path, path: &Path) -> io::Result<Vec<u8>> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let key: [u8; LENGTH] = rand::random();
    let beside = folder.join(format!("{FILE}.{:016x}", rand::random::<u64>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    let linked = file
        .write_all(&key)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    linked.map(|()| key.to_vec())
}
