//! What is noted of an inventory, and when.

use super::*;
use crate::domain::state::MoveState;

fn line(n: u32, quantity: i64) -> InventoryLine {
    InventoryLine {
        n,
        code: "box".to_owned(),
        quantity,
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

fn at(state: MoveState) -> Move {
    Move { state, ..Move::begin(vec![line(1, 20), line(2, 4)], None) }
}

fn noted(n: u32) -> LineChange {
    LineChange { n, ..LineChange::default() }
}

fn change(own: &mut Move, change: LineChange) -> Result<bool, Error> {
    own.change_inventory(&[change], &MoveTables::default())
}

#[test]
fn an_item_edited_counts_once() {
    let mut own = at(MoveState::OnSite);
    assert_eq!(GoodsLoad::of(&own.lines).volume_l(), 1_200);
    let thirty = LineChange { quantity: Some(30), ..noted(1) };
    assert!(change(&mut own, thirty.clone()).unwrap());
    assert_eq!(GoodsLoad::of(&own.lines).volume_l(), 1_700);
    assert!(!change(&mut own, thirty).unwrap(), "repeating it changes nothing");
    let sofa = LineChange { code: "sofa".to_owned(), ..noted(3) };
    assert!(change(&mut own, sofa.clone()).unwrap());
    assert!(!change(&mut own, sofa).unwrap());
    assert_eq!((own.lines.len(), own.lines[2].quantity), (3, 1));
    let load = GoodsLoad::of(&own.lines);
    assert_eq!((load.stackable_l, load.other_l), (1_700, 1_600));
    assert_eq!(load.weight_kg, 34 * 8 + 75);
}

#[test]
fn a_confirmed_inventory_that_changes_is_surveyed_again() {
    let mut own = at(MoveState::Surveyed);
    assert!(!change(&mut own, LineChange { quantity: Some(20), ..noted(1) }).unwrap());
    assert_eq!(own.state, MoveState::Surveyed);
    let worn = LineChange { condition: "worn".to_owned(), ..noted(1) };
    assert!(change(&mut own, worn).unwrap());
    assert_eq!(own.state, MoveState::OnSite);
    assert_eq!(own.lines[0].condition, Some(GoodsCondition::Worn));
}

#[test]
fn the_loading_notes_what_was_loaded_and_nothing_else() {
    let mut own = at(MoveState::Loading);
    assert_eq!(own.open_lines(), [1, 2]);
    change(&mut own, LineChange { loaded: Some(19), ..noted(1) }).unwrap();
    change(&mut own, LineChange { loaded: Some(0), packed_by: "crew".to_owned(), ..noted(2) })
        .unwrap();
    assert_eq!((own.state, own.open_lines()), (MoveState::Loading, vec![]));
    assert_eq!(GoodsLoad::of(&own.lines).volume_l(), 950, "what was struck out does not count");
    assert_eq!(own.lines[1].packed_by, PackedBy::Crew);
    let more = change(&mut own, LineChange { quantity: Some(21), ..noted(1) });
    assert!(matches!(more, Err(Error::OrderState(_))));
    let new = change(&mut own, LineChange { code: "sofa".to_owned(), ..noted(3) });
    assert!(matches!(new, Err(Error::OrderState(_))));
}

#[test]
fn wrong_changes_name_their_field() {
    for (state, wrong, field) in [
        (MoveState::OnSite, LineChange { loaded: Some(1), ..noted(1) }, "items[0].loaded"),
        (MoveState::OnSite, noted(4), "items[0].line"),
        (MoveState::OnSite, noted(3), "items[0].code"),
        (MoveState::OnSite, LineChange { code: "sofa".to_owned(), ..noted(1) }, "items[0].code"),
        (MoveState::OnSite, LineChange { code: "throne".to_owned(), ..noted(3) }, "items[0].code"),
        (
            MoveState::OnSite,
            LineChange { code: "other".to_owned(), ..noted(3) },
            "items[0].volume_l",
        ),
        (
            MoveState::OnSite,
            LineChange { condition: "old".to_owned(), ..noted(1) },
            "items[0].condition",
        ),
        (
            MoveState::OnSite,
            LineChange { packed_by: "me".to_owned(), ..noted(1) },
            "items[0].packed_by",
        ),
        (MoveState::Loading, LineChange { loaded: Some(21), ..noted(1) }, "items[0].loaded"),
    ] {
        let mut own = at(state);
        let before = own.clone();
        let error = change(&mut own, wrong).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
        assert_eq!(own, before, "nothing is kept of it");
    }
}

#[test]
fn from_the_loading_on_the_inventory_is_closed() {
    use MoveState::{Booked, InTransit, Loaded, Off, Signed, Unloading};
    for state in [Booked, Loaded, InTransit, Unloading, Signed, Off] {
        let answer = change(&mut at(state), LineChange { quantity: Some(1), ..noted(1) });
        assert!(matches!(answer, Err(Error::OrderState(_))), "{state:?}");
    }
}
