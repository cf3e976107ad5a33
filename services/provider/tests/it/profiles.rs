//! Applying, reading, listing and changing profiles, and who may.

use crate::fixture::{Shop, application};
use kit::{
    Role,
    storage::idempotency,
    testing::{ActingAs, Backend, refusal, refused_field, somebody},
};
use proto::quickserve::provider::v1 as pb;
use tonic::{Code, Request};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_account_has_one_profile(backend: Backend) {
    let shop = Shop::open(backend).await;
    let owner = somebody(&[Role::Provider]);
    let mut keyed = Request::new(application("Ana"));
    keyed.metadata_mut().insert(idempotency::HEADER, "k1".parse().unwrap());
    let first = shop.profiles().create_provider(keyed).by(owner).await.unwrap().into_inner();
    let mut again = Request::new(application("Ana"));
    again.metadata_mut().insert(idempotency::HEADER, "k1".parse().unwrap());
    let second = shop.profiles().create_provider(again).by(owner).await.unwrap().into_inner();
    assert_eq!(first, second);
    let third = shop.profiles().create_provider(application("Ana")).by(owner).await;
    assert_eq!(refusal(third), "PROVIDER_EXISTS");
    let customer = somebody(&[Role::Customer]);
    let denied = shop.profiles().create_provider(application("Eve")).by(customer).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_applications_name_their_field(backend: Backend) {
    let shop = Shop::open(backend).await;
    let owner = somebody(&[Role::Provider]);
    for (request, wrong) in [
        (pb::CreateProviderRequest { name: String::new(), ..application("Ana") }, "name"),
        (pb::CreateProviderRequest { kind: 9, ..application("Ana") }, "kind"),
        (
            pb::CreateProviderRequest { country: "France".to_owned(), ..application("Ana") },
            "country",
        ),
        (
            pb::CreateProviderRequest { time_zone: "Mars/Base".to_owned(), ..application("Ana") },
            "time_zone",
        ),
    ] {
        assert_eq!(refused_field(shop.profiles().create_provider(request).by(owner).await), wrong);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn strangers_see_the_public_part_of_vetted_profiles_only(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (vetted, waiting) = (shop.vetted("Ana").await, shop.ready("Bea").await);
    let get = |id: &str| pb::GetProviderRequest { provider_id: id.to_owned() };
    let stranger = somebody(&[Role::Customer]);
    let seen = shop.profiles().get_provider(get(&vetted.id)).by(stranger).await.unwrap();
    let seen = seen.into_inner().provider.unwrap();
    assert_eq!(seen.name, "Ana");
    assert_eq!(seen.user_id, "");
    assert_eq!(seen.background_check(), pb::BackgroundCheck::Unspecified);
    let area = seen.offerings[0].area.unwrap();
    assert_eq!((area.lat, area.lng, area.radius_km), (None, None, 10.0));
    let anonymous = shop.profiles().get_provider(get(&vetted.id)).await.unwrap();
    assert_eq!(anonymous.into_inner().provider.unwrap(), seen);

    let hidden = shop.profiles().get_provider(get(&waiting.id)).by(stranger).await.unwrap_err();
    let absent = get(&uuid::Uuid::new_v4().to_string());
    let absent = shop.profiles().get_provider(absent).by(stranger).await.unwrap_err();
    assert_eq!((hidden.code(), hidden.message()), (absent.code(), absent.message()));
    assert_eq!(hidden.details(), absent.details());

    for subject in [waiting.owner, shop.operator] {
        let seen = shop.profiles().get_provider(get(&waiting.id)).by(subject).await.unwrap();
        let seen = seen.into_inner().provider.unwrap();
        assert_eq!(seen.user_id, waiting.owner.user_id.to_string());
        assert_eq!(seen.offerings[0].area.unwrap().lat, Some(48.8566));
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_changes_somebody_elses_profile(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (mine, other) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let id = || mine.id.clone();
    let update = pb::UpdateProviderRequest {
        provider_id: id(),
        name: Some("Eve".to_owned()),
        ..Default::default()
    };
    let changed = shop.profiles().update_provider(update).by(other.owner).await;
    assert_eq!(refusal(changed), "PROVIDER_NOT_FOUND");
    let pause = pb::PauseProviderRequest { provider_id: id() };
    let paused = shop.profiles().pause_provider(pause).by(other.owner).await;
    assert_eq!(refusal(paused), "PROVIDER_NOT_FOUND");
    let hours = crate::fixture::hours(&mine.id);
    let replaced = shop.availability().replace_availability(hours).by(other.owner).await;
    assert_eq!(refusal(replaced), "PROVIDER_NOT_FOUND");
    let offered = crate::fixture::offering(&mine.id);
    let offered = shop.offerings().create_offering(offered).by(other.owner).await;
    assert_eq!(refusal(offered), "PROVIDER_NOT_FOUND");
    let listed = pb::ListDocumentsRequest { provider_id: id(), ..Default::default() };
    let listed = shop.vetting().list_documents(listed).by(other.owner).await;
    assert_eq!(refusal(listed), "PROVIDER_NOT_FOUND");
    let document = crate::fixture::insurance(&mine.id, "2027-01-01", "2027-12-31");
    let submitted = shop.vetting().submit_document(document).by(other.owner).await;
    assert_eq!(refusal(submitted), "PROVIDER_NOT_FOUND");
    let approve = pb::ApproveProviderRequest { provider_id: id() };
    let approved = shop.vetting().approve_provider(approve).by(mine.owner).await;
    assert_eq!(approved.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(shop.profile(&mine).await.name, "Ana");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_needs_the_version_it_was_made_on(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mine = shop.applicant("Ana").await;
    let version = shop.profile(&mine).await.version;
    let update = |name: &str| pb::UpdateProviderRequest {
        provider_id: mine.id.clone(),
        name: Some(name.to_owned()),
        city: Some("Lyon".to_owned()),
        version,
        ..Default::default()
    };
    let changed = shop.profiles().update_provider(update("Anna")).by(mine.owner).await.unwrap();
    let changed = changed.into_inner().provider.unwrap();
    assert_eq!((changed.name.as_str(), changed.version), ("Anna", version + 1));
    assert_eq!(changed.bio, application("Ana").bio);
    let stale = shop.profiles().update_provider(update("Anne")).by(mine.owner).await;
    assert_eq!(refusal(stale), "VERSION_MISMATCH");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_list_finds_by_vertical_and_town_page_by_page(backend: Backend) {
    let shop = Shop::open(backend).await;
    for name in ["Ana", "Bea", "Cleo"] {
        shop.vetted(name).await;
    }
    shop.applicant("Dora").await;
    let list = |vertical: &str, city: &str, page_token: String| pb::ListProvidersRequest {
        vertical: vertical.to_owned(),
        city: city.to_owned(),
        page_size: 2,
        page_token,
        ..Default::default()
    };
    let names = |page: &pb::ListProvidersResponse| {
        page.providers.iter().map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    let mut profiles = shop.profiles();
    let first = list("cleaning", "PARIS", String::new());
    let first = profiles.list_providers(first).await.unwrap().into_inner();
    assert_eq!(names(&first), ["Cleo", "Bea"]);
    let rest = list("cleaning", "PARIS", first.next_page_token.clone());
    let rest = profiles.list_providers(rest).await.unwrap().into_inner();
    assert_eq!(names(&rest), ["Ana"]);
    assert_eq!(rest.next_page_token, "");
    for (vertical, city) in [("moving", ""), ("", "Lyon")] {
        let none = profiles.list_providers(list(vertical, city, String::new())).await.unwrap();
        assert!(none.into_inner().providers.is_empty());
    }
    let waiting = pb::ListProvidersRequest {
        state: pb::ProviderState::Applied.into(),
        ..list("", "", String::new())
    };
    assert_eq!(refused_field(profiles.list_providers(waiting.clone()).await), "state");
    let seen = profiles.list_providers(waiting).by(shop.operator).await.unwrap();
    assert_eq!(names(&seen.into_inner()), ["Dora"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn offerings_and_members_come_and_go(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mine = shop.ready("Ana").await;
    let mut offerings = shop.offerings();
    let second = offerings.create_offering(crate::fixture::offering(&mine.id)).by(mine.owner).await;
    assert_eq!(refusal(second), "OFFERING_EXISTS");
    let offering = shop.profile(&mine).await.offerings.remove(0);
    let replace = pb::UpdateOfferingRequest {
        provider_id: mine.id.clone(),
        offering_id: offering.id.clone(),
        skills: vec!["cleaning.deep".to_owned()],
        rate_card: Vec::new(),
        area: offering.area,
    };
    offerings.update_offering(replace).by(mine.owner).await.unwrap();
    assert_eq!(shop.profile(&mine).await.offerings[0].skills, ["cleaning.deep"]);
    let delete =
        pb::DeleteOfferingRequest { provider_id: mine.id.clone(), offering_id: offering.id };
    offerings.delete_offering(delete.clone()).by(mine.owner).await.unwrap();
    let again = offerings.delete_offering(delete).by(mine.owner).await;
    assert_eq!(refusal(again), "OFFERING_NOT_FOUND");

    let mut profiles = shop.profiles();
    let add = pb::CreateMemberRequest {
        skills: Vec::new(),
        user_id: String::new(),
        provider_id: mine.id.clone(),
        name: "Max".to_owned(),
        role: "driver".to_owned(),
    };
    let added = profiles.create_member(add).by(mine.owner).await.unwrap().into_inner();
    let list = pb::ListMembersRequest { provider_id: mine.id.clone(), ..Default::default() };
    let listed = profiles.list_members(list).by(mine.owner).await.unwrap().into_inner();
    assert_eq!(listed.members, [added.member.clone().unwrap()]);
    let remove = pb::DeleteMemberRequest {
        provider_id: mine.id.clone(),
        member_id: added.member.unwrap().id,
    };
    profiles.delete_member(remove.clone()).by(mine.owner).await.unwrap();
    let again = profiles.delete_member(remove).by(mine.owner).await;
    assert_eq!(refusal(again), "MEMBER_NOT_FOUND");
}
