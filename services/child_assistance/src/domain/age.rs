//! Ages in whole months, on the calendar.

use super::Error;
use chrono::{Datelike, NaiveDate};

/// Months before which a child counts as an infant.
pub const INFANT_BELOW: i64 = 36;
/// Months from which on a person is no child any more.
const GROWN_UP: i64 = 216;

/// The whole months from a birth date to a day. A child born on the 31st is a month older on the first of the month after a
/// short one.
pub fn months_on(born_on: NaiveDate, day: NaiveDate) -> i64 {
    let months = i64::from(day.year() - born_on.year()) * 12 + i64::from(day.month())
        - i64::from(born_on.month());
    if day.day() < born_on.day() { months - 1 } else { months }
}

/// Reads a birth date: of a child that is born, and not grown up.
pub fn parse_birth_date(field: &str, text: &str, today: NaiveDate) -> Result<NaiveDate, Error> {
    let born_on: NaiveDate =
        text.parse().map_err(|_| Error::invalid(field, "must be a date such as 2024-05-17"))?;
    if born_on > today {
        return Err(Error::invalid(field, "must not be in the future"));
    }
    if months_on(born_on, today) >= GROWN_UP {
        return Err(Error::invalid(field, "must be less than 18 years ago"));
    }
    Ok(born_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_whole() {
        for (born, on, months) in [
            ("2024-05-17", "2027-05-16", 35),
            ("2024-05-17", "2027-05-17", 36),
            ("2027-01-31", "2027-02-28", 0),
            ("2027-01-31", "2027-03-01", 1),
            ("2027-01-31", "2027-03-31", 2),
            ("2024-02-29", "2027-02-28", 35),
            ("2027-05-17", "2027-05-17", 0),
        ] {
            assert_eq!(months_on(day(born), day(on)), months, "{born} on {on}");
        }
    }

    #[test]
    fn a_birth_date_is_that_of_a_child() {
        let today = day("2027-05-17");
        assert!(parse_birth_date("born_on", "2027-05-17", today).is_ok());
        assert!(parse_birth_date("born_on", "2009-05-18", today).is_ok());
        for wrong in ["2027-05-18", "2009-05-17", "2027-02-30", "yesterday", ""] {
            let error = parse_birth_date("born_on", wrong, today).unwrap_err();
            assert!(error.to_string().starts_with("born_on"), "{wrong}: {error}");
        }
    }
}
