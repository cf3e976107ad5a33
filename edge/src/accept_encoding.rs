//! The content codings that a client accepts, judged before its request does anything (RFC 9110, section 12.5.3). It reads
//! the header as the compression of tower-http does, which looks only after the request was carried out.

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// Which codings a client accepts for its answer, of those that the edge can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedCodings {
    /// Content as it is.
    pub identity: bool,
    /// RFC 1952.
    pub gzip: bool,
    /// RFC 8878.
    pub zstd: bool,
}

impl AcceptedCodings {
    /// Reads the headers of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|it| it.to_str().ok());
        let listed = lines.flat_map(|line| line.split(',')).filter_map(coding_and_weight);
        let (mut identity, mut gzip, mut zstd, mut any) = (None, None, None, None);
        for (name, accepted) in listed {
            let coding = match name.to_ascii_lowercase().as_str() {
                "identity" => &mut identity,
                "gzip" | "x-gzip" => &mut gzip,
                "zstd" => &mut zstd,
                "*" => &mut any,
                _ => continue,
            };
            coding.get_or_insert(accepted);
        }
        Self {
            identity: identity.or(any).unwrap_or(true),
            gzip: gzip.or(any).unwrap_or(false),
            zstd: zstd.or(any).unwrap_or(false),
        }
    }

    /// Whether an answer can be written at all.
    pub const fn any(self) -> bool {
        self.identity || self.gzip || self.zstd
    }
}

/// A coding of the list and whether its weight is above zero; none when the weight cannot be read.
fn coding_and_weight(element: &str) -> Option<(&str, bool)> {
    let Some((name, weight)) = element.split_once(';') else { return Some((element.trim(), true)) };
    let weight = weight.trim();
    let digits = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let is_zero = fraction.bytes().all(|digit| digit == b'0');
    match whole {
        "0" if is_number => Some((name.trim(), !is_zero)),
        "1" if is_number && is_zero => Some((name.trim(), true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_is_accepted() {
        for (list, identity, gzip, zstd) in [
            (None, true, false, false),
            (Some(""), true, false, false),
            (Some("gzip"), true, true, false),
            (Some("x-gzip, zstd;q=0.5"), true, true, true),
            (Some("br"), true, false, false),
            (Some("identity;q=0"), false, false, false),
            (Some("identity;q=0, GZIP"), false, true, false),
            (Some("identity; q=0.000, gzip;q=0"), false, false, false),
            (Some("identity;q=0.001"), true, false, false),
            (Some("*"), true, true, true),
            (Some("*;q=0"), false, false, false),
            (Some("*;q=0, identity"), true, false, false),
            (Some("gzip;q=2, identity;q=x"), true, false, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(list) = list {
                headers.insert(ACCEPT_ENCODING, list.parse().unwrap());
            }
            let accepted = AcceptedCodings { identity, gzip, zstd };
            assert_eq!(AcceptedCodings::of(&headers), accepted, "{list:?}");
        }
    }
}
