//! Whether the disk of the data folder has room. While it has none, the process says that it is not ready.

use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::sync::watch;

/// How often the disk is looked at.
pub const LOOK_EVERY: chrono::Duration = chrono::Duration::seconds(5);

/// A disk that is looked at.
pub struct Disk {
    /// A folder on it.
    pub folder: PathBuf,
    /// Bytes that must be left for this process.
    pub min_free_bytes: u64,
    /// Whether they are.
    pub has_room: watch::Sender<bool>,
}

impl Disk {
    /// Notes whether there is room, and logs it when that has changed.
    pub async fn look(&self) -> io::Result<()> {
        let folder = self.folder.clone();
        let free = tokio::task::spawn_blocking(move || free_bytes(&folder)).await;
        self.note(free.map_err(io::Error::other)??);
        Ok(())
    }

    fn note(&self, free_bytes: u64) {
        let has_room = free_bytes >= self.min_free_bytes;
        let had_room = self.has_room.send_replace(has_room);
        let (folder, needed_bytes) = (self.folder.display(), self.min_free_bytes);
        match (had_room, has_room) {
            (true, false) => tracing::error!(
                %folder, free_bytes, needed_bytes,
                "the disk is full: this process says that it is not ready until there is room"
            ),
            (false, true) => {
                tracing::info!(%folder, free_bytes, "the disk has room again: this process is ready");
            }
            _ => {}
        }
    }
}

/// The bytes that a process without special rights may still write to the disk of `folder`.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_is_full_until_it_has_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let (has_room, heard) = watch::channel(true);
        let mut disk =
            Disk { folder: folder.path().to_owned(), min_free_bytes: u64::MAX, has_room };
        disk.look().await.unwrap();
        assert!(!*heard.borrow());
        disk.min_free_bytes = 1;
        disk.look().await.unwrap();
        assert!(*heard.borrow());
        disk.folder = folder.path().join("absent");
        assert!(disk.look().await.is_err());
        assert!(*heard.borrow(), "what is not known changes nothing");
    }
}
