//! What moves come to: measured estimates, the cap at the door, and goods that were not delivered.

use super::*;
use crate::domain::{
    claim::ClaimKind,
    details::{HomeAccess, MoveInputs, Packing},
    inventory::{InventoryLine, PackedBy},
    state::MoveState,
    tables::MoveTables,
    waybill::GoodsReserve,
};
use kit::{Money, values::money::Currency};
use vertical::{Place, facts::PricedLine, price::Line};

const EUROS: Currency = Currency::EUR;

/// Boxes of a tenth of a cubic metre each.
fn boxes(quantity: i64) -> InventoryLine {
    InventoryLine {
        n: 1,
        code: "other".to_owned(),
        quantity,
        volume_l: 100,
        weight_kg: 10,
        stackable: true,
        fragile: false,
        packed_by: PackedBy::Owner,
        condition: None,
        loaded: None,
        label: String::new(),
    }
}

/// The first worked price, 28 m³ for 85840, as it was agreed.
fn agreed(basis: PriceBasis) -> (Move, OrderFacts) {
    let tables = MoveTables::default();
    let inputs = MoveInputs {
        lines: vec![boxes(280)],
        basis,
        from: HomeAccess { floor: 4, ..HomeAccess::default() },
        to: HomeAccess::default(),
        destination: Place { lat: 48.9, lng: 2.35 },
        packing: Packing::Eco,
        declared_value: 1_000_000,
    };
    let quote = tables.quote("FR", &inputs, 12_000).unwrap();
    let quoted = quote.lines.into_iter();
    let quoted =
        quoted.map(|it| PricedLine { code: it.code, quantity: it.quantity, total: it.total });
    let facts = OrderFacts { quoted: quoted.collect(), cap: quote.cap, ..OrderFacts::default() };
    let terms = tables.terms_of(&tables.prices["FR"], &inputs, 12_000);
    let own = Move { state: MoveState::Signed, ..Move::begin(inputs.lines, Some(terms)) };
    (own, facts)
}

/// So many boxes were loaded, and so many of them are missing.
fn settled(basis: PriceBasis, loaded: i64, missing: i64) -> (Vec<(String, i64)>, Vec<i64>) {
    let (mut own, facts) = agreed(basis);
    own.lines[0].quantity = loaded.max(own.lines[0].quantity);
    own.lines[0].loaded = Some(loaded);
    if missing > 0 {
        let amount = Money::new(EUROS, 5_000);
        let reserve = GoodsReserve { line: 1, kind: ClaimKind::Missing, amount, quantity: missing };
        own.reserves.push(reserve);
    }
    settle_at(&own, &facts)
}

fn settle_at(own: &Move, facts: &OrderFacts) -> (Vec<(String, i64)>, Vec<i64>) {
    let booked = own.terms.as_ref().unwrap().booked.clone();
    let work = MoveWork { volume_l: GoodsLoad::of(&own.lines).volume_l(), ..booked };
    let answer = settle(own, facts, &work);
    assert_eq!(answer.missing, Vec::<String>::new());
    let total = |line: &Line| line.total.minor_units;
    let lines = answer.settlement.iter().map(|line| (line.code.clone(), total(line))).collect();
    (lines, answer.due.iter().map(total).collect())
}

fn measured(total: i64) -> Vec<(String, i64)> {
    vec![("moving.measured".to_owned(), total)]
}

#[test]
fn an_estimate_pays_what_was_loaded_up_to_the_cap_and_owes_the_rest() {
    use PriceBasis::{Binding, Estimate};
    // Row 1, really 37 m³: 110500, of which 94424 are paid at the door.
    assert_eq!(settled(Estimate, 370, 0), (measured(8_584), vec![16_076]));
    assert_eq!(settled(Estimate, 280, 0), (vec![], vec![]));
    // 30 m³: 5.5 hours for three.
    assert_eq!(settled(Estimate, 300, 0), (measured(4_800 + 1_800 + 480), vec![]));
    // Measured less: an estimate falls, a binding price stays.
    assert_eq!(settled(Estimate, 200, 0), (measured(-9_600 - 7_200 - 1_920), vec![]));
    assert_eq!(settled(Binding, 200, 0), (vec![], vec![]));
    assert_eq!(settled(Binding, 370, 0), (vec![], vec![]));
    assert_eq!(settled(Binding, 0, 0), (vec![], vec![]));
}

#[test]
fn part_delivered_pays_pro_rata_and_so_does_the_cap() {
    use PriceBasis::{Binding, Estimate};
    // 25.2 of 28 m³: 77256.
    let undelivered = |total: i64| ("moving.undelivered".to_owned(), total);
    for basis in [Binding, Estimate] {
        assert_eq!(settled(basis, 280, 28), (vec![undelivered(77_256 - 85_840)], vec![]));
    }
    // 33.3 of 37 m³: 99450 of 110500, and 84981 of 94424.
    let ((lines, due), nine_tenths) = (settled(Estimate, 370, 37), 84_981);
    let [(_, first), second] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((*first, second.clone()), (8_584, undelivered(nine_tenths - 94_424)));
    assert_eq!(due, [99_450 - nine_tenths]);
    // Nothing arrived: nothing is paid.
    assert_eq!(settled(Binding, 280, 280), (vec![undelivered(-85_840)], vec![]));
}

#[test]
fn approved_changes_are_paid_on_top_of_the_cap() {
    let (mut own, mut facts) = agreed(PriceBasis::Estimate);
    let extra = Money::new(EUROS, 3_000);
    let plain = PricedLine { code: "order.change".to_owned(), quantity: 1.0, total: extra };
    facts.changed.push(plain);
    own.lines[0].loaded = Some(280);
    assert_eq!(settle_at(&own, &facts), (vec![], vec![]));
    own.lines[0].loaded = Some(370);
    assert_eq!(settle_at(&own, &facts), (measured(8_584), vec![16_076]));
    // More goods that were priced by a change are agreed, and nothing is due for them.
    let terms = own.terms.clone().unwrap();
    let more = MoveWork { volume_l: 37_000, ..terms.booked.clone() };
    let changed = terms.change_lines(&facts, &more).into_iter();
    let changed =
        changed.map(|it| PricedLine { code: it.code, quantity: it.quantity, total: it.total });
    facts.changed.extend(changed);
    assert_eq!(settle_at(&own, &facts), (vec![], vec![]));
}

#[test]
fn an_estimate_whose_terms_are_not_those_of_the_quote_stands() {
    let (mut own, mut facts) = agreed(PriceBasis::Estimate);
    facts.quoted[0].total.minor_units += 1;
    own.lines[0].loaded = Some(370);
    assert_eq!(settle_at(&own, &facts), (vec![], vec![]));
    own.terms = None;
    let none = settle(
        &own,
        &facts,
        &MoveTables::default()
            .terms_of(
                &MoveTables::default().prices["FR"],
                &MoveInputs {
                    lines: vec![],
                    basis: PriceBasis::Binding,
                    from: HomeAccess::default(),
                    to: HomeAccess::default(),
                    destination: Place { lat: 0.0, lng: 0.0 },
                    packing: Packing::Eco,
                    declared_value: 0,
                },
                0,
            )
            .booked,
    );
    assert_eq!(none, GateAnswer::default());
}
