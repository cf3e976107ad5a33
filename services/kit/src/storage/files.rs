//! The SQLite files of a data folder: which of them there should be, and who may read them.
//!
//! A database that was there before and is gone or empty now must not be made anew: its service would start without
//! accounts or money, beside others that know of them. So the folder lists the databases that were made in it.

use sea_orm::DbErr;
use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// The list: a name a line, which an operator can take out.
const LIST: &str = "databases.txt";
const LIST_BEGINS: &str = "# The databases that were made in this folder. QuickServe does not start without one of them.\n";
/// The databases of folders that are older than the list.
const BEFORE_THE_LIST: [&str; 6] =
    ["cleaning", "notification", "order", "payment", "provider", "user"];
/// Only the owner may read and write.
pub(super) const PRIVATE: u32 = 0o600;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A database that the folder had before is gone.
    #[error(
        "{path} {problem}, though the tables of {service} were in it: put it back, together with the others of the same \
         backup; to begin without its data instead, take the line \"{service}\" out of {list}"
    )]
    Lost {
        /// The path at which the file should be.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The service whose tables it held.
        service: String,
        /// The list of databases.
        list: String,
    },
    /// The folder or a file in it cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The path of the folder or file.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The file is no database, or a damaged one.
    #[error("{path} cannot be read: {source}")]
    Damaged {
        /// The path of the file.
        path: String,
        /// What SQLite answered.
        source: DbErr,
    },
}

/// The file in which a service keeps its tables.
pub struct DatabaseFile<'a> {
    folder: &'a Path,
    service: &'a str,
}

impl<'a> DatabaseFile<'a> {
    /// The file of `service` in `folder`.
    pub const fn new(folder: &'a Path, service: &'a str) -> Self {
        Self { folder, service }
    }

    /// Makes the file if the folder never had it, and refuses to go on without one that it had. Takes the right to read
    /// it from everybody but the owner.
    pub async fn prepare(&self) -> Result<(), FileError> {
        if self.is_expected()? {
            self.check_tables().await?;
        }
        self.make_private().map_err(|error| failed(&self.path(), error))
    }

    /// Fails unless the file has the tables of its service.
    pub async fn check_tables(&self) -> Result<(), FileError> {
        let path = self.path();
        if !path.try_exists().map_err(|error| failed(&path, error))? {
            return Err(self.lost("is missing"));
        }
        let has_tables = migrations::sqlite_has_tables(&self.url()).await;
        if has_tables.map_err(|source| FileError::Damaged { path: shown(&path), source })? {
            Ok(())
        } else {
            Err(self.lost("is empty"))
        }
    }

    /// Notes that the file has tables, so that it is missed from now on when it is gone.
    pub fn note_made(&self) -> Result<(), FileError> {
        let list = self.list();
        let listed = names(&list).map_err(|error| failed(&list, error))?;
        if listed.is_some_and(|names| names.iter().any(|name| name == self.service)) {
            return Ok(());
        }
        append(&list, &format!("{}\n", self.service)).map_err(|error| failed(&list, error))
    }

    /// Whether the folder had this database before.
    fn is_expected(&self) -> Result<bool, FileError> {
        // In this order: the list is made before the first database.
        let is_used =
            BEFORE_THE_LIST.iter().any(|service| has_content(&file(self.folder, service)));
        let list = self.list();
        let listed = names(&list).map_err(|error| failed(&list, error))?;
        if let Some(names) = listed {
            return Ok(names.iter().any(|name| name == self.service));
        }
        let found: &[&str] = if is_used { &BEFORE_THE_LIST } else { &[] };
        let lines = found.iter().map(|name| format!("{name}\n"));
        let text = std::iter::once(LIST_BEGINS.to_owned()).chain(lines).collect::<String>();
        append(&list, &text).map_err(|error| failed(&list, error))?;
        Ok(found.contains(&self.service))
    }

    fn make_private(&self) -> io::Result<()> {
        let path = self.path();
        fs::OpenOptions::new().append(true).create(true).mode(PRIVATE).open(&path)?;
        // What SQLite keeps beside it gets the mode of the file itself, but may be of an earlier version.
        for suffix in ["", "-wal", "-shm"] {
            let beside = PathBuf::from(format!("{}{suffix}", path.display()));
            match fs::set_permissions(beside, fs::Permissions::from_mode(PRIVATE)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                set => set?,
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        file(self.folder, self.service)
    }

    fn url(&self) -> String {
        format!("sqlite://{}?mode=rw", self.path().display())
    }

    fn list(&self) -> PathBuf {
        self.folder.join(LIST)
    }

    fn lost(&self, problem: &'static str) -> FileError {
        let (path, list) = (shown(&self.path()), shown(&self.list()));
        FileError::Lost { path, problem, service: self.service.to_owned(), list }
    }
}

/// The services whose databases were made in `folder`, sorted; none when it never had any.
pub fn list_services(folder: &Path) -> Result<Vec<String>, FileError> {
    let list = folder.join(LIST);
    let listed = match names(&list).map_err(|error| failed(&list, error))? {
        Some(names) => names,
        None => BEFORE_THE_LIST.map(str::to_owned).to_vec(),
    };
    let is_used = listed.iter().any(|service| has_content(&file(folder, service)));
    let is_name = |line: &String| !line.is_empty() && !line.starts_with('#');
    let mut services: Vec<String> = listed.into_iter().filter(is_name).collect();
    services.sort();
    services.dedup();
    Ok(if is_used { services } else { Vec::new() })
}

/// The file of a service.
pub fn file(folder: &Path, service: &str) -> PathBuf {
    folder.join(format!("{service}.db"))
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// The names on the list; none without a list.
fn names(list: &Path) -> io::Result<Option<Vec<String>>> {
    match fs::read_to_string(list) {
        Ok(text) => Ok(Some(text.lines().map(|line| line.trim().to_owned()).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// In one write, so that processes that start together do not mix their lines.
fn append(list: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).create(true).mode(PRIVATE).open(list)?;
    file.write_all(text.as_bytes())
}

fn failed(path: &Path, source: io::Error) -> FileError {
    FileError::Io { path: shown(path), source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
