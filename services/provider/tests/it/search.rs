//! Who could take a job.

use crate::fixture::{Shop, hold, offering, requirements};
use kit::testing::{ActingAs, Backend, paris, window};
use proto::quickserve::{fulfilment::v1::Requirements, provider::v1 as pb};
use yare::parameterized;

fn find() -> pb::FindCandidatesRequest {
    pb::FindCandidatesRequest {
        radius_m: 0,
        vertical: "cleaning".to_owned(),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        address: Some(paris()),
        requirements: Some(requirements(0)),
        ..pb::FindCandidatesRequest::default()
    }
}

async fn names(shop: &Shop, request: pb::FindCandidatesRequest) -> Vec<String> {
    let found = shop.reservations().find_candidates(request).await.unwrap().into_inner();
    found.candidates.into_iter().map(|it| it.provider_name).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn candidates_are_eligible_and_free_and_not_left_out(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let paused = shop.vetted("Cleo").await;
    let pause = pb::PauseProviderRequest { provider_id: paused.id.clone() };
    shop.profiles().pause_provider(pause).by(paused.owner).await.unwrap();
    shop.ready("Dora").await;
    assert_eq!(names(&shop, find()).await, ["Ana", "Bea"]);
    let without =
        pb::FindCandidatesRequest { excluded_provider_ids: vec![ana.id.clone()], ..find() };
    assert_eq!(names(&shop, without).await, ["Bea"]);
    let own = pb::FindCandidatesRequest { customer_id: bea.owner.user_id.to_string(), ..find() };
    assert_eq!(names(&shop, own).await, ["Ana"]);
    assert_eq!(names(&shop, pb::FindCandidatesRequest { limit: 1, ..find() }).await, ["Ana"]);
    // Of two who are equally good, the customer's favourite comes first.
    let preferred_provider_ids = vec![bea.id.clone()];
    let liked = pb::FindCandidatesRequest { preferred_provider_ids, limit: 1, ..find() };
    assert_eq!(names(&shop, liked).await, ["Bea"]);
    // Favourites alone are looked at where that is asked; who has none finds nobody.
    for (favourites, expected) in
        [(vec![bea.id.clone(), paused.id.clone()], vec!["Bea"]), (vec![], vec![])]
    {
        let alone = pb::FindCandidatesRequest {
            preferred_provider_ids: favourites,
            preferred_only: true,
            ..find()
        };
        assert_eq!(names(&shop, alone).await, expected);
    }
    // Who offers a skill that the job prefers comes before those who are as good, and need not be the only one.
    let skills = vec!["cleaning.standard".to_owned(), "cleaning.brand.karcher".to_owned()];
    let pb::CreateOfferingRequest { provider_id, rate_card, area, .. } = offering(&bea.id);
    let offering_id = shop.profile(&bea).await.offerings[0].id.clone();
    let offer = pb::UpdateOfferingRequest { provider_id, offering_id, skills, rate_card, area };
    shop.offerings().update_offering(offer).by(bea.owner).await.unwrap();
    let preferring = |skill: &str| {
        let preferred_skills = vec![skill.to_owned()];
        let requirements = Some(Requirements { preferred_skills, ..requirements(0) });
        pb::FindCandidatesRequest { requirements, ..find() }
    };
    assert_eq!(names(&shop, preferring("cleaning.brand.karcher")).await, ["Bea", "Ana"]);
    assert_eq!(names(&shop, preferring("cleaning.brand.other")).await, ["Ana", "Bea"]);

    let taken = hold(&ana, "2027-05-24T09:00:00Z", 2, "2027-05-10T09:15:00Z");
    shop.reservations().hold_reservation(taken).await.unwrap();
    assert_eq!(names(&shop, find()).await, ["Bea"]);
    shop.world.clock.advance(chrono::Duration::minutes(15));
    assert_eq!(names(&shop, find()).await, ["Ana", "Bea"], "a hold that ran out takes nothing");

    let deep = Requirements { skills: vec!["cleaning.deep".to_owned()], ..requirements(0) };
    let deep = pb::FindCandidatesRequest { requirements: Some(deep), ..find() };
    assert!(names(&shop, deep).await.is_empty());
    let mut far = paris();
    far.lat = Some(48.70);
    let far = pb::FindCandidatesRequest { address: Some(far), ..find() };
    assert!(names(&shop, far).await.is_empty());
    let later =
        pb::FindCandidatesRequest { window: Some(window("2028-05-24T08:00:00Z", 2)), ..find() };
    assert!(names(&shop, later).await.is_empty(), "nobody is insured next year");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_candidate_says_how_far_it_is(backend: Backend) {
    let shop = Shop::open(backend).await;
    shop.vetted("Ana").await;
    let found = shop.reservations().find_candidates(find()).await.unwrap().into_inner();
    let travel = found.candidates[0].travel_time.unwrap();
    assert!((60..600).contains(&travel.seconds), "{travel:?}");
}
