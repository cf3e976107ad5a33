//! Entity tags made of a resource's version (RFC 9110 §8.8.3), and the conditions on them (§13.1).

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tonic::Code;

use crate::failure::Failure;

/// The tag of a version. A partial response has another representation, so its tag is weak.
///
/// `None` when the version holds characters that a tag cannot, or is empty.
pub(crate) fn tag_of(version: &str, partial: bool) -> Option<HeaderValue> {
    if version.is_empty() || !version.bytes().all(fits_tag) {
        return None;
    }
    let weak = if partial { "W/" } else { "" };
    HeaderValue::try_from(format!("{weak}\"{version}\"")).ok()
}

/// Whether a byte may stand in an entity tag (RFC 9110 §8.8.3), bytes above ASCII aside.
fn fits_tag(byte: u8) -> bool {
    byte == 0x21 || (0x23..=0x7E).contains(&byte)
}

/// The version that `If-Match` demands; `None` without the header and for `*`. Weak tags are not compared, because they
/// never match (RFC 9110 §13.1.1).
///
/// # Errors
/// When the header is malformed, when it lists several strong tags (the upstream compares one version), and, with 412,
/// when it lists none that can match.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(None);
    }
    let mut strong = None;
    for tag in demanded_version(headers) {
        match tag {
            "*" => return Ok(None),
            weak if weak.starts_with("W/") => {
                opaque_part(weak).ok_or_else(refuse_condition)?;
            }
            tag => {
                let version = opaque_part(tag).filter(|version| !version.contains('"'));
                if strong.replace(version.ok_or_else(refuse_condition)?).is_some() {
                    return Err(refuse_condition());
                }
            }
        }
    }
    match strong {
        Some(version) => Ok(Some(version.to_owned())),
        None => Err(precondition_failed()),
    }
}

/// `If-Match` is not what RFC 9110 has for it, or lists several strong tags.
fn refuse_condition() -> Failure {
    Failure::invalid("if-match", "one entity tag is expected")
}

/// Whether `If-Match` holds for a representation with this tag, compared strongly.
pub(crate) fn matches_tag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    !headers.contains_key(IF_MATCH)
        || demanded_version(headers).any(|demanded| {
            demanded == "*"
                || (!demanded.starts_with("W/") && demanded.as_bytes() == tag.as_bytes())
        })
}

/// `If-Match` does not hold: 412, with the code and reason of a version that is out of date.
pub(crate) fn precondition_failed() -> Failure {
    let message = "if-match: the entity tag is not the current one; a weak tag never is";
    let failure = Failure::new(Code::Aborted, message).with_reason("VERSION_MISMATCH");
    failure.with_status(StatusCode::PRECONDITION_FAILED)
}

/// The elements of `If-Match`.
fn demanded_version(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(IF_MATCH).into_iter();
    lines.map(|line| line.to_str().unwrap_or_default()).flat_map(|list| {
        let mut in_quotes = false;
        let elements = list.split(move |char: char| {
            in_quotes ^= char == '"';
            char == ',' && !in_quotes
        });
        elements.map(str::trim)
    })
}

/// Whether `If-None-Match` names this tag, compared weakly.
pub(crate) fn none_match(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(tag) = tag.to_str().ok().and_then(opaque_part) else { return false };
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|v| v.to_str().ok());
    values
        .into_iter()
        .any(|list| list.trim() == "*" || split_tags(list).any(|listed| listed == tag))
}

/// The tags of a list, without their quotes and marks of weakness. Inside quotes a comma is part of
/// the tag, so the odd pieces between quotes are the tags.
fn split_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

fn opaque_part(tag: &str) -> Option<&str> {
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
        assert_eq!(tag_of("7", false).unwrap(), "\"7\"");
        assert_eq!(tag_of("7", true).unwrap(), "W/\"7\"");
        for version in ["", "a b", "a\"b", "é"] {
            assert_eq!(tag_of(version, false), None, "{version}");
        }
    }

    #[test]
    fn one_tag_is_demanded_at_most() {
        let demanded_version = |value| if_match(&headers(IF_MATCH, value));
        assert_eq!(demanded_version("\"7\"").unwrap().as_deref(), Some("7"));
        assert_eq!(demanded_version("\"7,8\"").unwrap().as_deref(), Some("7,8"));
        assert_eq!(demanded_version("W/\"6\", \"7\"").unwrap().as_deref(), Some("7"));
        for weak in ["W/\"7\"", "W/\"6\", W/\"7\""] {
            assert_eq!(demanded_version(weak).unwrap_err().status, StatusCode::PRECONDITION_FAILED);
        }
        assert_eq!(demanded_version("*").unwrap(), None);
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        for value in ["7", "\"7\", \"8\"", "\"7", "", "W/7"] {
            assert_eq!(
                demanded_version(value).unwrap_err().status,
                StatusCode::BAD_REQUEST,
                "{value:?}"
            );
        }
    }

    #[test]
    fn any_of_several_tags_matches() {
        let tag = tag_of("7", false).unwrap();
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
