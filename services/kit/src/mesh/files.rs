//! The section `mesh` of the configuration: where the certificate, its key, the authority and the keyring are.

use super::name::NamelessCertificate;
use crate::{
    identity::keyring::KeyringError,
    program::config::{Config, ConfigError},
};
use serde::Deserialize;
use std::path::PathBuf;

/// The section as it is written: all four, or none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    /// The certificate of the service, with those between it and the authority, a PEM file.
    cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file.
    key: Option<PathBuf>,
    /// The certificates of the authorities that are trusted, a PEM file.
    ca: Option<PathBuf>,
    /// The folder of the service's own keyring, `keyring.json`, and of the public keys of all, `jwks.json`.
    keys: Option<PathBuf>,
}

/// The files that a process of a mesh has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshFiles {
    /// The certificate of the service, with those between it and the authority, as PEM.
    pub cert: PathBuf,
    /// The private key of the certificate, as PEM.
    pub key: PathBuf,
    /// The certificates of the authorities that are trusted, as PEM.
    pub ca: PathBuf,
    /// The folder of the service's keyring and of the public keys of all.
    pub keys: PathBuf,
}

/// Why a process cannot take part in the mesh.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The section has an unknown key, or a value that is no path.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Only some of the settings are there.
    #[error("the section [mesh] needs cert, key, ca and keys together, and `mesh.{0}` is missing")]
    Incomplete(&'static str),
    /// A file cannot be read, or has something else in it.
    #[error("mesh.{setting}: {path}: {problem}")]
    File {
        /// The setting that names the file.
        setting: &'static str,
        /// Where the file is.
        path: String,
        /// What is wrong with it; never a part of a key.
        problem: String,
    },
    /// The files do not fit each other.
    #[error("mesh.cert and mesh.key cannot be used together: {0}")]
    Mismatch(String),
    /// The certificate does not say whose it is.
    #[error("mesh.cert: {0}")]
    Nameless(#[from] NamelessCertificate),
    /// The certificate was issued to another service.
    #[error("mesh.cert is the certificate of {found}, and this process is {wanted}")]
    OtherService {
        /// The service that the certificate names.
        found: String,
        /// The service that it should name.
        wanted: String,
    },
    /// The service's keyring cannot be used.
    #[error("mesh.keys: {0}")]
    Keyring(#[from] KeyringError),
    /// What the others know of the service does not fit its keyring.
    #[error("mesh.keys: {path} does not have the key with which {service} signs: make both anew")]
    Unpublished {
        /// The file of public keys.
        path: String,
        /// The service whose key is missing.
        service: String,
    },
    /// The name of a service that cannot be in a certificate.
    #[error("{0} is no name that a certificate can have")]
    NoServerName(String),
}

impl MeshFiles {
    /// The files that the configuration names; none when the process takes part in no mesh.
    pub fn from_config(config: &Config) -> Result<Option<Self>, MeshError> {
        let Section { cert, key, ca, keys } = config.section("mesh")?;
        let [cert, key, ca, keys] =
            [cert, key, ca, keys].map(|path| path.filter(|path| !path.as_os_str().is_empty()));
        if [&cert, &key, &ca, &keys].iter().all(|path| path.is_none()) {
            return Ok(None);
        }
        Ok(Some(Self {
            cert: cert.ok_or(MeshError::Incomplete("cert"))?,
            key: key.ok_or(MeshError::Incomplete("key"))?,
            ca: ca.ok_or(MeshError::Incomplete("ca"))?,
            keys: keys.ok_or(MeshError::Incomplete("keys"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_the_mesh_are_all_there_or_none() {
        assert_eq!(MeshFiles::from_config(&Config::defaults()).unwrap(), None);
        let empty = Config::from_map([("mesh.cert", ""), ("mesh.key", "")]);
        assert_eq!(MeshFiles::from_config(&empty).unwrap(), None);
        let all = [("mesh.cert", "/m/cert"), ("mesh.key", "/m/key"), ("mesh.ca", "/m/ca")];
        let found = MeshFiles::from_config(&Config::from_map(all)).unwrap_err().to_string();
        assert!(found.contains("`mesh.keys` is missing"), "{found}");
        let all = Config::from_map(all.into_iter().chain([("mesh.keys", "/m")]));
        assert_eq!(MeshFiles::from_config(&all).unwrap().unwrap().ca, PathBuf::from("/m/ca"));
        let mistyped = Config::from_map([("mesh.authority", "/m/ca")]);
        let found = MeshFiles::from_config(&mistyped).unwrap_err().to_string();
        assert!(found.contains("mesh.authority"), "{found}");
    }
}
