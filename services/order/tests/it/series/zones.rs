//! Visits keep the time on the clock of their place, whatever the clocks do, however long the series lasts.

use super::*;
use chrono::NaiveTime;
use chrono_tz::Tz;

/// Places with clocks of their own: the zone, the country, latitude and longitude.
const PLACES: [(Tz, &str, f64, f64); 4] = [
    (Tz::Europe__Paris, "FR", 48.8566, 2.3522),
    (Tz::Europe__London, "GB", 51.5074, -0.1278),
    (Tz::Australia__Lord_Howe, "AU", -31.5280, 159.0700),
    (Tz::America__Sao_Paulo, "BR", -23.5505, -46.6333),
];

impl Town {
    /// A series at a place of the list, by a rule.
    async fn series_at(&self, place: usize, change: pb::CreateSeriesRequest) -> String {
        let (_, country, lat, lng) = PLACES[place];
        let address = Address {
            postcode: "1000".to_owned(),
            city: "Here".to_owned(),
            country: country.to_owned(),
            lat: Some(lat),
            lng: Some(lng),
            ..paris()
        };
        let request = pb::CreateSeriesRequest { address: Some(address), ..change };
        self.make_series(request).await.unwrap().id
    }

    /// The dates of a series between two others, with the starts of their visits.
    async fn starts(&self, id: &str, from: &str, to: &str) -> Vec<(String, DateTime<Utc>)> {
        let request = pb::ListOccurrencesRequest {
            series_id: id.to_owned(),
            from_on: from.to_owned(),
            to_on: to.to_owned(),
        };
        let listed = acting_as(self.customer, self.series().list_occurrences(request)).await;
        let listed = listed.unwrap().into_inner().occurrences;
        listed.into_iter().map(|it| (it.date.clone(), start_of(&it))).collect()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_year_of_tuesdays_is_at_nine_in_every_zone(backend: Backend) {
    let town = Town::new(backend).await;
    let nine: NaiveTime = "09:00:00".parse().unwrap();
    for (place, (zone, ..)) in PLACES.into_iter().enumerate() {
        let id = town.series_at(place, weekly(Some(town.profile), ProviderMode::Only)).await;
        let year = town.starts(&id, "2027-05-18", "2028-05-16").await;
        assert_eq!(year.len(), 53, "{zone}");
        for (date, start) in year {
            let local = start.with_timezone(&zone).naive_local();
            assert_eq!((local.date().to_string(), local.time()), (date, nine), "{zone}");
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_in_the_gap_is_at_the_next_minute_and_one_in_the_overlap_at_the_first(
    backend: Backend,
) {
    let town = Town::new(backend).await;
    for (place, time, date, start) in [
        (0, "02:30", "2027-10-31", "2027-10-31T00:30:00Z"),
        (0, "02:30", "2028-03-26", "2028-03-26T01:00:00Z"),
        (1, "01:30", "2027-10-31", "2027-10-31T00:30:00Z"),
        (1, "01:30", "2028-03-26", "2028-03-26T01:00:00Z"),
        // Clocks of Lord Howe change by half an hour.
        (2, "02:15", "2027-10-03", "2027-10-02T15:30:00Z"),
        (2, "01:45", "2028-04-02", "2028-04-01T14:45:00Z"),
    ] {
        let daily = pb::CreateSeriesRequest {
            rrule: "FREQ=DAILY".to_owned(),
            start_local: time.to_owned(),
            ..weekly(Some(town.profile), ProviderMode::Only)
        };
        let id = town.series_at(place, daily).await;
        let seen = town.starts(&id, date, date).await;
        assert_eq!(seen, [(date.to_owned(), start.parse().unwrap())], "{place}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nearly_five_years_of_tuesdays_are_counted_exactly(backend: Backend) {
    let town = Town::new(backend).await;
    let counted = pb::CreateSeriesRequest {
        rrule: "FREQ=WEEKLY;COUNT=250".to_owned(),
        ..weekly(Some(town.profile), ProviderMode::Only)
    };
    let id = town.series_at(0, counted).await;
    let mut count = 0;
    for year in 2027..2032 {
        count += town.starts(&id, &format!("{year}-01-01"), &format!("{year}-12-31")).await.len();
    }
    let last = town.starts(&id, "2032-01-01", "2032-03-31").await;
    assert_eq!(count + last.len(), 250);
    let last = last.into_iter().next_back().unwrap();
    assert_eq!(last, ("2032-02-24".to_owned(), "2032-02-24T08:00:00Z".parse().unwrap()));
}
