//! Jobs that are booked, and the members and vehicles that do them and leave.

use crate::{
    firm::{Firm, confirm, hold_move, move_of, truck},
    fixture::Shop,
};
use kit::testing::{ActingAs, Backend, EventRecorder, eventually};
use proto::quickserve::provider::v1 as pb;
use std::collections::HashSet;
use uuid::Uuid;
use yare::parameterized;

/// The world begins at 9 o'clock UTC on Monday, 10 May 2027; holds last for a quarter of an hour.
const EXPIRES: &str = "2027-05-10T09:15:00Z";
const MORNING: &str = "2027-05-24T08:00:00Z";

impl Shop {
    /// Books a move with a firm.
    async fn booked(&self, firm: &Firm, movers: i32, volume_l: i32) -> pb::HoldReservationRequest {
        let requirements = move_of(movers, volume_l);
        let hold = hold_move(&firm.provider, requirements, MORNING, EXPIRES);
        self.reservations().hold_reservation(hold.clone()).await.unwrap();
        self.reservations().confirm_reservation(confirm(&hold)).await.unwrap();
        hold
    }

    /// What speaks against a firm doing a move that it is booked for, as order asks.
    async fn causes_of(&self, booked: &pb::HoldReservationRequest) -> Vec<String> {
        let check = pb::CheckEligibilityRequest {
            provider_id: booked.provider_id.clone(),
            vertical: booked.vertical.clone(),
            window: booked.window.clone(),
            address: booked.address.clone(),
            requirements: booked.requirements.clone(),
            customer_id: booked.customer_id.clone(),
            order_id: booked.order_id.clone(),
            round: booked.round,
        };
        self.reservations().check_eligibility(check).await.unwrap().into_inner().causes
    }

    /// Whose time a move takes.
    async fn staff(&self, booked: &pb::HoldReservationRequest) -> HashSet<Uuid> {
        let rows = self.rows(&booked.order_id).await;
        assert!(rows.iter().all(|(_, state, _)| state == "CONFIRMED"), "{rows:?}");
        rows.into_iter().map(|(id, ..)| id).collect()
    }

    async fn dismiss(&self, firm: &Firm, member_id: &str) {
        let gone = pb::DeleteMemberRequest {
            provider_id: firm.provider.id.clone(),
            member_id: member_id.to_owned(),
        };
        self.profiles().delete_member(gone).by(firm.provider.owner).await.unwrap();
    }

    /// Changes a truck to one that loads so many litres, in use or not.
    async fn change_truck(&self, firm: &Firm, asset_id: &str, volume_l: i32, active: bool) {
        let pb::CreateAssetRequest { provider_id, kind, seats, payload_kg, plate, .. } =
            truck(&firm.provider.id, volume_l);
        let change = pb::UpdateAssetRequest {
            provider_id,
            asset_id: asset_id.to_owned(),
            kind,
            seats,
            volume_l,
            payload_kg,
            plate,
            active: Some(active),
        };
        self.assets().update_asset(change).by(firm.provider.owner).await.unwrap();
    }
}

fn id_of(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// Of those who come for a job, one of `some`.
fn one_of(staff: &HashSet<Uuid>, some: &[String]) -> String {
    some.iter().find(|id| staff.contains(&id_of(id))).unwrap().clone()
}

/// The facts of a firm of one kind, once there are so many.
async fn facts(
    recorder: &EventRecorder,
    firm: &Firm,
    kind: &str,
    count: usize,
) -> Vec<pb::ProviderEvent> {
    let seen = async || {
        let events = recorder.events_of(&firm.provider.id);
        let of_kind = events.into_iter().filter(|event| event.kind == kind);
        of_kind.map(|event| event.decode().unwrap()).collect::<Vec<pb::ProviderEvent>>()
    };
    eventually(kind, seen, |seen| seen.len() == count).await
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_free_member_takes_the_place_of_one_who_leaves(backend: Backend) {
    let shop = Shop::open(backend).await;
    let recorder = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let firm = shop.firm(4, &[20_000]).await;
    let booked = shop.booked(&firm, 3, 20_000).await;
    assert!(shop.causes_of(&booked).await.is_empty());
    let before = shop.staff(&booked).await;
    let leaves = one_of(&before, &firm.members[1..]);
    shop.dismiss(&firm, &leaves).await;
    let lost = facts(&recorder, &firm, "provider.resource_lost", 1).await;
    assert_eq!(lost[0].reason, "member");

    for _ in 0..2 {
        assert!(shop.causes_of(&booked).await.is_empty());
        let after = shop.staff(&booked).await;
        assert_eq!(after.len(), 4, "three people and a truck");
        assert!(!after.contains(&id_of(&leaves)));
        assert_eq!(after.intersection(&before).count(), 3, "the others stay");
    }
    let replaced = facts(&recorder, &firm, "provider.crew_replaced", 1).await;
    assert_eq!(replaced[0].order_id, booked.order_id, "and it is told once");

    // One who comes for nothing is missed by nobody.
    let idle = shop.member(&firm.provider, &["moving"]).await;
    shop.dismiss(&firm, &idle).await;
    // Nobody else leads: the lead is missed.
    shop.dismiss(&firm, &firm.members[0]).await;
    facts(&recorder, &firm, "provider.resource_lost", 2).await;
    assert_eq!(shop.causes_of(&booked).await, ["CREW:3"]);
    assert!(shop.staff(&booked).await.contains(&id_of(&firm.members[0])), "nothing has changed");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn members_who_work_elsewhere_replace_nobody(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(4, &[20_000, 20_000]).await;
    let first = shop.booked(&firm, 3, 20_000).await;
    shop.member(&firm.provider, &["moving", "moving.lead"]).await;
    let second = shop.booked(&firm, 2, 20_000).await;
    let all: HashSet<Uuid> = &shop.staff(&first).await | &shop.staff(&second).await;
    assert_eq!(all.len(), 7, "five people and two trucks are all at work");
    let staff = shop.staff(&first).await;
    shop.dismiss(&firm, &one_of(&staff, &firm.members[1..])).await;
    // Four of the firm could do the work of three; all who are not reserved for it work elsewhere.
    assert_eq!(shop.causes_of(&first).await, ["CREW:3"]);
    assert!(shop.causes_of(&second).await.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn one_who_lacks_a_skill_now_gives_way(backend: Backend) {
    let shop = Shop::open(backend).await;
    let recorder = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let firm = shop.firm(3, &[20_000]).await;
    let booked = shop.booked(&firm, 2, 20_000).await;
    let weak = one_of(&shop.staff(&booked).await, &firm.members[1..]);
    let change = |skills: &[&str]| pb::UpdateMemberRequest {
        provider_id: firm.provider.id.clone(),
        member_id: weak.clone(),
        name: "Zoé".to_owned(),
        role: "mover".to_owned(),
        skills: skills.iter().map(ToString::to_string).collect(),
        ..pb::UpdateMemberRequest::default()
    };
    // More skills take nothing away.
    let more = change(&["moving", "moving.piano"]);
    shop.profiles().update_member(more).by(firm.provider.owner).await.unwrap();
    let less = change(&["moving.piano"]);
    shop.profiles().update_member(less).by(firm.provider.owner).await.unwrap();
    facts(&recorder, &firm, "provider.resource_lost", 1).await;
    assert!(shop.causes_of(&booked).await.is_empty());
    assert!(!shop.staff(&booked).await.contains(&id_of(&weak)));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_free_truck_takes_the_place_of_one_that_is_gone_or_too_small(backend: Backend) {
    let shop = Shop::open(backend).await;
    let recorder = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let firm = shop.firm(2, &[20_000, 25_000, 30_000]).await;
    let booked = shop.booked(&firm, 2, 20_000).await;
    let trucks: Vec<Uuid> = firm.trucks.iter().map(|id| id_of(id)).collect();
    assert!(shop.staff(&booked).await.contains(&trucks[0]), "the smallest that suffices");

    let gone = pb::DeleteAssetRequest {
        provider_id: firm.provider.id.clone(),
        asset_id: firm.trucks[0].clone(),
    };
    shop.assets().delete_asset(gone).by(firm.provider.owner).await.unwrap();
    assert!(shop.causes_of(&booked).await.is_empty());
    assert!(shop.staff(&booked).await.contains(&trucks[1]));

    shop.change_truck(&firm, &firm.trucks[1], 10_000, true).await;
    assert!(shop.causes_of(&booked).await.is_empty());
    assert!(shop.staff(&booked).await.contains(&trucks[2]));

    shop.change_truck(&firm, &firm.trucks[2], 30_000, false).await;
    assert_eq!(shop.causes_of(&booked).await, ["ASSET:truck"]);
    let lost = facts(&recorder, &firm, "provider.resource_lost", 3).await;
    assert!(lost.iter().all(|fact| fact.reason == "vehicle"));
    facts(&recorder, &firm, "provider.crew_replaced", 2).await;
}
