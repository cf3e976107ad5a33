//! Crews and vehicles: reserved all or nothing.

use crate::{
    firm::{causes, confirm, hold_move, move_of, release},
    fixture::{Shop, hold, insurance, requirements},
};
use chrono::Duration;
use kit::{
    testing::{ActingAs, Backend, at, paris, refusal, window},
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::{Asset, Requirements},
    provider::v1 as pb,
};
use std::collections::HashSet;
use yare::parameterized;

/// The world begins at 9 o'clock UTC on Monday, 10 May 2027; holds last for a quarter of an hour.
const EXPIRES: &str = "2027-05-10T09:15:00Z";
const MORNING: &str = "2027-05-24T08:00:00Z";
/// One minute before the buffers around a move in the morning end.
const MINUTE_TOO_EARLY: &str = "2027-05-24T10:59:00Z";
const AFTERWARDS: &str = "2027-05-24T11:00:00Z";

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_twenty_parallel_moves_each_has_its_crew_or_nothing(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(4, &[20_000, 20_000]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..20 {
        let start = if index % 2 == 0 { MORNING } else { MINUTE_TOO_EARLY };
        let hold = hold_move(&firm.provider, move_of(3, 20_000), start, EXPIRES);
        let mut reservations = shop.reservations();
        tasks.spawn(async move {
            let order_id = hold.order_id.clone();
            (order_id, reservations.hold_reservation(hold).await)
        });
    }
    let mut held = 0;
    for (order_id, answer) in tasks.join_all().await {
        let rows = shop.rows(&order_id).await;
        match answer {
            Ok(_) => {
                held += 1;
                assert_eq!(rows.len(), 4, "three people and a truck");
            }
            refused => {
                assert_eq!(refusal(refused), "SLOT_TAKEN");
                assert!(rows.is_empty(), "{rows:?}");
            }
        }
    }
    assert_eq!(held, 1, "four movers make one crew of three");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_crew_is_confirmed_moved_and_released_as_a_whole(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(4, &[20_000]).await;
    let mut reservations = shop.reservations();
    let first = hold_move(&firm.provider, move_of(3, 20_000), MORNING, EXPIRES);
    let held = reservations.hold_reservation(first.clone()).await.unwrap().into_inner();
    let again = reservations.hold_reservation(first.clone()).await.unwrap().into_inner();
    assert_eq!(held, again);
    reservations.confirm_reservation(confirm(&first)).await.unwrap();
    let rows = shop.rows(&first.order_id).await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|(_, state, _)| state == "CONFIRMED"));
    // Another move takes one of them afterwards: none of them moves there.
    let other = hold_move(&firm.provider, move_of(1, 20_000), AFTERWARDS, EXPIRES);
    reservations.hold_reservation(other).await.unwrap();
    let to = |start: &str| pb::MoveReservationRequest {
        order_id: first.order_id.clone(),
        provider_id: firm.provider.id.clone(),
        window: Some(window(start, 2)),
        hold_expires_at: None,
        round: 0,
    };
    assert_eq!(
        refusal(reservations.move_reservation(to("2027-05-24T10:00:00Z")).await),
        "SLOT_TAKEN"
    );
    assert_eq!(shop.rows(&first.order_id).await, rows);
    reservations.move_reservation(to("2027-05-25T08:00:00Z")).await.unwrap();
    assert_eq!(shop.rows(&first.order_id).await, rows, "the same crew at another time");
    // Its old time is free, its new time is not.
    let monday = hold_move(&firm.provider, move_of(2, 20_000), MORNING, EXPIRES);
    reservations.hold_reservation(monday).await.unwrap();
    let tuesday = hold_move(&firm.provider, move_of(2, 20_000), "2027-05-25T08:00:00Z", EXPIRES);
    assert_eq!(refusal(reservations.hold_reservation(tuesday.clone()).await), "SLOT_TAKEN");
    reservations.release_reservation(release(&first)).await.unwrap();
    assert!(shop.rows(&first.order_id).await.is_empty());
    reservations.hold_reservation(tuesday).await.unwrap();
    let late = reservations.hold_reservation(first).await;
    assert_eq!(refusal(late), "RESERVATION_RELEASED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_learns_who_comes_and_with_what(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(2, &[20_000]).await;
    let mut reservations = shop.reservations();
    let held = hold_move(&firm.provider, move_of(2, 20_000), MORNING, EXPIRES);
    let ask = pb::DescribeReservationRequest {
        order_id: held.order_id.clone(),
        provider_id: firm.provider.id.clone(),
        round: 0,
    };
    let unknown = reservations.describe_reservation(ask.clone()).await;
    assert_eq!(refusal(unknown), "RESERVATION_NOT_FOUND");
    reservations.hold_reservation(held).await.unwrap();
    let described = reservations.describe_reservation(ask).await.unwrap().into_inner();
    let roles: Vec<_> = described.members.iter().map(|it| it.role.as_str()).collect();
    assert_eq!(roles, ["lead", "mover"]);
    assert_eq!(described.members[0].name, "Zoé");
    let truck = pb::ReservedAsset { kind: "truck".to_owned(), plate: "AB-123-CD".to_owned() };
    assert_eq!(described.assets, [truck]);
    let solo = hold(&shop.vetted("Ana").await, MORNING, 2, EXPIRES);
    reservations.hold_reservation(solo.clone()).await.unwrap();
    let ask = pb::DescribeReservationRequest {
        order_id: solo.order_id,
        provider_id: solo.provider_id,
        round: 0,
    };
    let described = reservations.describe_reservation(ask).await.unwrap().into_inner();
    assert!(described.members.is_empty() && described.assets.is_empty(), "she comes herself");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_crew_whose_hold_ran_out_gives_way_as_a_whole(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(4, &[20_000, 20_000]).await;
    let mut reservations = shop.reservations();
    let lapsed = hold_move(&firm.provider, move_of(3, 20_000), MORNING, EXPIRES);
    reservations.hold_reservation(lapsed.clone()).await.unwrap();
    shop.world.clock.advance(Duration::minutes(15));
    // It takes the lead alone, and the one truck that is free anyhow.
    let next = hold_move(&firm.provider, move_of(1, 20_000), MORNING, "2027-05-10T10:00:00Z");
    reservations.hold_reservation(next.clone()).await.unwrap();
    assert!(shop.rows(&lapsed.order_id).await.is_empty());
    let late = reservations.confirm_reservation(confirm(&lapsed)).await;
    assert_eq!(refusal(late), "SLOT_TAKEN");
    assert!(shop.rows(&lapsed.order_id).await.is_empty());
    // Once the lead is free again, the whole crew may come back.
    reservations.release_reservation(release(&next)).await.unwrap();
    reservations.confirm_reservation(confirm(&lapsed)).await.unwrap();
    assert_eq!(shop.rows(&lapsed.order_id).await.len(), 4);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_is_too_few_is_not_eligible(backend: Backend) {
    let shop = Shop::open(backend).await;
    let solo = shop.vetted("Ana").await;
    let firm = shop.firm(3, &[20_000]).await;
    let mut reservations = shop.reservations();
    let three = Requirements { crew_size: 3, ..requirements(0) };
    let asked = pb::HoldReservationRequest {
        requirements: Some(three),
        ..hold(&solo, MORNING, 2, EXPIRES)
    };
    assert_eq!(causes(reservations.hold_reservation(asked).await), "CREW:3");
    let five = hold_move(&firm.provider, move_of(5, 20_000), MORNING, EXPIRES);
    assert_eq!(causes(reservations.hold_reservation(five).await), "CREW:5");
    let large = hold_move(&firm.provider, move_of(3, 50_000), MORNING, EXPIRES);
    assert_eq!(causes(reservations.hold_reservation(large).await), "ASSET:truck");
    let enough = hold_move(&firm.provider, move_of(3, 20_000), MORNING, EXPIRES);
    reservations.hold_reservation(enough.clone()).await.unwrap();
    // A member who leaves is missed from then on.
    let gone = pb::DeleteMemberRequest {
        provider_id: firm.provider.id.clone(),
        member_id: firm.members[0].clone(),
    };
    shop.profiles().delete_member(gone).by(firm.provider.owner).await.unwrap();
    let next = hold_move(&firm.provider, move_of(2, 20_000), AFTERWARDS, EXPIRES);
    assert_eq!(causes(reservations.hold_reservation(next).await), "CREW:2");
    let check = pb::CheckEligibilityRequest {
        provider_id: firm.provider.id.clone(),
        vertical: "moving".to_owned(),
        window: enough.window,
        address: enough.address,
        requirements: enough.requirements,
        customer_id: enough.customer_id,
        ..pb::CheckEligibilityRequest::default()
    };
    let checked = reservations.check_eligibility(check).await.unwrap().into_inner();
    assert_eq!(checked.causes, ["CREW:3"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_smallest_truck_that_suffices_is_taken(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(0, &[30_000, 12_000, 20_000]).await;
    let mut reservations = shop.reservations();
    // A firm none of whose members has the skills is booked as a whole.
    let job = Requirements { crew: Vec::new(), ..move_of(1, 10_000) };
    let whole = hold_move(&firm.provider, job, MORNING, EXPIRES);
    reservations.hold_reservation(whole.clone()).await.unwrap();
    let taken: HashSet<_> =
        shop.rows(&whole.order_id).await.into_iter().map(|(id, ..)| id.to_string()).collect();
    assert_eq!(taken, HashSet::from([firm.provider.id.clone(), firm.trucks[1].clone()]));
    let again = pb::HoldReservationRequest { order_id: uuid::Uuid::new_v4().to_string(), ..whole };
    assert_eq!(refusal(reservations.hold_reservation(again).await), "SLOT_TAKEN");
    let crewed = shop.firm(3, &[30_000, 12_000, 20_000]).await;
    for expected in [Some(1), Some(2), Some(0), None] {
        let job = Requirements { crew: Vec::new(), ..move_of(1, 10_000) };
        let hold = hold_move(&crewed.provider, job, MORNING, EXPIRES);
        let answer = reservations.hold_reservation(hold.clone()).await;
        let Some(expected) = expected else {
            assert_eq!(refusal(answer), "SLOT_TAKEN");
            continue;
        };
        answer.unwrap();
        let taken: HashSet<_> =
            shop.rows(&hold.order_id).await.into_iter().map(|(id, ..)| id.to_string()).collect();
        assert!(taken.contains(&crewed.trucks[expected]), "{taken:?}");
        assert_eq!(taken.len(), 2, "a member and a truck");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn members_bring_their_own_papers_and_have_their_own_time_off(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(2, &[20_000]).await;
    let mut reservations = shop.reservations();
    let mut job = move_of(2, 20_000);
    job.crew[0].documents = vec!["driving_licence".to_owned()];
    let licensed = hold_move(&firm.provider, job, MORNING, EXPIRES);
    let answer = reservations.hold_reservation(licensed.clone()).await;
    assert_eq!(causes(answer), "DOCUMENT:driving_licence");
    let mut paper = pb::SubmitDocumentRequest {
        kind: "driving_licence".to_owned(),
        ..insurance(&firm.provider.id, "2020-01-01", "2029-12-31")
    };
    // The firm's own licence is not that of the one who drives.
    for member_id in [String::new(), firm.members[1].clone()] {
        paper.member_id = member_id;
        let submitted = shop.vetting().submit_document(paper.clone()).by(firm.provider.owner).await;
        shop.verify(&firm.provider, submitted).await;
        let answer = reservations.hold_reservation(licensed.clone()).await;
        assert_eq!(causes(answer), "DOCUMENT:driving_licence");
    }
    paper.member_id.clone_from(&firm.members[0]);
    let submitted = shop.vetting().submit_document(paper.clone()).by(firm.provider.owner).await;
    let document = submitted.as_ref().unwrap().get_ref().document.clone().unwrap();
    assert_eq!(document.member_id, firm.members[0]);
    shop.verify(&firm.provider, submitted).await;
    let off = pb::CreateTimeOffRequest {
        provider_id: firm.provider.id.clone(),
        start_local: "2027-05-24T00:00".to_owned(),
        end_local: "2027-05-25T00:00".to_owned(),
        note: String::new(),
        member_id: firm.members[1].clone(),
    };
    let entered = shop.availability().create_time_off(off.clone()).by(firm.provider.owner).await;
    let off_id = entered.unwrap().into_inner().time_off.unwrap().id;
    let answer = reservations.hold_reservation(licensed.clone()).await;
    assert_eq!(causes(answer), "OUTSIDE_AVAILABILITY");
    // Alone the lead does smaller moves meanwhile.
    let alone = hold_move(&firm.provider, move_of(1, 20_000), MORNING, EXPIRES);
    reservations.hold_reservation(alone.clone()).await.unwrap();
    reservations.release_reservation(release(&alone)).await.unwrap();
    let back =
        pb::DeleteTimeOffRequest { provider_id: firm.provider.id.clone(), time_off_id: off_id };
    shop.availability().delete_time_off(back).by(firm.provider.owner).await.unwrap();
    reservations.hold_reservation(licensed).await.unwrap();
    let stranger = shop.member(&shop.vetted("Ana").await, &["moving"]).await;
    let foreign = pb::CreateTimeOffRequest { member_id: stranger.clone(), ..off };
    let answer = shop.availability().create_time_off(foreign).by(firm.provider.owner).await;
    assert_eq!(refusal(answer), "MEMBER_NOT_FOUND");
    paper.member_id = stranger;
    let answer = shop.vetting().submit_document(paper).by(firm.provider.owner).await;
    assert_eq!(refusal(answer), "MEMBER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_company_is_found_while_it_has_enough_people_and_vehicles(backend: Backend) {
    let shop = Shop::open(backend).await;
    let firm = shop.firm(4, &[20_000, 20_000]).await;
    let mut reservations = shop.reservations();
    let wanted = |movers, start| pb::FindCandidatesRequest {
        vertical: "moving".to_owned(),
        window: Some(window(start, 2)),
        address: Some(paris()),
        requirements: Some(move_of(movers, 20_000)),
        ..pb::FindCandidatesRequest::default()
    };
    let slots = |movers| pb::FindSlotsRequest {
        vertical: "moving".to_owned(),
        from: Some(timestamp(at("2027-05-24T00:00:00Z"))),
        to: Some(timestamp(at("2027-05-25T00:00:00Z"))),
        duration: Some(prost_types::Duration { seconds: 7200, nanos: 0 }),
        requirements: Some(move_of(movers, 20_000)),
        ..pb::FindSlotsRequest::default()
    };
    let taken = hold_move(&firm.provider, move_of(2, 20_000), MORNING, EXPIRES);
    reservations.hold_reservation(taken).await.unwrap();
    // The lead is taken, and two movers are left.
    let mut found = async |movers, start| {
        let answer = reservations.find_candidates(wanted(movers, start)).await.unwrap();
        answer.into_inner().candidates.len()
    };
    assert_eq!(found(1, MORNING).await, 0);
    assert_eq!(found(1, MINUTE_TOO_EARLY).await, 0);
    assert_eq!(found(4, AFTERWARDS).await, 1);
    assert_eq!(found(5, AFTERWARDS).await, 0);
    let mut plain = wanted(1, MORNING);
    if let Some(job) = &mut plain.requirements {
        job.crew[0].skills = vec!["moving".to_owned()];
        job.assets.push(Asset { kinds: vec!["car".to_owned()], count: 1, ..Asset::default() });
    }
    let mut reservations = shop.reservations();
    let answer = reservations.find_candidates(plain.clone()).await.unwrap();
    assert!(answer.into_inner().candidates.is_empty(), "it has no car");
    if let Some(job) = &mut plain.requirements {
        job.assets.pop();
    }
    let answer = reservations.find_candidates(plain).await.unwrap();
    assert_eq!(answer.into_inner().candidates.len(), 1, "two movers and a truck are free");
    let open = reservations.find_slots(slots(4)).await.unwrap().into_inner().slots;
    let first = open[0].window.as_ref().unwrap();
    assert_eq!(first, &window(AFTERWARDS, 2));
}
