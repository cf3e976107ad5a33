//! Spans of time: from an instant up to, not including, another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    pub start: DateTime<Utc>,
    /// First instant after it.
    pub end: DateTime<Utc>,
}

impl Span {
    /// Whether the two have an instant in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether it has every instant of `other`.
    pub fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// The same instants as few spans as possible, in order.
pub fn merge_spans(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// What is left of `spans` without the instants of `holes`.
pub fn subtract_spans(spans: Vec<Span>, holes: &[Span]) -> Vec<Span> {
    holes.iter().fold(spans, |spans, hole| {
        let cut = spans.into_iter().flat_map(|span| {
            let before = Span { start: span.start, end: span.end.min(hole.start) };
            let after = Span { start: span.start.max(hole.end), end: span.end };
            [before, after]
        });
        cut.filter(|span| span.start < span.end).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i64, end: i64) -> Span {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        Span { start: at(start), end: at(end) }
    }

    #[test]
    fn back_to_back_is_no_overlap() {
        assert!(!span(0, 10).overlaps(&span(10, 20)));
        assert!(span(0, 11).overlaps(&span(10, 20)));
    }

    #[test]
    fn spans_merge_and_lose_holes() {
        let merged =
            merge_spans(vec![span(10, 20), span(0, 5), span(5, 8), span(7, 7), span(15, 30)]);
        assert_eq!(merged, [span(0, 8), span(10, 30)]);
        let left = subtract_spans(merged, &[span(4, 12), span(20, 22), span(40, 50)]);
        assert_eq!(left, [span(0, 4), span(12, 20), span(22, 30)]);
        assert_eq!(subtract_spans(vec![span(0, 5)], &[span(0, 5)]), []);
    }
}
