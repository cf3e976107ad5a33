//! What is encrypted: profiles, the words of incidents, and the reasons of operators. Nothing else here sees keys.

use crate::domain::{
    Error,
    profile::{AdultProfile, ChildProfile},
    records::{Access, Adult, Child, Incident},
    tables::CareTables,
};
use kit::{
    Host,
    envelope::{self, Cell, EnvelopeError, FamilyKey, KeyStore},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// The family under whose key the incidents of erased families are kept.
pub const ARCHIVE: Uuid = Uuid::nil();

/// Seals and opens what is told of families.
#[derive(Clone)]
pub struct Vault {
    keys: KeyStore,
}

/// The folder of the keys of families, by the configuration.
pub fn keys_folder(tables: &CareTables, data_dir: &Path) -> PathBuf {
    tables.keys_folder.clone().unwrap_or_else(|| data_dir.join(envelope::FOLDER))
}

impl Vault {
    /// Opens the keys. A ring is made only where nothing was encrypted before, and in the data folder: a folder that the
    /// configuration names has one.
    pub fn open(
        host: &Host,
        tables: &CareTables,
        has_families: bool,
    ) -> Result<Self, EnvelopeError> {
        let folder = keys_folder(tables, host.data_dir());
        let keys = match has_families || tables.keys_folder.is_some() {
            true => KeyStore::open(&folder)?,
            false => KeyStore::open_or_create(&folder, host.clock().now())?,
        };
        Ok(Self { keys })
    }

    /// The key of a family, which is made when there is none.
    pub async fn make_key(&self, family: Uuid) -> Result<FamilyKey, Error> {
        self.off_the_runtime(move |keys| keys.create_key(family)).await
    }

    /// The key of a family. Whose key is destroyed is absent.
    pub fn find_key(&self, family: Uuid) -> Result<FamilyKey, Error> {
        match self.keys.find_key(family) {
            Err(EnvelopeError::Destroyed) => Err(Error::ChildNotFound),
            found => Ok(found?),
        }
    }

    /// Destroys the key of a family.
    pub async fn destroy_key(&self, family: Uuid) -> Result<(), Error> {
        self.off_the_runtime(move |keys| keys.destroy_key(family)).await
    }

    /// Wraps anew what older keys of the ring wrap.
    pub async fn rewrap_keys(&self) -> Result<(), Error> {
        let count = self.off_the_runtime(|keys| keys.rewrap_keys()).await?;
        if count > 0 {
            tracing::info!(count, "wrapped family keys anew");
        }
        Ok(())
    }

    /// Writes and syncs files on a thread that may wait for the disk.
    async fn off_the_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce(KeyStore) -> Result<T, EnvelopeError> + Send + 'static,
    ) -> Result<T, Error> {
        let keys = self.keys.clone();
        let done = tokio::task::spawn_blocking(move || work(keys)).await;
        Ok(done.map_err(kit::Error::internal)??)
    }

    /// The keys of one call, which opens several values.
    pub const fn call_keys(&self) -> CallKeys<'_> {
        CallKeys { vault: self, found: BTreeMap::new() }
    }

    /// What is told of a child; absent once it is forgotten.
    pub fn open_child(&self, child: &Child) -> Result<ChildProfile, Error> {
        self.call_keys().open_child(child)
    }

    /// The words of an incident.
    pub fn open_incident(&self, incident: &Incident) -> Result<String, Error> {
        self.call_keys().open_incident(incident)
    }

    /// The reason of an access; empty for none.
    pub fn open_reason(&self, family: Uuid, access: &Access) -> Result<String, Error> {
        if access.reason.is_empty() {
            return Ok(String::new());
        }
        open(&self.find_key(family)?, reason_cell(access.id), &access.reason)
    }
}

/// The keys that one call uses: the file of each is read and unwrapped once.
pub struct CallKeys<'a> {
    vault: &'a Vault,
    found: BTreeMap<Uuid, FamilyKey>,
}

impl CallKeys<'_> {
    fn key_of(&mut self, family: Uuid) -> Result<&FamilyKey, Error> {
        Ok(match self.found.entry(family) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.vault.find_key(family)?),
        })
    }

    /// What is told of a child; absent once it is forgotten.
    pub fn open_child(&mut self, child: &Child) -> Result<ChildProfile, Error> {
        if child.secret.is_empty() {
            return Err(Error::ChildNotFound);
        }
        open(self.key_of(child.family_id)?, child_cell(child.id), &child.secret)
    }

    /// What is told of an adult; absent once they are forgotten.
    pub fn open_adult(&mut self, adult: &Adult) -> Result<AdultProfile, Error> {
        if adult.secret.is_empty() {
            return Err(Error::AdultNotFound);
        }
        open(self.key_of(adult.family_id)?, adult_cell(adult.id), &adult.secret)
    }

    /// The words of an incident.
    pub fn open_incident(&mut self, incident: &Incident) -> Result<String, Error> {
        open(self.key_of(incident.key_id)?, incident_cell(incident.id), &incident.secret)
    }
}

/// Seals what is told of a child.
pub fn seal_child(key: &FamilyKey, id: Uuid, profile: &ChildProfile) -> Result<Vec<u8>, Error> {
    seal(key, child_cell(id), profile)
}

/// Seals what is told of an adult.
pub fn seal_adult(key: &FamilyKey, id: Uuid, profile: &AdultProfile) -> Result<Vec<u8>, Error> {
    seal(key, adult_cell(id), profile)
}

/// Seals the words of an incident.
pub fn seal_incident(key: &FamilyKey, id: Uuid, text: &str) -> Result<Vec<u8>, Error> {
    seal(key, incident_cell(id), text)
}

/// Seals the reason of an access.
pub fn seal_reason(key: &FamilyKey, id: Uuid, reason: &str) -> Result<Vec<u8>, Error> {
    seal(key, reason_cell(id), reason)
}

const fn child_cell(row: Uuid) -> Cell<'static> {
    Cell { table: "children", row, column: "secret" }
}

const fn adult_cell(row: Uuid) -> Cell<'static> {
    Cell { table: "authorized_adults", row, column: "secret" }
}

const fn incident_cell(row: Uuid) -> Cell<'static> {
    Cell { table: "incidents", row, column: "secret" }
}

const fn reason_cell(row: Uuid) -> Cell<'static> {
    Cell { table: "accesses", row, column: "reason" }
}

fn seal<T: Serialize + ?Sized>(
    key: &FamilyKey,
    cell: Cell<'_>,
    value: &T,
) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec(value).map_err(kit::Error::internal)?;
    Ok(key.seal(cell, &text)?)
}

fn open<T: DeserializeOwned>(key: &FamilyKey, cell: Cell<'_>, blob: &[u8]) -> Result<T, Error> {
    let text = key.open(cell, blob)?;
    // serde_json's own text could repeat a part of the value.
    serde_json::from_slice(&text)
        .map_err(|_| kit::Error::internal("an encrypted value is not of this version").into())
}
