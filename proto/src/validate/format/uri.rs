//! The grammar of RFC 3986, appendix A, as far as an absolute URI needs it.

use std::net::Ipv6Addr;

/// `scheme ":" hier-part [ "?" query ] [ "#" fragment ]`.
pub fn is_absolute_uri(text: &str) -> bool {
    let (text, fragment) = split_once_at(text, '#');
    let (text, query) = split_once_at(text, '?');
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    self::is_scheme(scheme)
        && is_hierarchy(rest)
        && is_query(query.unwrap_or_default())
        && is_query(fragment.unwrap_or_default())
}

fn split_once_at(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `*( pchar / "/" / "?" )`: what a query and a fragment consist of.
fn is_query(text: &str) -> bool {
    consists_of(text, ":@/?")
}

/// Two slashes start an authority, which ends where a path starts.
fn is_hierarchy(text: &str) -> bool {
    match text.strip_prefix("//") {
        None => consists_of(text, ":@/"),
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            self::is_authority(authority) && consists_of(path, ":@/")
        }
    }
}

/// `[ userinfo "@" ] host [ ":" port ]`.
fn is_authority(text: &str) -> bool {
    let (user, place) = text.rsplit_once('@').map_or(("", text), |(user, place)| (user, place));
    let (host, port) = match place.rfind(':') {
        Some(colon) if !place.ends_with(']') => place.split_at(colon),
        _ => (place, ""),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    consists_of(user, ":") && self::is_host(host) && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(literal) => literal.parse::<Ipv6Addr>().is_ok(),
        None => consists_of(text, ""),
    }
}

/// Unreserved characters, sub-delimiters, `extra`, and whole percent-encoded bytes.
fn consists_of(text: &str, extra: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => is_hex_digit(bytes.next()) && is_hex_digit(bytes.next()),
            byte => {
                byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(&byte)
                    || extra.as_bytes().contains(&byte)
            }
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_hex_digit(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_hexdigit())
}
