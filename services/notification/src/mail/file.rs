//! Mail as files, for a system without a mail server: a mailbox a day, which programs for mail can read (RFC 4155, with
//! `>` before lines that would look like the start of a letter).

use super::{Letter, Refusal};
use chrono::{DateTime, NaiveDate, Utc};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// How the name of a mailbox ends, after its day.
const MAILBOX: &str = ".mbox";

/// A folder of mailboxes. They hold addresses and codes: only the owner may read them.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// The folder, made if it is not there.
    pub async fn open(folder: PathBuf) -> io::Result<Self> {
        let made = folder.clone();
        run_blocking(move || make_folder(&made)).await?;
        Ok(Self { folder })
    }

    /// Appends a letter to the mailbox of its day.
    pub async fn write(&self, Letter { mail, sent_at }: Letter) -> Result<(), Refusal> {
        let path = self.folder.join(format!("{}{MAILBOX}", sent_at.date_naive()));
        let written =
            run_blocking(move || append_entry(&path, &format_entry(&mail.formatted(), sent_at)));
        written.await.map_err(|error| {
            tracing::warn!(%error, "cannot write a letter to its mailbox; the letter is tried again");
            Refusal::ForNow("FILE_NOT_WRITTEN")
        })
    }

    /// Whether a mailbox of the days from `since` to `now` holds the letter with this Message-ID.
    pub async fn has(
        &self,
        message_id: &str,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        let (folder, message_id) = (self.folder.clone(), message_id.to_owned());
        let (first, last) = (since.date_naive(), now.date_naive());
        let found = run_blocking(move || contains(&folder, &message_id, first, last));
        found.await.map_err(|error| {
            tracing::warn!(%error, "cannot read the folder of mail; the letter is tried again");
            Refusal::ForNow("FILE_NOT_READ")
        })
    }

    /// Deletes the mailboxes of the days before `day`.
    pub async fn delete_before(&self, day: NaiveDate) -> io::Result<()> {
        let folder = self.folder.clone();
        run_blocking(move || delete_before(&folder, day)).await
    }
}

/// Does what waits for the disk on a thread that may wait.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn contains(
    folder: &Path,
    message_id: &str,
    first: NaiveDate,
    last: NaiveDate,
) -> io::Result<bool> {
    for day in first.iter_days().take_while(|day| *day <= last) {
        let mailbox = match fs::read(folder.join(format!("{day}{MAILBOX}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        if String::from_utf8_lossy(&mailbox).contains(message_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn delete_before(folder: &Path, day: NaiveDate) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let named = name.to_str().and_then(|name| name.strip_suffix(MAILBOX));
        if named.and_then(|day| day.parse().ok()).is_some_and(|of: NaiveDate| of < day) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// In one write, so that letters of several writers do not mix.
fn append_entry(path: &Path, entry: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(entry)
}

/// A letter as a mailbox has it: a line that starts it, its lines, an empty line.
fn format_entry(letter: &[u8], sent_at: DateTime<Utc>) -> Vec<u8> {
    let mut entry = format!("From quickserve {}\n", sent_at.format("%a %b %e %T %Y")).into_bytes();
    let letter = letter.strip_suffix(b"\r\n").unwrap_or(letter);
    for line in letter.split(|byte| *byte == b'\n') {
        let quoted = line.iter().position(|byte| *byte != b'>').unwrap_or(line.len());
        if line[quoted..].starts_with(b"From ") {
            entry.push(b'>');
        }
        entry.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        entry.push(b'\n');
    }
    entry.push(b'\n');
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_looks_like_the_start_of_a_letter_is_marked() {
        let sent_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let entry = format_entry(b"Subject: x\r\n\r\nFrom me\r\n>From you\r\nto From\r\n", sent_at);
        let expected = "From quickserve Fri Jan 15 08:00:00 2027\n\
                        Subject: x\n\n>From me\n>>From you\nto From\n\n";
        assert_eq!(String::from_utf8(entry).unwrap(), expected);
    }
}
