//! Entity tags made of a resource's version (RFC 9110 §8.8.3), and the conditions on them (§13.1).

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::failure::Failure;

/// The tag of a version. A partial response has another representation, so its tag is weak.
///
/// `None` when the version holds characters that a tag cannot, or is empty.
pub(crate) fn tag(version: &str, partial: bool) -> Option<HeaderValue> {
    let legal = |b: u8| b == 0x21 || (0x23..=0x7E).contains(&b);
    if version.is_empty() || !version.bytes().all(legal) {
        return None;
    }
    let weak = if partial { "W/" } else { "" };
    HeaderValue::try_from(format!("{weak}\"{version}\"")).ok()
}

/// The version that `If-Match` demands; `None` without the header and for `*`.
///
/// # Errors
/// When the header is malformed, or lists several tags: the upstream compares one version.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all(IF_MATCH).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.to_str().map(str::trim).unwrap_or_default();
    if value == "*" && values.next().is_none() {
        return Ok(None);
    }
    let tag = opaque(value).filter(|tag| !tag.contains('"') && values.next().is_none());
    match tag {
        Some(tag) => Ok(Some(tag.to_owned())),
        None => Err(Failure::invalid("if-match", "one entity tag is expected")),
    }
}

/// Whether `If-None-Match` names this tag, compared weakly.
pub(crate) fn none_match(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(tag) = tag.to_str().ok().and_then(opaque) else { return false };
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|v| v.to_str().ok());
    values.into_iter().any(|list| list.trim() == "*" || tags(list).any(|listed| listed == tag))
}

/// The tags of a list, without their quotes and marks of weakness. Inside quotes a comma is part of
/// the tag, so the odd pieces between quotes are the tags.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

fn opaque(tag: &str) -> Option<&str> {
    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        std::iter::once((name, value.parse().unwrap())).collect()
    }

    #[test]
    fn a_version_becomes_a_tag() {
        assert_eq!(tag("7", false).unwrap(), "\"7\"");
        assert_eq!(tag("7", true).unwrap(), "W/\"7\"");
        for version in ["", "a b", "a\"b", "é"] {
            assert_eq!(tag(version, false), None, "{version}");
        }
    }

    #[test]
    fn one_tag_is_demanded_at_most() {
        let demanded = |value| if_match(&headers(IF_MATCH, value));
        assert_eq!(demanded("\"7\"").unwrap().as_deref(), Some("7"));
        assert_eq!(demanded("W/\"7\"").unwrap().as_deref(), Some("7"));
        assert_eq!(demanded("*").unwrap(), None);
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        for value in ["7", "\"7\", \"8\"", "\"7", ""] {
            assert!(demanded(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn any_of_several_tags_matches() {
        let tag = tag("7", false).unwrap();
        for (value, want) in [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("\"6\", \"7\"", true),
            ("*", true),
            ("\"8\"", false),
            ("\"6,7\", W/\"7\"", true),
            ("\"6,\",\"8,7\"", false),
            ("7", false),
        ] {
            assert_eq!(none_match(&headers(IF_NONE_MATCH, value), &tag), want, "{value}");
        }
        assert!(!none_match(&HeaderMap::new(), &tag));
    }
}
