//! Rules of HTTP/1.1 and HTTP/2 on requests that hyper does not hold its peers to. A request that breaks them may mean
//! another thing to the proxy it came through than to us (request smuggling).

use http::{
    HeaderMap, Request, StatusCode, Version,
    header::{HOST, TRANSFER_ENCODING},
    uri::Authority,
};

/// A rule that a request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenRule {
    /// RFC 9112, section 3.2.
    #[error("the request must have one Host header with a host and an optional port")]
    Host,
    /// RFC 9113, section 8.3.1.
    #[error("Host and :authority must be the same")]
    Authority,
    /// RFC 9112, section 6.3.
    #[error("Transfer-Encoding: chunked must be there once")]
    Framing,
    /// RFC 9112, section 6.1.
    #[error("the only transfer coding that is understood is chunked")]
    TransferCoding,
}

impl BrokenRule {
    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Authority | Self::Framing => StatusCode::BAD_REQUEST,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// Finds the first rule that a request breaks.
///
/// # Errors
/// When there is one.
pub fn check_request<B>(request: &Request<B>) -> Result<(), BrokenRule> {
    check_host(request)?;
    check_framing(request.headers())
}

fn check_host<B>(request: &Request<B>) -> Result<(), BrokenRule> {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(BrokenRule::Host);
    }
    let Some(host) = host else {
        let is_named = match request.version() {
            Version::HTTP_09 | Version::HTTP_10 => true,
            Version::HTTP_11 => false,
            _ => request.uri().authority().is_some(),
        };
        return if is_named { Ok(()) } else { Err(BrokenRule::Host) };
    };
    if !host.is_empty() && !is_host(host.as_bytes()) {
        return Err(BrokenRule::Host);
    }
    match request.uri().authority() {
        Some(authority)
            if request.version() >= Version::HTTP_2
                && !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) =>
        {
            Err(BrokenRule::Authority)
        }
        _ => Ok(()),
    }
}

fn is_host(text: &[u8]) -> bool {
    let authority = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| !authority.as_str().contains('@'))
}

/// A Content-Length beside Transfer-Encoding does not come here: hyper drops it, and closes the connection after the
/// answer, as the RFC allows.
fn check_framing(headers: &HeaderMap) -> Result<(), BrokenRule> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).into_iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_some() {
        return Err(BrokenRule::Framing);
    }
    let names = coding.to_str().map_err(|_| BrokenRule::TransferCoding)?;
    let mut names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    match (names.next(), names.next()) {
        (Some(first), None) if is_chunked(first) => Ok(()),
        (Some(first), Some(_)) if is_chunked(first) => Err(BrokenRule::Framing),
        _ => Err(BrokenRule::TransferCoding),
    }
}

fn is_chunked(coding: &str) -> bool {
    coding.eq_ignore_ascii_case("chunked")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, uri: &str, headers: &[(&str, &str)]) -> Result<(), BrokenRule> {
        let request = Request::builder().version(version).uri(uri);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        check_request(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_names_one_host() {
        use BrokenRule::{Authority, Host};
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (version, uri, hosts, expected) in [
            (one, "/", &["x"][..], Ok(())),
            (one, "/", &["x:80"], Ok(())),
            (one, "/", &["[::1]:80"], Ok(())),
            (one, "/", &[""], Ok(())),
            (one, "http://y/", &["x"], Ok(())),
            (one, "/", &[], Err(Host)),
            (one, "http://y/", &[], Err(Host)),
            (one, "/", &["x", "x"], Err(Host)),
            (one, "/", &["x", "y"], Err(Host)),
            (one, "/", &["x, y"], Err(Host)),
            (one, "/", &["u@x"], Err(Host)),
            (one, "/", &["x/y"], Err(Host)),
            (Version::HTTP_10, "/", &[], Ok(())),
            (Version::HTTP_10, "/", &["x", "y"], Err(Host)),
            (two, "http://x/", &[], Ok(())),
            (two, "http://x/", &["X"], Ok(())),
            (two, "/", &["x"], Ok(())),
            (two, "/", &[], Err(Host)),
            (two, "http://x/", &["y"], Err(Authority)),
            (two, "http://x/", &["x", "x"], Err(Host)),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(check(version, uri, &headers), expected, "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn content_is_framed_in_one_way() {
        use BrokenRule::{Framing, TransferCoding};
        for (headers, expected) in [
            (&[("transfer-encoding", "chunked")][..], Ok(())),
            (&[("transfer-encoding", "Chunked ")], Ok(())),
            (&[("content-length", "3")], Ok(())),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Err(Framing)),
            (&[("transfer-encoding", "chunked, chunked")], Err(Framing)),
            (&[("transfer-encoding", "gzip, chunked")], Err(TransferCoding)),
            (&[("transfer-encoding", "identity")], Err(TransferCoding)),
        ] {
            let headers = [&[("host", "x")], headers].concat();
            assert_eq!(check(Version::HTTP_11, "/", &headers), expected, "{headers:?}");
        }
    }
}
