//! `quickserve certs`: the authority, certificates and keys of a mesh, a folder a service, made once and renewed by the
//! same command.
//!
//! Each folder has all that the process of its service needs: `cert.pem`, `key.pem`, `ca.pem`, `keyring.json` and the
//! public keys of all, `jwks.json`. Files are replaced whole, and running processes take them into use.

pub mod authority;

use crate::{process::OPS, service::Service};
use anyhow::{Context, ensure};
use authority::{Authorities, Leaf};
use chrono::{DateTime, Duration, Utc};
use kit::{
    identity::keyring::{FILE as KEYRING_FILE, KeyState, Keyring, KeyringError},
    mesh::{
        ServiceName,
        keys::{PUBLIC_FILE, publish_keys},
        name::is_label,
        validity::is_valid_at,
    },
    program::secret_file::{replace, replace_readable},
    rpc::caller::EDGE,
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";
const AUTHORITY_FILE: &str = "ca.pem";
/// The folder of the authority, whose key signs everybody's certificate.
const AUTHORITY_FOLDER: &str = "ca";

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub folder: PathBuf,
    /// The installation that certificates name.
    pub namespace: String,
    /// The life of a certificate.
    pub days: u32,
    /// Whether every user of the machine may read the folders of services.
    pub readable: bool,
    /// Whether to begin to replace the authority.
    pub new_authority: bool,
}

impl Wanted {
    fn life(&self) -> Duration {
        Duration::days(i64::from(self.days))
    }

    /// What is not valid any more at this time is renewed now.
    fn renewal(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.life() / 3
    }

    fn leaf(&self, service: &str, now: DateTime<Utc>) -> Leaf {
        let namespace = self.namespace.as_str().into();
        Leaf::new(ServiceName { namespace, service: service.into() }, now, self.life())
    }
}

/// The services of a mesh, those besides that only call included.
pub fn members() -> Vec<&'static str> {
    Service::ALL.map(Service::name).into_iter().chain([EDGE, OPS]).collect()
}

/// Makes what is missing and renews what ends soon. Says what it did, a line each.
pub fn make_certificates(wanted: &Wanted, now: DateTime<Utc>) -> anyhow::Result<Vec<String>> {
    ensure!(
        is_label(&wanted.namespace),
        "--namespace must have 1 to 63 small letters, digits and dashes"
    );
    make_folder(&wanted.folder, 0o700)?;
    let authority_folder = wanted.folder.join(AUTHORITY_FOLDER);
    make_folder(&authority_folder, 0o700)?;
    // Of two runs at once, the second begins when the first has ended.
    let lock = fs::File::create(authority_folder.join("lock"))?;
    lock.lock()?;
    let (authorities, mut did) = Authorities::turn(&authority_folder, wanted, now)?;
    let trusted = authorities.trusted();
    for service in members() {
        let folder = wanted.folder.join(service);
        make_folder(&folder, if wanted.readable { 0o755 } else { 0o700 })?;
        // Before the certificates of a new authority are shown, all trust it.
        write_public(&folder.join(AUTHORITY_FILE), trusted.as_bytes())?;
    }
    for service in members() {
        let renewed = renew_leaf(&authorities, wanted, service, now)
            .with_context(|| format!("the certificate of {service}"))?;
        did.extend(renewed.then(|| {
            format!("{service} has a new certificate, valid until {}", day(now + wanted.life()))
        }));
    }
    did.extend(renew_keyrings(wanted, now)?);
    if did.is_empty() {
        did.push("nothing ends soon, everything stays as it was".to_owned());
    }
    Ok(did)
}

/// Issues a certificate unless the one that is there is good for long enough. True when it did.
fn renew_leaf(
    authorities: &Authorities,
    wanted: &Wanted,
    service: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let folder = wanted.folder.join(service);
    let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    let leaf = wanted.leaf(service, now);
    let is_good = key.exists()
        && fs::read(&certificate).is_ok_and(|pem| {
            let authority = authorities.current.certificate.as_bytes();
            is_valid_at(&pem, authority, &leaf.name, wanted.renewal(now))
        });
    if is_good {
        set_mode(&key, wanted)?;
        return Ok(false);
    }
    let issued = authorities.current.issue(&leaf)?;
    // A process that reads one of the two finds that they do not fit, and looks again.
    write_private(&key, issued.key.as_bytes(), wanted)?;
    write_public(&certificate, issued.certificate.as_bytes())?;
    Ok(true)
}

/// Makes the keyrings and turns those whose next key has waited for long enough, then tells all services their public
/// keys.
fn renew_keyrings(wanted: &Wanted, now: DateTime<Utc>) -> anyhow::Result<Vec<String>> {
    let mut did = Vec::new();
    let mut keyrings = Vec::new();
    for service in members() {
        let folder = wanted.folder.join(service);
        let is_new = !folder.join(KEYRING_FILE).exists();
        let mut keyring = Keyring::load_or_create(&folder, now)?;
        let waited_since = now - wanted.life() * 2 / 3;
        let next = keyring.keys().find(|key| key.state() == KeyState::Next);
        let is_due = next.is_none_or(|next| next.created_at() <= waited_since);
        if is_new {
            did.push(format!("{service} has keys"));
        } else if is_due {
            match keyring.rotate(now) {
                Ok(()) => did.push(format!("{service} signs with its next key")),
                Err(KeyringError::TooSoon { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        set_mode(&folder.join(KEYRING_FILE), wanted)?;
        keyrings.push((service, keyring));
    }
    let public = publish_keys(keyrings.iter().map(|(service, keyring)| (*service, keyring)));
    let public = serde_json::to_vec_pretty(&public)?;
    for service in members() {
        write_public(&wanted.folder.join(service).join(PUBLIC_FILE), &public)?;
    }
    Ok(did)
}

fn make_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    let made = fs::create_dir_all(path);
    made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .with_context(|| format!("the folder {} cannot be made", path.display()))
}

fn set_mode(path: &Path, wanted: &Wanted) -> anyhow::Result<()> {
    let mode = if wanted.readable { 0o644 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("the mode of {} cannot be set", path.display()))
}

fn write_private(path: &Path, content: &[u8], wanted: &Wanted) -> anyhow::Result<()> {
    let written =
        if wanted.readable { replace_readable(path, content) } else { replace(path, content) };
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Writes what is no secret, unless it is there already: processes then have nothing to read again.
fn write_public(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    replace_readable(path, content).with_context(|| format!("{} cannot be written", path.display()))
}

/// A date for people.
fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}
