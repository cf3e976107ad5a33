//! Who may take which job when.

use super::*;
use crate::domain::{
    calendar::{Exceptions, Hours, Weekly},
    crew::Needs,
};
use chrono::{Duration, Weekday};
use chrono_tz::Europe::Paris;
use kit::Window;

const PARIS: GeoPlace = GeoPlace { lat: 48.8566, lng: 2.3522 };

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Works on Mondays from 8 to 20 o'clock in Paris and brings what cleaning asks for.
fn standing() -> Standing {
    Standing {
        provider_id: ProviderId::from_uuid(Uuid::from_u128(1)),
        user_id: Uuid::from_u128(2),
        name: "Ana".to_owned(),
        country: "FR".to_owned(),
        revision: 1,
        state: State::Active,
        background_check: BackgroundCheck::Clear,
        offerings: vec![Offered {
            vertical: "cleaning".to_owned(),
            skills: vec!["cleaning.standard".to_owned()],
            centre: PARIS,
            radius_km: 10.0,
        }],
        kind: ProviderKind::Solo,
        team: Vec::new(),
        vehicles: Vec::new(),
        documents: vec![Verified {
            kind: "insurance".to_owned(),
            issued_on: date("2027-01-01"),
            expires_on: Some(date("2027-05-24")),
        }],
        calendar: Calendar {
            zone: Paris,
            weekly: Weekly(vec![(Weekday::Mon, Hours { start: 8 * 60, end: 20 * 60 })]),
            exceptions: Exceptions::default(),
            time_off: Vec::new(),
        },
    }
}

/// Two hours from 10 o'clock on Monday, 24 May 2027.
fn job() -> JobRequest {
    let start = "2027-05-24T08:00:00Z".parse().unwrap();
    JobRequest {
        vertical: "cleaning".to_owned(),
        window: Window { start, end: start + Duration::hours(2), zone: Paris },
        buffer_before_s: 0,
        buffer_after_s: 0,
        skills: vec!["cleaning.standard".to_owned()],
        preferred_skills: Vec::new(),
        documents: vec!["insurance".to_owned()],
        place: Some(PARIS),
        country: Some("FR".to_owned()),
        needs: Needs::default(),
    }
}

#[test]
fn each_condition_has_its_objection() {
    type Spoil = fn(&mut Standing, &mut JobRequest);
    let table: [(Spoil, &[&str]); 11] = [
        (|_, _| {}, &[]),
        (|standing, _| standing.state = State::Paused, &["NOT_ACTIVE"]),
        (
            |standing, _| standing.background_check = BackgroundCheck::Suspended,
            &["BACKGROUND_CHECK"],
        ),
        (|_, job| job.vertical = "moving".to_owned(), &["NO_OFFERING"]),
        (|_, job| job.skills.push("cleaning.deep".to_owned()), &["SKILL:cleaning.deep"]),
        (|_, job| job.documents.push("identity".to_owned()), &["DOCUMENT:identity"]),
        (|_, job| job.place = Some(GeoPlace { lat: 48.70, lng: 2.3522 }), &["OUT_OF_AREA"]),
        (|_, job| job.country = Some("GB".to_owned()), &["OTHER_COUNTRY"]),
        (|_, job| job.country = None, &[]),
        (|_, job| job.window.end += Duration::hours(9), &["OUTSIDE_AVAILABILITY"]),
        (|standing, job| (standing.offerings.clear(), job.place = None).1, &["NO_OFFERING"]),
    ];
    for (spoil, expected) in table {
        let (mut standing, mut job) = (standing(), job());
        spoil(&mut standing, &mut job);
        assert_eq!(standing.objections(&job, None), expected);
    }
}

#[test]
fn nobody_books_their_own_profile() {
    assert_eq!(standing().objections(&job(), Some(Uuid::from_u128(2))), ["OWN_PROFILE"]);
    assert!(standing().objections(&job(), Some(Uuid::from_u128(3))).is_empty());
}

#[test]
fn a_document_counts_on_the_service_date_and_not_today() {
    for (issued, expires, valid) in [
        ("2027-01-01", Some("2027-05-23"), false),
        ("2027-01-01", Some("2027-05-24"), true),
        ("2027-01-01", Some("2027-05-25"), true),
        ("2027-01-01", None, true),
        ("2027-05-24", None, true),
        ("2027-05-25", None, false),
    ] {
        let mut standing = standing();
        standing.documents[0].issued_on = date(issued);
        standing.documents[0].expires_on = expires.map(date);
        assert_eq!(standing.objections(&job(), None).is_empty(), valid, "{issued} {expires:?}");
    }
}

#[test]
fn a_renewal_takes_over_within_a_job_over_midnight() {
    let mut standing = standing();
    standing.calendar.weekly = Weekly(vec![
        (Weekday::Mon, Hours { start: 0, end: 1440 }),
        (Weekday::Tue, Hours { start: 0, end: 1440 }),
    ]);
    let mut job = job();
    job.window.end = "2027-05-25T02:00:00Z".parse().unwrap();
    assert_eq!(standing.objections(&job, None), ["DOCUMENT:insurance"]);
    standing.documents.push(Verified {
        kind: "insurance".to_owned(),
        issued_on: date("2027-05-25"),
        expires_on: None,
    });
    assert!(standing.objections(&job, None).is_empty());
}
