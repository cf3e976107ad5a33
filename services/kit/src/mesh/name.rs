//! How a certificate names a service: by one URI, `spiffe://quickserve/ns/NAMESPACE/sa/SERVICE`, and for clients that
//! check whom they have reached, by the DNS name of the service. Names of services are written with dashes there, where
//! underscores are not allowed.

use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What every URI of ours begins with.
const PREFIX: &str = "spiffe://quickserve/ns/";

/// The service that a certificate was issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// The installation, such as a namespace of Kubernetes.
    pub namespace: Box<str>,
    /// The service as contracts and databases call it, or `edge`, or `ops` for an operator's commands.
    pub service: Arc<str>,
}

/// The service at the other end of a connection, by its certificate. It is put on each request that the connection
/// brings, and on no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshPeer(pub Arc<str>);

/// A certificate has no such name, or several.
#[derive(Debug, thiserror::Error)]
#[error("the certificate must have one URI, like {PREFIX}NAMESPACE/sa/order")]
pub struct NamelessCertificate;

impl ServiceName {
    /// The service that `certificate` names.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NamelessCertificate> {
        let certificate = EndEntityCert::try_from(certificate).map_err(|_| NamelessCertificate)?;
        let mut uris = certificate.valid_uri_names();
        match (uris.next(), uris.next()) {
            (Some(uri), None) => Self::parse(uri),
            _ => Err(NamelessCertificate),
        }
    }

    fn parse(uri: &str) -> Result<Self, NamelessCertificate> {
        let rest = uri.strip_prefix(PREFIX).ok_or(NamelessCertificate)?;
        let (namespace, service) = rest.split_once("/sa/").ok_or(NamelessCertificate)?;
        if !is_label(namespace) || !is_label(service) {
            return Err(NamelessCertificate);
        }
        Ok(Self { namespace: namespace.into(), service: service.replace('-', "_").into() })
    }

    /// The URI of the service in its certificate.
    pub fn uri(&self) -> String {
        format!("{PREFIX}{}/sa/{}", self.namespace, dns_name_of(&self.service))
    }

    /// The DNS names of the service in its certificate: within its namespace and in a cluster.
    pub fn dns_names(&self) -> [String; 2] {
        let name = dns_name_of(&self.service);
        let in_cluster = format!("{name}.{}.svc.cluster.local", self.namespace);
        [name, in_cluster]
    }
}

/// The DNS name under which a service is known to its callers.
pub fn dns_name_of(service: &str) -> String {
    service.replace('_', "-")
}

/// Whether a text can be a segment of the URI: 1 to 63 small letters, digits and dashes.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_service_of_an_installation_and_nothing_else() {
        let name = ServiceName::parse("spiffe://quickserve/ns/live/sa/child-assistance").unwrap();
        assert_eq!((&*name.namespace, &*name.service), ("live", "child_assistance"));
        assert_eq!(name.uri(), "spiffe://quickserve/ns/live/sa/child-assistance");
        assert_eq!(
            name.dns_names(),
            ["child-assistance", "child-assistance.live.svc.cluster.local"]
        );
        for uri in [
            "",
            "https://quickserve/ns/live/sa/order",
            "spiffe://elsewhere/ns/live/sa/order",
            "spiffe://quickserve/ns/live/sa/",
            "spiffe://quickserve/ns//sa/order",
            "spiffe://quickserve/ns/live/order",
            "spiffe://quickserve/ns/live/sa/order/more",
            "spiffe://quickserve/ns/live/sa/Order",
            "spiffe://quickserve/ns/a/b/sa/order",
        ] {
            assert!(ServiceName::parse(uri).is_err(), "{uri}");
        }
    }
}
