//! Secrets that a process keeps in files of its data folder: written whole or not at all, synced, and readable by nobody but
//! their owner.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The content of the file, which is made with `fresh` when there is none. Of several processes that start together, one
/// makes it and all get the same.
pub fn load_or_create(path: &Path, fresh: &[u8]) -> io::Result<Vec<u8>> {
    if !path.exists() {
        let beside = write_beside(path, fresh, 0o600)?;
        // Unlike a rename, a link never replaces what another process made meanwhile.
        let linked = fs::hard_link(&beside, path);
        fs::remove_file(&beside)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(path)?,
        }
    }
    fs::read(path)
}

/// Replaces the file.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with_mode(path, content, 0o600)
}

/// Replaces a file that every user of the machine may read.
pub fn replace_readable(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with_mode(path, content, 0o644)
}

fn replace_with_mode(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let beside = write_beside(path, content, mode)?;
    if let Err(error) = fs::rename(&beside, path) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    sync_folder(path)
}

/// Writes the content to a new file beside `path`.
fn write_beside(path: &Path, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", rand::random::<u64>()));
    let beside = path.with_file_name(name);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file
        .write_all(content)
        // Whatever the process takes from the modes of new files.
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(beside),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// Makes a new name in the file's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn processes_that_start_together_share_one_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.secret");
        let contents: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let makers = (0..8_u8).map(|n| {
                let path = &path;
                scope.spawn(move || load_or_create(path, &[n; 32]).unwrap())
            });
            let makers: Vec<_> = makers.collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(contents.iter().all(|content| *content == contents[0]), "{contents:?}");
        assert_eq!(contents[0].len(), 32);
        assert_eq!(load_or_create(&path, b"another").unwrap(), contents[0]);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_secret_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.secret");
        for content in ["first", "second, longer", "3"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("absent/own.secret"), b"x").is_err());
    }
}
