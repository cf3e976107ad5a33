//! Values that many tests need and few look at.

use crate::values::time::Window;
use chrono::{DateTime, Duration, Utc};
use proto::quickserve::common::v1::{Address, TimeWindow};

/// The time that `text` says in RFC 3339.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A window of so many hours, for an address in Paris.
pub fn window(start: &str, hours: i64) -> TimeWindow {
    let start = at(start);
    Window { start, end: start + Duration::hours(hours), zone: chrono_tz::Europe::Paris }.into()
}

/// An address in the centre of Paris.
pub fn paris() -> Address {
    Address {
        lines: vec!["1 rue de Rivoli".to_owned()],
        postcode: "75001".to_owned(),
        city: "Paris".to_owned(),
        country: "FR".to_owned(),
        lat: Some(48.8600),
        lng: Some(2.3400),
        access_notes: String::new(),
    }
}
