//! What lies far from today: dates that are not looked for, and what is kept of visits of long ago.

use super::*;
use proto::quickserve::user::v1::UserEvent;
use sea_orm::{ConnectionTrait, Statement};

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn dates_that_are_years_ahead_are_not_looked_for(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.weekly_series().await;
    let list = async |from_on: &str, to_on: &str| {
        let request = pb::ListOccurrencesRequest {
            series_id: id.clone(),
            from_on: from_on.to_owned(),
            to_on: to_on.to_owned(),
        };
        acting_as(town.customer, town.series().list_occurrences(request)).await
    };
    let far = "9999-12-28";
    let later = pb::SeriesChanges { minutes: Some(150), ..Default::default() };
    for (field, refused) in [
        ("from_on", list("9998-12-31", "9999-12-31").await.map(|_| ())),
        ("date", town.skip(&id, far).await.map(|_| ())),
        ("date", town.move_date(&id, far, "2027-06-01T09:00").await.map(|_| ())),
        ("date", town.update(&id, "this", far, later.clone()).await.map(|_| ())),
        ("date", town.update(&id, "future", far, later).await.map(|_| ())),
    ] {
        let error = refused.unwrap_err();
        assert!(error.message().starts_with(&format!("{field} must be at most")), "{error:?}");
    }
    let near = list("2031-01-01", "2031-12-31").await.unwrap().into_inner();
    assert_eq!(near.occurrences.len(), 52);
    assert_eq!(list("2001-01-01", "2001-12-31").await.unwrap().into_inner().occurrences.len(), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erasure_reaches_the_details_of_visits_of_long_ago(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.weekly_series().await;
    let details = Some(prost_types::Struct::default());
    let changes = pb::SeriesChanges { details, ..Default::default() };
    town.update(&id, "this", TUESDAYS[4], changes).await.unwrap();
    let config = town.host().of("order").database_config();
    let db = kit::Db::connect(&config, town.clock.clone()).await.unwrap();
    let (db, backend) = (db.connection(), db.connection().get_database_backend());
    // The visit was two years ago.
    let moved = format!(
        "UPDATE series_occurrences SET on_date = '2025-05-13' WHERE on_date = '{}'",
        TUESDAYS[4]
    );
    let moved = db.execute_unprepared(&moved).await.unwrap();
    assert_eq!(moved.rows_affected(), 1);
    let kept = async || {
        let query = "SELECT COUNT(*) AS it FROM series_occurrences WHERE details IS NOT NULL";
        let row = db.query_one_raw(Statement::from_string(backend, query)).await.unwrap().unwrap();
        row.try_get::<i64>("", "it").unwrap()
    };
    assert_eq!(kept().await, 1);
    let user_id = town.customer.user_id.to_string();
    town.publish("user.erased", UserEvent { user_id }).await;
    eventually("its details are gone", kept, |count| *count == 0).await;
}
