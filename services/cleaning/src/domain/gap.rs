//! Regular visits are priced by the actual number of days since the last one, not by the agreed frequency.

use super::details::LastVisit;
use chrono::NaiveDate;
use vertical::Error;

/// The days from the visit before to one on `visit_on`; none when none was recorded. Recorded visits decide: what the
/// customer says can make the gap longer, never shorter, and is no visit where none was recorded.
pub fn days_between(
    said: LastVisit,
    recorded: Option<NaiveDate>,
    visit_on: NaiveDate,
) -> Result<Option<i64>, Error> {
    let LastVisit { on, days_ago } = said;
    if on.is_some_and(|date| date > visit_on) {
        return Err(Error::invalid("details.last_visit_on", "must not be after the visit"));
    }
    if let (Some(date), Some(days)) = (on, days_ago)
        && (visit_on - date).num_days() != days
    {
        let problem = "does not fit last_visit_on";
        return Err(Error::invalid("details.days_since_last_visit", problem));
    }
    let said = on.map(|date| (visit_on - date).num_days()).or(days_ago).unwrap_or(0);
    Ok(recorded.map(|date| (visit_on - date).num_days().max(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_record_decides_and_words_only_make_the_gap_longer() {
        let visit = date("2027-05-24");
        for (on, days_ago, recorded, expected) in [
            (None, None, None, None),
            (Some("2027-05-17"), None, None, None),
            (None, Some(7), None, None),
            (Some("2027-05-17"), Some(7), None, None),
            (None, Some(7), Some("2027-05-17"), Some(7)),
            (Some("2027-03-01"), None, Some("2027-05-17"), Some(84)),
            (None, Some(7), Some("2027-03-01"), Some(84)),
            (None, Some(84), Some("2027-05-17"), Some(84)),
            (None, None, Some("2027-05-10"), Some(14)),
            (Some("2027-05-24"), None, Some("2027-05-10"), Some(14)),
        ] {
            let said = LastVisit { on: on.map(date), days_ago };
            assert_eq!(
                days_between(said, recorded.map(date), visit).unwrap(),
                expected,
                "{said:?}"
            );
        }
    }

    #[test]
    fn contradictions_name_their_field() {
        let visit = date("2027-05-24");
        let late = LastVisit { on: Some(date("2027-05-25")), days_ago: None };
        let error = days_between(late, None, visit).unwrap_err().to_string();
        assert!(error.starts_with("details.last_visit_on"), "{error}");
        let odd = LastVisit { on: Some(date("2027-05-17")), days_ago: Some(8) };
        let error = days_between(odd, None, visit).unwrap_err().to_string();
        assert!(error.starts_with("details.days_since_last_visit"), "{error}");
    }
}
