//! Ten thousand providers in one town, of whom one is free.

use crate::fixture::{Provider, Shop, hold, offering, requirements};
use kit::{
    Db,
    testing::{ActingAs, Backend, at, paris, window},
    values::time::timestamp,
};
use proto::quickserve::{fulfilment::v1::Requirements, provider::v1 as pb};
use sea_orm::{ConnectionTrait, DatabaseBackend};
use std::time::Duration;
use yare::parameterized;

const CROWD: usize = 10_000;

impl Shop {
    /// Makes so many copies of a provider, with all that decides about them and with all the time that is taken from it.
    async fn copy(&self, provider: &Provider, count: usize) {
        let config = self.world.host.of("provider").database_config();
        let db = Db::connect(&config, self.world.clock.clone()).await.unwrap();
        let connection = db.connection();
        let (random_id, source) = match connection.get_database_backend() {
            DatabaseBackend::Postgres => ("gen_random_uuid()", format!("'{}'::uuid", provider.id)),
            _ => ("randomblob(16)", format!("X'{}'", provider.id.replace('-', ""))),
        };
        let of_provider = "kind, name, bio, city, city_key, country, time_zone, state, before_block, blocks, \
            background_check, weekly, exceptions, stars_sum, reviews, accepted, declined, cancelled, arrivals, \
            on_time, completed, score, standing, version, event_seq, created_at, updated_at";
        let of_offering = "vertical, skills, rate_card, lat, lng, radius_km, lat_min, lat_max, lng_min, lng_max, \
            created_at, updated_at";
        let of_document = "kind, number, issued_on, expires_on, file_sha256, state, reason, reviewed_by, version, \
            created_at, updated_at";
        let of_reservation = "round, reservation_id, resource_kind, role, running, state, lapsed, starts_at, ends_at, hold_expires_at, job, created_at, updated_at";
        let named = |columns: &str| {
            columns.split(", ").map(|it| format!("it.{}", it.trim())).collect::<Vec<_>>().join(", ")
        };
        let people = named(of_provider);
        let mut statements = vec![format!(
            "INSERT INTO providers (id, user_id, {of_provider}) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             SELECT {random_id}, {random_id}, {people} FROM providers it, n WHERE it.id = {source}"
        )];
        for (table, columns, further) in [
            ("offerings", of_offering, ""),
            ("documents", of_document, ""),
            ("reservations", of_reservation, "resource_id, order_id, "),
        ] {
            let values = named(columns);
            let further_value =
                if further.is_empty() { String::new() } else { format!("copy.id, {random_id}, ") };
            statements.push(format!(
                "INSERT INTO {table} (id, provider_id, {further}{columns}) \
                 SELECT {random_id}, copy.id, {further_value}{values} FROM {table} it, providers copy \
                 WHERE it.provider_id = {source} AND copy.name = 'Ana' AND copy.id <> {source}"
            ));
        }
        // Each of them is better scored than any other provider.
        statements.push("UPDATE providers SET score = score + 1 WHERE name = 'Ana'".to_owned());
        for statement in statements {
            connection.execute_unprepared(&statement).await.unwrap();
        }
        db.close().await.unwrap();
    }
}

/// A request that waits longer than usual: the program under test is not optimised.
fn patient<M>(message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(Duration::from_secs(100));
    request
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_only_free_one_of_ten_thousand_is_found(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ana = shop.vetted("Ana").await;
    let taken = hold(&ana, "2027-05-24T05:00:00Z", 24, "2027-05-30T00:00:00Z");
    let taken =
        pb::HoldReservationRequest { window: Some(window("2027-05-24T06:00:00Z", 12)), ..taken };
    shop.reservations().hold_reservation(taken).await.unwrap();
    shop.copy(&ana, CROWD).await;
    let bea = shop.vetted("Bea").await;
    let skills = vec!["cleaning.standard".to_owned(), "cleaning.deep".to_owned()];
    let pb::CreateOfferingRequest { provider_id, rate_card, area, .. } = offering(&bea.id);
    let offering_id = shop.profile(&bea).await.offerings[0].id.clone();
    let offer = pb::UpdateOfferingRequest { provider_id, offering_id, skills, rate_card, area };
    shop.offerings().update_offering(offer).by(bea.owner).await.unwrap();

    let asked = pb::FindSlotsRequest {
        vertical: "cleaning".to_owned(),
        from: Some(timestamp(at("2027-05-24T00:00:00Z"))),
        to: Some(timestamp(at("2027-05-26T00:00:00Z"))),
        duration: Some(prost_types::Duration { seconds: 7200, nanos: 0 }),
        lat: paris().lat,
        lng: paris().lng,
        requirements: Some(requirements(15)),
        ..pb::FindSlotsRequest::default()
    };
    let found = shop.reservations().find_slots(patient(asked)).await.unwrap().into_inner().slots;
    let (monday, tuesday) = found.split_at(21);
    assert_eq!(monday[0].window, Some(window("2027-05-24T06:00:00Z", 2)));
    assert_eq!(tuesday[0].window, Some(window("2027-05-25T06:00:00Z", 2)));
    assert!(monday.iter().all(|slot| slot.provider_ids == [bea.id.clone()]), "she alone is free");
    assert_eq!(tuesday.len(), 21);
    assert!(
        tuesday.iter().all(|slot| slot.provider_ids.len() == 20),
        "of those who are free the best"
    );

    // All are free on Tuesday, and she alone has the skill.
    let deep = Requirements { skills: vec!["cleaning.deep".to_owned()], ..requirements(0) };
    let wanted = pb::FindCandidatesRequest {
        vertical: "cleaning".to_owned(),
        window: Some(window("2027-05-25T08:00:00Z", 2)),
        address: Some(paris()),
        requirements: Some(deep),
        limit: 3,
        ..pb::FindCandidatesRequest::default()
    };
    let found = shop.reservations().find_candidates(patient(wanted)).await.unwrap().into_inner();
    let names: Vec<_> = found.candidates.iter().map(|it| it.provider_name.as_str()).collect();
    assert_eq!(names, ["Bea"]);
}
