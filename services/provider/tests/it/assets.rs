//! Vehicles and members as their provider keeps them.

use crate::{firm::truck, fixture::Shop};
use kit::testing::{ActingAs, Backend, refusal};
use proto::quickserve::provider::v1 as pb;
use tonic::Code;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_keeps_its_vehicles(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let mut assets = shop.assets();
    let created = assets.create_asset(truck(&ana.id, 20_000)).by(ana.owner).await;
    let asset = created.unwrap().into_inner().asset.unwrap();
    assert!(asset.active);
    let (provider_id, asset_id) = (ana.id.clone(), asset.id.clone());
    let get = pb::GetAssetRequest { provider_id: provider_id.clone(), asset_id: asset_id.clone() };
    let read = assets.get_asset(get.clone()).by(ana.owner).await.unwrap().into_inner();
    assert_eq!(read.asset, Some(asset.clone()));
    let update = pb::UpdateAssetRequest {
        provider_id: provider_id.clone(),
        asset_id: asset_id.clone(),
        kind: "van".to_owned(),
        seats: 2,
        volume_l: 8_000,
        payload_kg: 900,
        plate: String::new(),
        active: Some(false),
    };
    let updated = assets.update_asset(update.clone()).by(ana.owner).await.unwrap().into_inner();
    let updated = updated.asset.unwrap();
    assert_eq!((updated.kind.as_str(), updated.active), ("van", false));
    let list = pb::ListAssetsRequest {
        provider_id: provider_id.clone(),
        page_size: 0,
        page_token: String::new(),
    };
    let listed = assets.list_assets(list).by(ana.owner).await.unwrap().into_inner();
    assert_eq!(listed.assets, [updated]);
    let strange = [
        assets.get_asset(get.clone()).by(bea.owner).await.err(),
        assets.update_asset(update).by(bea.owner).await.err(),
    ];
    for answer in strange {
        assert_eq!(refusal(Err::<(), _>(answer.unwrap())), "PROVIDER_NOT_FOUND");
    }
    let delete = pb::DeleteAssetRequest { provider_id, asset_id };
    assets.delete_asset(delete.clone()).by(ana.owner).await.unwrap();
    assert_eq!(refusal(assets.delete_asset(delete).by(ana.owner).await), "ASSET_NOT_FOUND");
    assert_eq!(refusal(assets.get_asset(get).by(ana.owner).await), "ASSET_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_vehicles_name_their_field(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ana = shop.vetted("Ana").await;
    let good = truck(&ana.id, 20_000);
    for (bad, field) in [
        (pb::CreateAssetRequest { kind: "ship".to_owned(), ..good.clone() }, "kind"),
        (pb::CreateAssetRequest { seats: -1, ..good.clone() }, "seats"),
        (pb::CreateAssetRequest { volume_l: 300_000, ..good.clone() }, "volume_l"),
        (pb::CreateAssetRequest { payload_kg: -5, ..good.clone() }, "payload_kg"),
        (pb::CreateAssetRequest { plate: "1234567890ABCDEFG".to_owned(), ..good }, "plate"),
    ] {
        let status = shop.assets().create_asset(bad).by(ana.owner).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_member_changes_and_rests(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(1, &[]).await;
    let owner = firm.provider.owner;
    let update = pb::UpdateMemberRequest {
        provider_id: firm.provider.id.clone(),
        member_id: firm.members[0].clone(),
        name: "Léa".to_owned(),
        role: "driver".to_owned(),
        skills: vec!["moving".to_owned()],
        user_id: owner.user_id.to_string(),
        active: Some(false),
    };
    let changed = shop.profiles().update_member(update.clone()).by(owner).await.unwrap();
    let member = changed.into_inner().member.unwrap();
    assert_eq!((member.name.as_str(), member.active), ("Léa", false));
    assert_eq!((member.user_id, member.skills), (update.user_id.clone(), update.skills.clone()));
    let other = shop.vetted("Ana").await;
    let foreign = pb::UpdateMemberRequest { provider_id: other.id.clone(), ..update };
    let answer = shop.profiles().update_member(foreign).by(other.owner).await;
    assert_eq!(refusal(answer), "MEMBER_NOT_FOUND");
}
