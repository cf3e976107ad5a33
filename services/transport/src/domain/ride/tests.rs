//! Every row of the table of states, and every refusal.

use super::*;
use kit::testing::at;

const PHASES: [Phase; 7] = [
    Phase::Booked,
    Phase::EnRoute,
    Phase::AtTheDoor,
    Phase::Working,
    Phase::Rework,
    Phase::Delivered,
    Phase::Ended,
];
const PARCEL: RideShape = RideShape { stops: 2, undeliverable: Some(Undeliverable::Return) };
const TO_LEAVE: RideShape = RideShape { stops: 2, undeliverable: Some(Undeliverable::Leave) };
const PEOPLE: RideShape = RideShape { stops: 2, undeliverable: None };

fn all_states() -> Vec<RideState> {
    use RideState::{Booked, Dropped, Off, Returned, Returning, Riding, Stop, ToPickup, Waiting};
    let on_the_way = [Riding(1), Stop(1), Riding(2), Stop(2)];
    let others = [Booked, ToPickup, Waiting, Dropped, Returning, Returned, Off];
    on_the_way.into_iter().chain(others).collect()
}

fn all_acts() -> Vec<RideStep> {
    use RideStep::{Arrive, Complete, Return, Undeliverable};
    let of_stop = |n| [Arrive(n), Complete(n), Undeliverable(n)];
    (1..=3).flat_map(of_stop).chain([Return]).collect()
}

#[test]
fn the_provider_does_what_the_table_allows_and_nothing_else() {
    use RideState::{Dropped, Returned, Returning, Riding, Stop};
    use RideStep::{Arrive, Complete, Return, Undeliverable};
    let rows = [
        (Riding(1), Arrive(1), Stop(1), PEOPLE),
        (Stop(1), Complete(1), Riding(2), PEOPLE),
        (Riding(2), Arrive(2), Stop(2), PEOPLE),
        (Stop(2), Complete(2), Dropped, PEOPLE),
        (Riding(1), Arrive(1), Stop(1), PARCEL),
        (Stop(1), Complete(1), Riding(2), PARCEL),
        (Stop(1), Undeliverable(1), Returning, PARCEL),
        (Riding(2), Arrive(2), Stop(2), PARCEL),
        (Stop(2), Complete(2), Dropped, PARCEL),
        (Stop(2), Undeliverable(2), Returning, PARCEL),
        (Returning, Return, Returned, PARCEL),
        (Returning, Return, Returned, PEOPLE),
        (Riding(1), Arrive(1), Stop(1), TO_LEAVE),
        (Stop(1), Complete(1), Riding(2), TO_LEAVE),
        (Riding(2), Arrive(2), Stop(2), TO_LEAVE),
        (Stop(2), Complete(2), Dropped, TO_LEAVE),
        (Returning, Return, Returned, TO_LEAVE),
    ];
    let (mut allowed, mut refused) = (0, 0);
    for shape in [PEOPLE, PARCEL, TO_LEAVE] {
        for (state, act) in all_states()
            .into_iter()
            .flat_map(|state| all_acts().into_iter().map(move |act| (state, act)))
        {
            let row = rows.iter().find(|row| (row.0, row.1, row.3) == (state, act, shape));
            match (state.next(act, shape), row) {
                (Ok(next), Some(row)) => {
                    assert_eq!(next, row.2, "{state:?} {act:?}");
                    allowed += 1;
                }
                (Err(error), None) => {
                    let is_left = (shape, state.leg()) == (TO_LEAVE, act_stop(act));
                    let to_leave = is_left && matches!(act, Undeliverable(_));
                    let expected = match (state, to_leave) {
                        (Stop(_), true) => matches!(error, Error::Refused("LEAVE_PARCEL", _)),
                        _ => matches!(error, Error::OrderState(_)),
                    };
                    assert!(expected, "{state:?} {act:?}: {error}");
                    refused += 1;
                }
                (next, _) => panic!("{state:?} {act:?} {shape:?}: {next:?}"),
            }
        }
    }
    assert_eq!((allowed, refused), (17, 3 * 11 * 10 - 17));
}

const fn act_stop(act: RideStep) -> Option<u32> {
    match act {
        RideStep::Arrive(n) | RideStep::Complete(n) | RideStep::Undeliverable(n) => Some(n),
        RideStep::Told(_) | RideStep::Return => None,
    }
}

/// The states before the last: from them a ride follows its order back, or off.
fn is_before_the_last(state: RideState) -> bool {
    !matches!(state, RideState::Dropped | RideState::Returned)
}

#[test]
fn what_the_ride_is_told_of_is_never_refused() {
    use RideState::{Booked, Off, Riding, ToPickup, Waiting};
    for state in all_states() {
        for phase in PHASES {
            let next = state.next(RideStep::Told(phase), PEOPLE).unwrap();
            let has_not_begun = matches!(state, Booked | ToPickup | Waiting | Off);
            let expected = match phase {
                Phase::Booked if is_before_the_last(state) => Booked,
                Phase::Ended if is_before_the_last(state) => Off,
                Phase::EnRoute if has_not_begun => ToPickup,
                Phase::AtTheDoor if has_not_begun => Waiting,
                Phase::Working | Phase::Rework if has_not_begun => Riding(1),
                _ => state,
            };
            assert_eq!(next, expected, "{state:?} told {phase:?}");
        }
    }
}

#[test]
fn each_state_says_what_it_is_and_what_is_next() {
    use RideState::{Dropped, Returning, Riding, Stop, Waiting};
    for (state, name, shape, actions) in [
        (Waiting, "WAITING", PEOPLE, &[][..]),
        (Riding(2), "RIDING 2", PEOPLE, &["arriveAtStop"]),
        (Stop(1), "STOP 1", PEOPLE, &["completeStop"]),
        (Stop(1), "STOP 1", PARCEL, &["completeStop", "reportUndeliverable"]),
        (Stop(1), "STOP 1", TO_LEAVE, &["completeStop"]),
        (Returning, "RETURNING", PARCEL, &["reportReturned"]),
        (Dropped, "DROPPED", PARCEL, &[]),
    ] {
        assert_eq!(state.name(), name);
        assert_eq!(state.provider_actions(shape), actions, "{name}");
    }
}

fn under_way() -> Ride {
    let mut ride = Ride::begin(None);
    for phase in [Phase::EnRoute, Phase::AtTheDoor, Phase::Working] {
        ride.enter_phase(phase);
    }
    ride
}

#[test]
fn what_was_said_before_changes_nothing() {
    let (mut ride, now) = (under_way(), at("2027-05-24T10:00:00Z"));
    let later = at("2027-05-24T11:00:00Z");
    assert!(ride.arrive(1, PARCEL, now).unwrap());
    assert!(!ride.arrive(1, PARCEL, later).unwrap());
    assert!(ride.complete(1, PARCEL, now).unwrap());
    assert!(!ride.complete(1, PARCEL, later).unwrap());
    assert!(!ride.arrive(1, PARCEL, later).unwrap());
    assert!(ride.arrive(2, PARCEL, now).unwrap());
    let way = Itinerary { metres: 900, seconds: 100, tolls: 0 };
    assert!(ride.turn_back(2, PARCEL, way, now).unwrap());
    assert!(!ride.turn_back(2, PARCEL, way, later).unwrap());
    assert!(ride.complete(2, PARCEL, later).is_err(), "it was not handed over");
    assert!(ride.come_back(PARCEL, now).unwrap());
    assert!(!ride.come_back(PARCEL, later).unwrap());
    let times = StopTimes { reached_at: now, left_at: Some(now) };
    assert_eq!(ride.visits, [times, times]);
    assert_eq!(ride.way_back, Some(WayBack { stop: 2, way, returned_at: Some(now) }));
}

#[test]
fn a_stop_that_the_ride_does_not_have_is_a_wrong_number() {
    let (mut ride, now) = (under_way(), at("2027-05-24T10:00:00Z"));
    for n in [0, 3] {
        let error = ride.arrive(n, PEOPLE, now).unwrap_err().to_string();
        assert!(error.contains("1 to 2"), "{error}");
    }
}

#[test]
fn another_provider_begins_anew() {
    let mut ride = under_way();
    ride.arrive(1, PEOPLE, at("2027-05-24T10:00:00Z")).unwrap();
    ride.enter_phase(Phase::Booked);
    assert_eq!(ride, Ride::begin(None));
}

#[test]
fn a_change_of_stops_keeps_the_state() {
    let (mut ride, now) = (under_way(), at("2027-05-24T10:00:00Z"));
    assert_eq!(ride.shape(3, None), RideShape { stops: 3, undeliverable: None });
    ride.arrive(1, PEOPLE, now).unwrap();
    ride.complete(1, PEOPLE, now).unwrap();
    assert_eq!(ride.state, RideState::Riding(2));
    // The stop was taken out while the provider was on the way to it: it is the last one now.
    assert_eq!(ride.shape(1, None).stops, 2);
    let shape = ride.shape(1, None);
    ride.arrive(2, shape, now).unwrap();
    ride.complete(2, shape, now).unwrap();
    assert_eq!(ride.state, RideState::Dropped);
}
