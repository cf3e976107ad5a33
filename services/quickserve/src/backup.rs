//! `quickserve backup`: copies a data folder as it is at one moment, also while the system runs on it. The copy is a data
//! folder itself: to restore it, it is put where the old one was, beside the keys of families, which no copy has.

use crate::{cli::Storage, commands::print_line};
use anyhow::{Context, bail, ensure};
use kit::{
    Clock, envelope,
    storage::backup::{Copied, copy_databases},
};
use serde_json::json;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What the copy says of itself.
const MANIFEST: &str = "backup.json";
/// The mailboxes that stand in for a mail server. What lies there has been delivered.
const MAIL: &str = "mail";
/// What SQLite keeps a database in. These are not copied as files.
const DATABASE_ENDINGS: [&str; 4] = [".db", ".db-wal", ".db-shm", ".db-journal"];

/// Copies the data folder of `storage` to `to`, which must not be there yet.
pub async fn run(storage: &Storage, to: &Path) -> anyhow::Result<ExitCode> {
    let folder = &storage.data_dir;
    if storage.database_url.is_some() {
        bail!(
            "the tables are in PostgreSQL: back the database up with pg_dump or point-in-time recovery, and copy the \
             keys and secrets of the folder {} beside it",
            folder.display()
        );
    }
    let (folder, to) = check_places(folder, to)?;
    let beside = to.with_added_extension("partial");
    let made = fs::DirBuilder::new().mode(0o700).create(&beside);
    made.with_context(|| {
        format!("{} cannot be made; is another backup under way?", beside.display())
    })?;
    let copied = copy_folder(&folder, &beside, &to).await;
    if copied.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_dir_all(&beside);
    }
    let copied = copied?;
    print_line(&format!(
        "{} has {} databases as of {}; writers waited {} ms at most",
        to.display(),
        copied.databases.len(),
        copied.at.to_rfc3339(),
        copied.writers_waited.as_millis(),
    ))
}

/// The folder to copy and the place of the copy, free and outside of it.
fn check_places(folder: &Path, to: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let folder = fs::canonicalize(folder)
        .with_context(|| format!("the data folder {} cannot be read", folder.display()))?;
    let name = to.file_name().with_context(|| format!("{} names no folder", to.display()))?;
    let parent = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)
        .with_context(|| format!("the folder {} cannot be made", parent.display()))?;
    let to = fs::canonicalize(parent)?.join(name);
    ensure!(!to.starts_with(&folder), "{} lies in the data folder itself", to.display());
    ensure!(!to.try_exists()?, "{} is there already, and is left as it is", to.display());
    Ok((folder, to))
}

/// Makes the copy in `beside` and gives it its name once it is whole.
async fn copy_folder(folder: &Path, beside: &Path, to: &Path) -> anyhow::Result<Copied> {
    let copied = copy_databases(folder, beside, &Clock::system()).await?;
    let mut files = Vec::new();
    copy_files(folder, beside, Path::new(""), &mut files)?;
    write_private(&beside.join(MANIFEST), describe(&copied, &files).as_bytes())?;
    sync_folder(beside)?;
    // A folder that came there meanwhile is not replaced, unless it is empty.
    fs::rename(beside, to).with_context(|| format!("{} cannot be made", to.display()))?;
    sync_folder(to.parent().unwrap_or(to))?;
    Ok(copied)
}

/// Copies all files below `at` of a folder but databases, delivered mail and the keys of families, and notes their names.
fn copy_files(
    folder: &Path,
    beside: &Path,
    at: &Path,
    files: &mut Vec<String>,
) -> anyhow::Result<()> {
    let source = folder.join(at);
    for entry in fs::read_dir(&source).with_context(|| unreadable(&source))? {
        let name = entry.with_context(|| unreadable(&source))?.file_name();
        let text = name.to_string_lossy();
        // Where keys of families are destroyed, no copy of them is left: they are replicated, and not backed up.
        let is_left_out = [MAIL, MANIFEST, envelope::FOLDER].contains(&&*text);
        if is_left_out || DATABASE_ENDINGS.iter().any(|ending| text.ends_with(ending)) {
            continue;
        }
        let inner = at.join(&name);
        let (from, to) = (folder.join(&inner), beside.join(&inner));
        match fs::metadata(&from) {
            // A file that another process was making under a name of its own.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found if found.as_ref().is_ok_and(fs::Metadata::is_dir) => {
                let made = fs::DirBuilder::new().mode(0o700).create(&to);
                made.with_context(|| unwritable(&to))?;
                copy_files(folder, beside, &inner, files)?;
            }
            found => {
                found.with_context(|| unreadable(&from))?;
                write_private(&to, &fs::read(&from).with_context(|| unreadable(&from))?)?;
                files.push(inner.display().to_string());
            }
        }
    }
    if at != Path::new("") {
        sync_folder(&beside.join(at))?;
    }
    Ok(())
}

/// When the copy was made and of what, for the operator who restores it.
fn describe(copied: &Copied, files: &[String]) -> String {
    let databases = copied.databases.iter().map(|database| {
        json!({
            "service": database.service,
            "file": database.path.file_name().map(|name| name.to_string_lossy()),
            "bytes": database.bytes,
            "schema": database.schema,
        })
    });
    let manifest = json!({
        "format": 1,
        "taken_at": copied.at,
        "program": env!("CARGO_PKG_VERSION"),
        "databases": databases.collect::<Vec<_>>(),
        "files": files,
    });
    format!("{manifest:#}\n")
}

fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.with_context(|| unwritable(path))
}

fn unreadable(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

/// Has the disk keep the names in a folder.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("{} cannot be written to the disk", folder.display()))
}
