//! The keys with which a service signs what it says of accounts, and the public keys of the others.
//!
//! Each service has a keyring of its own. The public halves of all are in one file, which every process has and which is
//! no secret; so none needs the private key of another one.

use super::files::MeshError;
use crate::{
    identity::{
        keyring::{Keyring, SharedKeyring},
        token::{Refetch, Verifier},
    },
    program::clock::Clock,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file of the public keys of all services, beside the keyring.
pub const PUBLIC_FILE: &str = "jwks.json";

/// The keyring of one service, and the public keys of all.
pub struct MeshKeys {
    own: SharedKeyring,
    public: PathBuf,
}

impl MeshKeys {
    /// Reads the keyring of `service` in `folder`, and checks that the others know it.
    pub fn open(folder: &Path, service: &str, clock: Clock) -> Result<Self, MeshError> {
        let keyring = Keyring::load(folder)?;
        let public = folder.join(PUBLIC_FILE);
        let published = read_keys(&public).map_err(|problem| MeshError::File {
            setting: "keys",
            path: public.display().to_string(),
            problem,
        })?;
        let signs = keyring.active().kid();
        let is_published = published.get("keys").and_then(Value::as_array).is_some_and(|keys| {
            keys.iter().any(|key| key["service"] == service && key["kid"] == signs)
        });
        if !is_published {
            let path = public.display().to_string();
            return Err(MeshError::Unpublished { path, service: service.to_owned() });
        }
        Ok(Self { own: SharedKeyring::new(keyring, clock), public })
    }

    /// The keyring with which the service signs.
    pub fn own(&self) -> &SharedKeyring {
        &self.own
    }

    /// Verifies what services sign, each with its own keys. The file is read again as it changes.
    pub fn verifier(&self, issuer: &str, clock: Clock) -> Verifier {
        Verifier::of_services(issuer, refetch_from(self.public.clone()), clock)
    }
}

/// The public keys of services, each under the name of its service, as [`PUBLIC_FILE`] holds them.
pub fn publish_keys<'a>(keyrings: impl IntoIterator<Item = (&'a str, &'a Keyring)>) -> Value {
    let mut keys = Vec::new();
    for (service, keyring) in keyrings {
        let mut jwks = keyring.jwks();
        for key in jwks["keys"].as_array_mut().into_iter().flatten() {
            key["service"] = service.into();
            keys.push(key.take());
        }
    }
    json!({ "keys": keys })
}

fn refetch_from(path: PathBuf) -> Refetch {
    Box::new(move || {
        let read = read_keys(&path);
        Box::pin(async move { Ok(read?) })
    })
}

fn read_keys(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|_| "it is not the JSON of a key set".to_owned())
}
