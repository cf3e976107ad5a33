//! Whether a certificate is good for longer.

use super::name::ServiceName;
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject as _},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Whether the first certificate in `leaf` is one of `name`, signed by the one in `authority`, and valid at a time. Both are
/// PEM.
pub fn is_valid_at(leaf: &[u8], authority: &[u8], name: &ServiceName, at: DateTime<Utc>) -> bool {
    let read = |pem| CertificateDer::from_pem_slice(pem).ok();
    let (Some(leaf), Some(authority)) = (read(leaf), read(authority)) else { return false };
    let (Ok(anchor), Ok(certificate)) =
        (anchor_from_trusted_cert(&authority), EndEntityCert::try_from(&leaf))
    else {
        return false;
    };
    if ServiceName::of(&leaf).ok().as_ref() != Some(name) {
        return false;
    }
    let Ok(seconds) = u64::try_from(at.timestamp()) else { return false };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let (anchors, usage) = ([anchor], KeyUsage::client_auth());
    certificate.verify_for_usage(algorithms, &anchors, &[], at, usage, None, None).is_ok()
}
