//! Mail as files, for a system without a mail server: one `.eml` a letter, there as a whole or not at all.

use super::{Letter, Refusal};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// A folder of letters. They hold addresses and codes: only the owner may read them.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// The folder, made if it is not there.
    pub async fn open(folder: PathBuf) -> io::Result<Self> {
        let made = folder.clone();
        tokio::task::spawn_blocking(move || make(&made)).await.map_err(io::Error::other)??;
        Ok(Self { folder })
    }

    /// Writes a letter under its name.
    pub async fn write(&self, Letter { mail, file_name }: Letter) -> Result<(), Refusal> {
        let folder = self.folder.clone();
        let work = move || write(&folder, &file_name, &mail.formatted());
        let written = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
        written.flatten().map_err(|error| {
            tracing::warn!(%error, "a mail cannot be written");
            Refusal::ForNow("FILE_NOT_WRITTEN")
        })
    }
}

impl Files {
    /// Deletes the letters whose names come before `name`: they begin with the time at which they were made.
    pub async fn delete_before(&self, name: String) -> io::Result<()> {
        let folder = self.folder.clone();
        let work = move || delete_before(&folder, &name);
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

fn delete_before(folder: &Path, name: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name().to_string_lossy().into_owned();
        // What a crash left half written is hidden by a dot.
        let letter = found.strip_prefix('.').unwrap_or(&found);
        let ours = letter.ends_with(".eml") || letter.ends_with(".eml.part");
        if ours && letter < name {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write(folder: &Path, name: &str, letter: &[u8]) -> io::Result<()> {
    let part = folder.join(format!(".{name}.part"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&part)?.write_all(letter)?;
    fs::rename(part, folder.join(name))
}
