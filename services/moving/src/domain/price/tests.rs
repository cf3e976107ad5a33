//! The prices that were worked by hand, what a move requires, and what is too much for one.

use super::*;
use crate::domain::inventory::{InventoryLine, PackedBy};
use vertical::{Place, facts::PricedLine};

/// Goods of so many litres that can be stacked.
fn goods(volume_l: i64) -> InventoryLine {
    InventoryLine {
        n: 1,
        code: "box".to_owned(),
        quantity: volume_l / 50,
        volume_l: 50,
        weight_kg: 8,
        stackable: true,
        fragile: false,
        packed_by: PackedBy::Owner,
        condition: None,
        loaded: None,
        label: String::new(),
    }
}

fn inputs(volume_l: i64) -> MoveInputs {
    MoveInputs {
        lines: vec![goods(volume_l)],
        basis: PriceBasis::Binding,
        from: HomeAccess::default(),
        to: HomeAccess::default(),
        destination: Place { lat: 48.9, lng: 2.35 },
        packing: Packing::Eco,
        declared_value: 0,
    }
}

fn floor(floor: i64, lift: bool) -> HomeAccess {
    HomeAccess { floor, lift, ..HomeAccess::default() }
}

fn totals(lines: &[Line]) -> Vec<(&str, i64)> {
    lines.iter().map(|line| (line.code.as_str(), line.total.minor_units)).collect()
}

/// 28 m³ from the fourth floor without a lift.
fn first_row() -> MoveInputs {
    MoveInputs { from: floor(4, false), declared_value: 1_000_000, ..inputs(28_000) }
}

#[test]
fn the_worked_prices_come_out() {
    let tables = MoveTables::default();
    let second = MoveInputs { from: floor(6, true), to: floor(2, true), ..inputs(9_000) };
    let third = MoveInputs {
        to: HomeAccess { carry_m: 45, ..floor(3, false) },
        packing: Packing::Standard,
        declared_value: 2_500_000,
        ..inputs(45_500)
    };
    for (inputs, metres, hours, crew, parts) in [
        (first_row(), 12_000, 10, 3, vec![48_000, 25_200, 1_920, 6_720, 4_000]),
        (second, 5_000, 5, 2, vec![16_000, 8_100, 800]),
        (third, 230_000, 18, 4, vec![115_200, 40_950, 36_800, 8_190, 5_460, 15_925, 10_000]),
    ] {
        let quote = tables.quote("FR", &inputs, metres).unwrap();
        let totals: Vec<i64> = quote.lines.iter().map(|line| line.total.minor_units).collect();
        assert_eq!(totals, parts);
        assert_eq!(quote.requirements.minutes, hours * 30);
        let people: i32 = quote.requirements.crew.iter().map(|role| role.count).sum();
        assert_eq!(i64::from(people), crew);
        assert_eq!(quote.cap, None, "a binding price has no cap");
    }
    let sum = |inputs, metres| sum_of(&tables.quote("FR", &inputs, metres).unwrap().lines);
    assert_eq!(sum(first_row(), 12_000), 85_840);
    assert_eq!(sum(MoveInputs { from: floor(6, true), ..inputs(9_000) }, 5_000), 24_900);
}

#[test]
fn an_estimate_has_a_cap_that_is_rounded_down() {
    let tables = MoveTables::default();
    let estimate = MoveInputs { basis: PriceBasis::Estimate, ..first_row() };
    let quote = tables.quote("FR", &estimate, 12_000).unwrap();
    assert_eq!(quote.cap.unwrap().minor_units, 94_424);
    // 110 % of 85,844 are 94,428.4.
    let dearer = MoveInputs { declared_value: 1_001_000, ..estimate };
    let quote = tables.quote("FR", &dearer, 12_000).unwrap();
    assert_eq!(sum_of(&quote.lines), 85_844);
    assert_eq!(quote.cap.unwrap().minor_units, 94_428);
}

#[test]
fn a_move_takes_a_lead_others_and_a_truck() {
    let requirements =
        MoveTables::default().quote("FR", &first_row(), 12_000).unwrap().requirements;
    let crew: Vec<_> = requirements
        .crew
        .iter()
        .map(|it| (it.role.as_str(), it.count, it.skills.clone()))
        .collect();
    assert_eq!(
        crew,
        [
            ("lead", 1, vec!["moving.lead".to_owned()]),
            ("mover", 2, vec!["moving.mover".to_owned()])
        ]
    );
    let [truck] = requirements.assets.as_slice() else { panic!("{:?}", requirements.assets) };
    assert_eq!(
        (truck.volume_l, truck.count, truck.kinds.as_slice()),
        (30_000, 1, &["truck".to_owned()][..])
    );
    assert_eq!(truck.payload_kg, 28_000 / 50 * 8);
    assert_eq!(requirements.documents, ["transport_licence", "insurance"]);
    assert_eq!((requirements.buffer_minutes, requirements.dispatch), (30, None));
}

#[test]
fn the_shortest_move_takes_two_hours_and_parts_of_ten_metres_count_whole() {
    let tables = MoveTables::default();
    let far = HomeAccess { carry_m: 21, permit: true, ..HomeAccess::default() };
    let small = MoveInputs { from: far, to: far, ..inputs(1_000) };
    let quote = tables.quote("FR", &small, 0).unwrap();
    let expected = [
        ("moving.labour", 12_800),
        ("moving.volume", 900),
        ("moving.distance", 0),
        ("moving.carry", 80),
        ("moving.permit", 9_000),
    ];
    assert_eq!(totals(&quote.lines), expected);
    assert_eq!(quote.requirements.minutes, 120);
}

#[test]
fn what_is_too_much_names_its_field() {
    let tables = MoveTables::default();
    let heavy = InventoryLine { weight_kg: 2_000, quantity: 14, ..goods(0) };
    let heavy = MoveInputs { lines: vec![heavy], ..inputs(0) };
    // 120 m³ are twelve hours for five; the way takes longer.
    for (inputs, metres, field) in [
        (inputs(119_900), 5_000, "details.items"),
        (inputs(1_000), 841_000, "details.to.lat"),
        (heavy, 5_000, "details.items"),
    ] {
        let error = tables.quote("FR", &inputs, metres).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    let abroad = tables.quote("US", &inputs(1_000), 0).unwrap_err().to_string();
    assert!(abroad.contains("address.country"), "{abroad}");
    let few = MoveTables { max_crew: 4, ..MoveTables::default() };
    let error = few.quote("FR", &inputs(61_000), 5_000).unwrap_err().to_string();
    assert!(error.contains("details.items") && error.contains("4 people"), "{error}");
}

fn agreed(lines: Vec<Line>) -> Vec<PricedLine> {
    let lines = lines.into_iter();
    let lines =
        lines.map(|it| PricedLine { code: it.code, quantity: it.quantity, total: it.total });
    lines.collect()
}

#[test]
fn other_work_costs_the_difference_at_the_terms_of_the_quote() {
    let tables = MoveTables::default();
    let estimate = MoveInputs { basis: PriceBasis::Estimate, ..first_row() };
    let terms = tables.terms_of(&tables.prices["FR"], &estimate, 12_000);
    let mut facts =
        OrderFacts { quoted: agreed(terms.price(&terms.booked)), ..OrderFacts::default() };
    let more = MoveWork { volume_l: 37_000, ..terms.booked.clone() };
    let changed = terms.change_lines(&facts, &more);
    let expected = [("moving.labour", 14_400), ("moving.volume", 8_100), ("moving.stairs", 2_160)];
    assert_eq!(totals(&changed), expected, "the three who came work longer");
    // Once that is agreed, the first price is a difference again, in every code.
    facts.changed = agreed(changed);
    let back = terms.change_lines(&facts, &terms.booked);
    assert_eq!(sum_of(&back), 85_840 - 110_500);
    assert_eq!(terms.change_lines(&facts, &more), []);
    // What is not needed any more is taken off.
    let ground_floor = MoveWork { from: HomeAccess::default(), ..more };
    assert_eq!(totals(&terms.change_lines(&facts, &ground_floor)), [("moving.stairs", -8_880)]);
}

#[test]
fn a_binding_price_rises_by_a_change_and_never_falls() {
    let tables = MoveTables::default();
    let terms = tables.terms_of(&tables.prices["FR"], &first_row(), 12_000);
    let facts = OrderFacts { quoted: agreed(terms.price(&terms.booked)), ..OrderFacts::default() };
    let less = MoveWork { volume_l: 20_000, ..terms.booked.clone() };
    assert_eq!(terms.change_lines(&facts, &less), []);
    let more = MoveWork { volume_l: 37_000, ..terms.booked.clone() };
    assert_eq!(sum_of(&terms.change_lines(&facts, &more)), 110_500 - 85_840);
}
