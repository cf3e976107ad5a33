//! Media types: what a client sends, and which of our forms it would rather have (RFC 9110 §12.5.1).

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// How a server stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamForm {
    /// One JSON array.
    Array,
    /// One JSON document a line; the media type the client named.
    Lines(&'static str),
    Events,
}

impl StreamForm {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Lines(name) => name,
            Self::Events => "text/event-stream",
        }
    }
}

const STREAM_FORMS: [(&str, StreamForm); 6] = [
    ("application/json", StreamForm::Array),
    ("application/x-ndjson", StreamForm::Lines("application/x-ndjson")),
    ("application/ndjson", StreamForm::Lines("application/ndjson")),
    ("application/jsonl", StreamForm::Lines("application/jsonl")),
    ("application/x-jsonlines", StreamForm::Lines("application/x-jsonlines")),
    ("text/event-stream", StreamForm::Events),
];

/// The form of a server stream which a client prefers; an array unless it names another.
pub fn stream_form(headers: &HeaderMap) -> StreamForm {
    let mut best = (StreamForm::Array, 0);
    for (name, quality) in media_ranges(headers) {
        for (media, form) in STREAM_FORMS {
            if name.eq_ignore_ascii_case(media) && quality > best.1 {
                best = (form, quality);
            }
        }
        let any = name == "*/*" || name.eq_ignore_ascii_case("application/*");
        if any && quality > best.1 {
            best = (StreamForm::Array, quality);
        }
    }
    best.0
}

/// Whether a client names `application/problem+json` and does not prefer `application/json` to it.
pub fn prefers_problem(headers: &HeaderMap) -> bool {
    let problem = quality_of(headers, "application/problem+json");
    let json = quality_of(headers, "application/json");
    match (problem, json) {
        (Some(problem), Some(json)) => problem > 0 && problem >= json,
        (Some(problem), None) => problem > 0,
        (None, _) => false,
    }
}

/// The highest weight that `Accept` gives to a media type by its name, in thousandths.
fn quality_of(headers: &HeaderMap, media: &str) -> Option<u16> {
    let ranges = media_ranges(headers).filter(|(name, _)| name.eq_ignore_ascii_case(media));
    ranges.map(|(_, quality)| quality).max()
}

/// The media ranges of `Accept` with their weights in thousandths.
fn media_ranges(headers: &HeaderMap) -> impl Iterator<Item = (&str, u16)> {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        (name, weight.map_or(1000, parse_quality))
    })
}

fn parse_quality(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    match whole {
        "1" => 1000,
        "0" => digits.fold(0, |sum, d| sum * 10 + u16::from(d.saturating_sub(b'0').min(9))),
        _ => 0,
    }
}

/// What the content of a request claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// JSON, or nothing said.
    Json,
    /// One JSON document a line.
    Lines,
    Other,
}

/// Reads `Content-Type`. `None` when it cannot be JSON in UTF-8.
pub fn choose_content(headers: &HeaderMap) -> Content {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Content::Json };
    let Ok(value) = value.to_str() else { return Content::Other };
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"').to_owned())
    });
    if charset.is_some_and(|c| !c.eq_ignore_ascii_case("utf-8") && !c.eq_ignore_ascii_case("utf8"))
    {
        return Content::Other;
    }
    match media.as_str() {
        "application/json" | "text/json" | "" => Content::Json,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Content::Lines,
        _ if media.ends_with("+json") => Content::Json,
        _ => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_best_weight_decides_the_form_of_a_stream() {
        for (accept, want) in [
            ("application/json", StreamForm::Array),
            ("*/*", StreamForm::Array),
            ("text/html", StreamForm::Array),
            ("text/event-stream", StreamForm::Events),
            ("TEXT/Event-Stream", StreamForm::Events),
            ("text/event-stream;q=0", StreamForm::Array),
            (
                "application/json;q=0.5, application/x-ndjson",
                StreamForm::Lines("application/x-ndjson"),
            ),
            ("application/json, text/event-stream;q=0.9", StreamForm::Array),
            ("text/html, application/jsonl, */*;q=0.1", StreamForm::Lines("application/jsonl")),
        ] {
            assert_eq!(stream_form(&headers(ACCEPT, accept)), want, "{accept}");
        }
        assert_eq!(stream_form(&HeaderMap::new()), StreamForm::Array);
    }

    #[test]
    fn problems_are_sent_to_those_who_name_them() {
        for (accept, want) in [
            ("application/problem+json", true),
            ("application/problem+json, application/json;q=0.5", true),
            ("application/json, application/problem+json", true),
            ("application/json, application/problem+json;q=0.9", false),
            ("application/problem+json;q=0", false),
            ("*/*", false),
        ] {
            assert_eq!(prefers_problem(&headers(ACCEPT, accept)), want, "{accept}");
        }
    }

    #[test]
    fn json_is_utf8_json() {
        for (value, want) in [
            ("application/json", Content::Json),
            ("Application/JSON; charset=\"UTF-8\"", Content::Json),
            ("application/merge-patch+json", Content::Json),
            ("application/json; charset=latin1", Content::Other),
            ("text/plain", Content::Other),
            ("application/x-ndjson", Content::Lines),
        ] {
            assert_eq!(choose_content(&headers(CONTENT_TYPE, value)), want, "{value}");
        }
        assert_eq!(choose_content(&HeaderMap::new()), Content::Json);
    }
}
