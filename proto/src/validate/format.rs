//! Formats of strings that the contract names: addresses of hosts, UUIDs, URIs. Addresses of mail have none: people type them
//! with spaces and accents, so that the user service reads them.

mod uri;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A format known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A host name (RFC 1034, RFC 1123).
    Hostname,
    /// An IP address of version 4 or 6, without a zone.
    Ip,
    /// An IP address of version 4.
    Ipv4,
    /// An IP address of version 6, without a zone.
    Ipv6,
    /// An absolute URI (RFC 3986).
    Uri,
    /// A host name or an IP address.
    Address,
    /// A UUID with its hyphens (RFC 9562), in either case.
    Uuid,
    /// A UUID without hyphens.
    Tuuid,
}

impl Format {
    /// Whether the text has the format. The empty text has none.
    pub fn matches(self, text: &str) -> bool {
        match self {
            Self::Hostname => is_hostname(text),
            Self::Ip => text.parse::<IpAddr>().is_ok(),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => uri::is_absolute_uri(text),
            Self::Address => text.parse::<IpAddr>().is_ok() || is_hostname(text),
            Self::Uuid => is_uuid(text),
            Self::Tuuid => text.len() == 32 && is_hexadecimal(text),
        }
    }

    /// The rule's identifier.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Hostname => "string.hostname",
            Self::Ip => "string.ip",
            Self::Ipv4 => "string.ipv4",
            Self::Ipv6 => "string.ipv6",
            Self::Uri => "string.uri",
            Self::Address => "string.address",
            Self::Uuid => "string.uuid",
            Self::Tuuid => "string.tuuid",
        }
    }

    /// What a text must be.
    pub fn words(self) -> &'static str {
        match self {
            Self::Hostname => "must be a host name",
            Self::Ip => "must be an IP address",
            Self::Ipv4 => "must be an IPv4 address",
            Self::Ipv6 => "must be an IPv6 address",
            Self::Uri => "must be an absolute URI",
            Self::Address => "must be a host name or an IP address",
            Self::Uuid => "must be a UUID",
            Self::Tuuid => "must be a UUID without hyphens",
        }
    }
}

/// At most 253 characters; a dot may end it; the last label is no number, or it would be an address.
fn is_hostname(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// One label of a host name: up to 63 letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_uuid(text: &str) -> bool {
    let mut groups = text.split('-');
    let fits = [8, 4, 4, 4, 12].iter().all(|size| {
        groups.next().is_some_and(|group| group.len() == *size && is_hexadecimal(group))
    });
    fits && groups.next().is_none()
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
