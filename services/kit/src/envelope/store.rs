//! The folder of keys: the ring, and a file for the key of each family.

use super::{
    EnvelopeError,
    cell::{FamilyKey, KEY_ID_LEN, KeyId, SECRET_LEN, key_id_of, random_bytes},
    ring_file::{FILE, Ring, name_of},
};
use crate::program::secret_file;
use chrono::{DateTime, Utc};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// Held shared by who makes or wraps keys, and alone by who destroys them or changes the ring.
const LOCK: &str = "ring.lock";
/// What the names of the files of family keys end with.
const ENDING: &str = "key";
/// What the name of a family key ends with while it is being destroyed.
const GONE: &str = "gone";

/// The keys of families, each wrapped by a master key of the ring. Its calls read and write small files.
#[derive(Clone)]
pub struct KeyStore {
    folder: Arc<PathBuf>,
    seen: Arc<Mutex<SeenRing>>,
    /// The ring by which all keys were wrapped when they were looked at last; none before that.
    wrapped_by: Arc<Mutex<Option<Stamp>>>,
}

struct SeenRing {
    ring: Arc<Ring>,
    stamp: Option<Stamp>,
}

/// What changes when a file is replaced: inode, modification time in seconds and nanoseconds.
type Stamp = (u64, i64, i64);

impl KeyStore {
    /// Opens the keys in `folder`, whose ring must be there.
    pub fn open(folder: &Path) -> Result<Self, EnvelopeError> {
        let path = folder.join(FILE);
        let stamp = stamp_of(&path);
        Ok(Self::with(folder, Ring::load(&path)?, stamp))
    }

    /// Opens the keys in `folder`, with a new ring where there is none.
    pub fn open_or_create(folder: &Path, now: DateTime<Utc>) -> Result<Self, EnvelopeError> {
        make_folder(folder)?;
        let path = folder.join(FILE);
        let ring = Ring::load_or_create(&path, now)?;
        Ok(Self::with(folder, ring, stamp_of(&path)))
    }

    fn with(folder: &Path, ring: Ring, stamp: Option<Stamp>) -> Self {
        let seen = SeenRing { ring: Arc::new(ring), stamp };
        Self {
            folder: Arc::new(folder.to_owned()),
            seen: Arc::new(Mutex::new(seen)),
            wrapped_by: Arc::default(),
        }
    }

    /// The ring as its file has it. While the file cannot be read, the last one that could.
    pub fn ring(&self) -> Arc<Ring> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(FILE);
        let stamp = stamp_of(&path);
        if stamp != seen.stamp {
            match Ring::load(&path) {
                Ok(ring) => *seen = SeenRing { ring: Arc::new(ring), stamp },
                Err(error) => {
                    tracing::warn!(%error, "cannot read the ring again, goes on with the one in memory");
                }
            }
        }
        Arc::clone(&seen.ring)
    }

    /// Makes the key of a family, unless it has one.
    pub fn create_key(&self, family: Uuid) -> Result<FamilyKey, EnvelopeError> {
        let _shared = self.lock_shared()?;
        let path = self.path_of(family);
        make_folder(path.parent().unwrap_or(&self.folder))?;
        let ring = self.ring();
        let secret = FamilySecret {
            id: random_bytes()?,
            key: random_bytes()?,
            pepper: ring.active()?.pepper(),
        };
        let wrapped = secret.wrap(&ring, family)?;
        let stored =
            secret_file::load_or_create(&path, &wrapped).map_err(EnvelopeError::io(&path))?;
        FamilySecret::unwrap(&ring, family, &stored)?.into_key(family)
    }

    /// The key of a family; [`EnvelopeError::Destroyed`] where there is none.
    pub fn find_key(&self, family: Uuid) -> Result<FamilyKey, EnvelopeError> {
        let wrapped = self.read_key(family)?;
        FamilySecret::unwrap(&self.ring(), family, &wrapped)?.into_key(family)
    }

    /// Destroys the key of a family for good: nothing that was sealed under it can be read again, in any copy. What else a
    /// process that ended early has left of it is destroyed as well.
    pub fn destroy_key(&self, family: Uuid) -> Result<(), EnvelopeError> {
        let _alone = self.lock_alone()?;
        let path = self.path_of(family);
        // No reader finds half of it meanwhile.
        match fs::rename(&path, path.with_extension(GONE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.map_err(EnvelopeError::io(&path))?,
        }
        let Some(shard) = path.parent().filter(|shard| shard.exists()) else { return Ok(()) };
        let name = family.to_string();
        for file in read_folder(shard)? {
            if file.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&name)) {
                destroy_file(&file).map_err(EnvelopeError::io(&file))?;
            }
        }
        Ok(())
    }

    /// Destroys what processes that ended early have left of keys: those that were about to be destroyed, and copies that were
    /// about to be put in place. No process makes or wraps a key meanwhile.
    fn destroy_remains(&self) -> Result<(), EnvelopeError> {
        let _alone = self.lock_alone()?;
        for file in self.key_files()? {
            if file.extension().is_some_and(|ending| ending == GONE || ending == "new") {
                destroy_file(&file).map_err(EnvelopeError::io(&file))?;
            }
        }
        Ok(())
    }

    /// Wraps anew what older keys of the ring wrap, and returns how many family keys that were. While the ring stays as it
    /// was, nothing is looked at again.
    pub fn rewrap_keys(&self) -> Result<usize, EnvelopeError> {
        let stamp = stamp_of(&self.folder.join(FILE));
        let was = *self.wrapped_by.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp.is_some() && stamp == was {
            return Ok(0);
        }
        if was.is_none() {
            self.destroy_remains()?;
        }
        let rewrapped = if self.ring().keys().count() > 1 { self.rewrap_all()? } else { 0 };
        *self.wrapped_by.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        Ok(rewrapped)
    }

    fn rewrap_all(&self) -> Result<usize, EnvelopeError> {
        let active = self.ring().active()?.id();
        let mut rewrapped = 0;
        for family in self.families()? {
            // Held for one key at a time, so that who destroys one does not wait for all.
            let _shared = self.lock_shared()?;
            let wrapped = match self.read_key(family) {
                Err(EnvelopeError::Destroyed) => continue,
                found => found?,
            };
            if key_id_of(&wrapped) == Some(active) {
                continue;
            }
            let ring = self.ring();
            let anew = FamilySecret::unwrap(&ring, family, &wrapped)?.wrap(&ring, family)?;
            let path = self.path_of(family);
            secret_file::replace(&path, &anew).map_err(EnvelopeError::io(&path))?;
            rewrapped += 1;
        }
        Ok(rewrapped)
    }

    /// Adds a key to the ring, which wraps from now on.
    pub fn rotate(&self, now: DateTime<Utc>) -> Result<(), EnvelopeError> {
        let _alone = self.lock_alone()?;
        let path = self.folder.join(FILE);
        let mut ring = Ring::load(&path)?;
        ring.add_key(now)?;
        ring.save(&path)
    }

    /// Takes a key out of the ring. One that wraps, now or any family's key, stays.
    pub fn retire(&self, kid: &str) -> Result<(), EnvelopeError> {
        let _alone = self.lock_alone()?;
        let path = self.folder.join(FILE);
        let mut ring = Ring::load(&path)?;
        let key = ring.keys().find(|key| key.kid() == kid);
        let id = key.ok_or_else(|| EnvelopeError::UnknownKey(kid.to_owned()))?.id();
        let families = self.count_wrapped_by(id)?;
        if families > 0 || ring.active()?.id() == id {
            return Err(EnvelopeError::InUse { kid: name_of(id), families });
        }
        ring.remove_key(kid);
        ring.save(&path)
    }

    /// How many family keys a key of the ring wraps.
    fn count_wrapped_by(&self, id: KeyId) -> Result<usize, EnvelopeError> {
        let mut count = 0;
        for family in self.families()? {
            match self.read_key(family) {
                Ok(wrapped) => count += usize::from(key_id_of(&wrapped) == Some(id)),
                Err(EnvelopeError::Destroyed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// The families that have keys.
    fn families(&self) -> Result<Vec<Uuid>, EnvelopeError> {
        let mut families = Vec::new();
        for file in self.key_files()? {
            let is_key = file.extension().is_some_and(|ending| ending == ENDING);
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(family) = name.parse().ok().filter(|_| is_key) {
                families.push(family);
            }
        }
        Ok(families)
    }

    /// The files in the folders of family keys.
    fn key_files(&self) -> Result<Vec<PathBuf>, EnvelopeError> {
        let mut files = Vec::new();
        for shard in read_folder(&self.folder)?.into_iter().filter(|it| it.is_dir()) {
            files.extend(read_folder(&shard)?);
        }
        Ok(files)
    }

    fn read_key(&self, family: Uuid) -> Result<Vec<u8>, EnvelopeError> {
        let path = self.path_of(family);
        fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EnvelopeError::Destroyed,
            _ => EnvelopeError::io(&path)(error),
        })
    }

    /// The file of a family's key: 256 folders keep each of them small.
    fn path_of(&self, family: Uuid) -> PathBuf {
        let shard = family.as_bytes().last().copied().unwrap_or_default();
        self.folder.join(format!("{shard:02x}")).join(format!("{family}.{ENDING}"))
    }

    fn lock_shared(&self) -> Result<fs::File, EnvelopeError> {
        let (file, path) = self.lock_file()?;
        file.lock_shared().map_err(EnvelopeError::io(&path))?;
        Ok(file)
    }

    fn lock_alone(&self) -> Result<fs::File, EnvelopeError> {
        let (file, path) = self.lock_file()?;
        file.lock().map_err(EnvelopeError::io(&path))?;
        Ok(file)
    }

    fn lock_file(&self) -> Result<(fs::File, PathBuf), EnvelopeError> {
        let path = self.folder.join(LOCK);
        let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        Ok((opened.map_err(EnvelopeError::io(&path))?, path))
    }
}

/// What is wrapped for a family: the name and the bytes of its key, and the pepper of its codes.
struct FamilySecret {
    id: KeyId,
    key: [u8; SECRET_LEN],
    pepper: [u8; SECRET_LEN],
}

impl FamilySecret {
    fn wrap(&self, ring: &Ring, family: Uuid) -> Result<Vec<u8>, EnvelopeError> {
        let text = [&self.id[..], &self.key, &self.pepper].concat();
        ring.active()?.cipher().seal(&bind_key(family), &text)
    }

    fn unwrap(ring: &Ring, family: Uuid, wrapped: &[u8]) -> Result<Self, EnvelopeError> {
        let id = key_id_of(wrapped).ok_or(EnvelopeError::Foreign)?;
        let text = ring.find_key(id)?.cipher().open(&bind_key(family), wrapped)?;
        let (id, secrets) = text.split_at_checked(KEY_ID_LEN).ok_or(EnvelopeError::Foreign)?;
        let (key, pepper) = secrets.split_at_checked(SECRET_LEN).ok_or(EnvelopeError::Foreign)?;
        let wrong = |_| EnvelopeError::Foreign;
        Ok(Self {
            id: id.try_into().map_err(wrong)?,
            key: key.try_into().map_err(wrong)?,
            pepper: pepper.try_into().map_err(wrong)?,
        })
    }

    fn into_key(self, family: Uuid) -> Result<FamilyKey, EnvelopeError> {
        FamilyKey::new(family, self.id, &self.key, self.pepper)
    }
}

/// Removes a file whose blocks shall not keep what it was.
fn destroy_file(path: &Path) -> io::Result<()> {
    overwrite(path)?;
    fs::remove_file(path)?;
    sync_folder(path)
}

/// Overwrites a file with zeros, so that its blocks do not keep what it was, where the file system writes in place.
fn overwrite(path: &Path) -> io::Result<()> {
    let size = fs::metadata(path)?.size();
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(&vec![0; usize::try_from(size).unwrap_or_default()])?;
    file.sync_all()
}

/// What a wrapped key is bound to.
fn bind_key(family: Uuid) -> Vec<u8> {
    [b"family key ".as_slice(), family.as_bytes()].concat()
}

fn make_folder(folder: &Path) -> Result<(), EnvelopeError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(EnvelopeError::io(folder))
}

fn read_folder(folder: &Path) -> Result<Vec<PathBuf>, EnvelopeError> {
    let entries = fs::read_dir(folder).map_err(EnvelopeError::io(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(EnvelopeError::io(folder))
}

/// Makes a name that was taken out of the file's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec()))
}
