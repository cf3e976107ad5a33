//! The authority of a mesh: it signs the certificates of services, and is replaced in three steps, between which every
//! process reads its files: trust both, show certificates of the new one, trust the new one alone.

use super::{Wanted, day};
use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use kit::{mesh::ServiceName, program::secret_file};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// The file of the authorities, inside their folder. It holds private keys.
const FILE: &str = "authorities.json";
/// The life of an authority, in days.
const LIFE_DAYS: i64 = 3650;
/// How long all processes have to read the files of one step before the next one is taken.
const STEP: Duration = Duration::minutes(1);
/// How far the clocks of two machines may be apart.
const CLOCK_ERROR: Duration = Duration::minutes(5);

/// An authority with its key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    name: String,
    ends_at: DateTime<Utc>,
    /// The certificate as PEM.
    pub certificate: String,
    key: String,
}

/// The authorities of a mesh: one that signs, and during a replacement one before or after it that is trusted too.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorities {
    pub current: Authority,
    next: Option<Authority>,
    old: Option<Authority>,
    changed_at: DateTime<Utc>,
}

/// What a certificate shall say.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub name: ServiceName,
    pub begins_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// What it may be used for.
    pub usages: Vec<ExtendedKeyUsagePurpose>,
}

/// A certificate and its key, as PEM.
pub struct IssuedCertificate {
    pub certificate: String,
    pub key: String,
}

impl Leaf {
    /// A certificate of `name` for both ends of a connection.
    pub fn new(name: ServiceName, now: DateTime<Utc>, life: Duration) -> Self {
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Self { name, begins_at: now - CLOCK_ERROR, ends_at: now + life, usages }
    }
}

impl Authority {
    /// A new one.
    pub fn make(namespace: &str, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let name = format!("QuickServe mesh {namespace}, made {}", day(now));
        let ends_at = now + Duration::days(LIFE_DAYS);
        let key = KeyPair::generate()?;
        let mut params = certificate_params(&name, now - CLOCK_ERROR, ends_at)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { name, ends_at, certificate, key: key.serialize_pem() })
    }

    /// Signs a certificate for a new key.
    pub fn issue(&self, leaf: &Leaf) -> anyhow::Result<IssuedCertificate> {
        let mut of_authority = CertificateParams::default();
        of_authority.distinguished_name = common_name(&self.name);
        let issuer = Issuer::new(of_authority, KeyPair::from_pem(&self.key)?);
        let mut params = certificate_params(&leaf.name.service, leaf.begins_at, leaf.ends_at)?;
        for name in leaf.name.dns_names() {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        params.subject_alt_names.push(SanType::URI(leaf.name.uri().try_into()?));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = leaf.usages.clone();
        // ECDSA on P-256.
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Ok(IssuedCertificate { certificate, key: key.serialize_pem() })
    }
}

fn certificate_params(
    name: &str,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |time: DateTime<Utc>| {
        let seconds = u64::try_from(time.timestamp()).context("a time before 1970")?;
        anyhow::Ok(std::time::Duration::from_secs(seconds))
    };
    params.not_before = epoch + since_epoch(begins_at)?;
    params.not_after = epoch + since_epoch(ends_at)?;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

impl Authorities {
    /// Reads the authorities in `folder` or makes the first one, and takes the next step of a replacement, when one is
    /// wanted, has begun or is due. Says what it did.
    pub fn turn(
        folder: &Path,
        wanted: &Wanted,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Self, Vec<String>)> {
        let path = folder.join(FILE);
        let (mut authorities, mut did) = match Self::load(&path)? {
            Some(authorities) => (authorities, None),
            None => {
                let current = Authority::make(&wanted.namespace, now)?;
                let did = "the authority is made".to_owned();
                (Self { current, next: None, old: None, changed_at: now }, Some(did))
            }
        };
        if did.is_none() {
            did = authorities.step(wanted, now)?;
        }
        let text = serde_json::to_vec_pretty(&authorities)?;
        secret_file::replace(&path, &text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok((authorities, did.into_iter().collect()))
    }

    fn load(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read(path) {
            Ok(text) => {
                // The error of the parser could repeat a part of a key.
                let read = serde_json::from_slice(&text).ok();
                Ok(Some(read.with_context(|| {
                    format!("{} is not the file of an authority", path.display())
                })?))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// The certificates of all that are trusted now, as PEM.
    pub fn trusted(&self) -> String {
        let all = [Some(&self.current), self.next.as_ref(), self.old.as_ref()];
        all.into_iter().flatten().map(|it| it.certificate.as_str()).collect()
    }

    fn step(&mut self, wanted: &Wanted, now: DateTime<Utc>) -> anyhow::Result<Option<String>> {
        let is_under_way = self.next.is_some() || self.old.is_some();
        if is_under_way && now < self.changed_at + STEP {
            return Ok(Some(
                "the authority changed less than a minute ago: run this again when every process has read the files"
                    .to_owned(),
            ));
        }
        let is_due = self.current.ends_at - Duration::days(LIFE_DAYS / 3) < now;
        let did = if let Some(next) = self.next.take() {
            self.old = Some(std::mem::replace(&mut self.current, next));
            "the new authority signs: once every process has read the files, run this again to end trust in the old one"
        } else if self.old.take().is_some() {
            "the old authority is not trusted any more"
        } else if wanted.new_authority || is_due {
            self.next = Some(Authority::make(&wanted.namespace, now)?);
            "a new authority is trusted too: once every process has read the files, run this again and it signs"
        } else {
            return Ok(None);
        };
        self.changed_at = now;
        Ok(Some(did.to_owned()))
    }
}
