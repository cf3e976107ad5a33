//! Ten thousand providers in one town, of whom one is free.

use crate::fixture::{Shop, hold, offering, requirements};
use kit::{
    testing::{ActingAs, Backend, at, paris, window},
    values::time::timestamp,
};
use proto::quickserve::{fulfilment::v1::Requirements, provider::v1 as pb};
use std::time::Duration;
use yare::parameterized;

const CROWD: usize = 10_000;

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
