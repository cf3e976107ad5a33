//! Signatures, reserves and delegates.

use super::*;
use crate::domain::inventory::PackedBy;
use kit::{testing::at, values::money::Currency};

const HOURS: i64 = 24;

fn line(n: u32, loaded: Option<i64>) -> InventoryLine {
    InventoryLine {
        n,
        code: "box".to_owned(),
        quantity: 10,
        volume_l: 50,
        weight_kg: 8,
        stackable: true,
        fragile: false,
        packed_by: PackedBy::Owner,
        condition: None,
        loaded,
        label: "books of Zoé".to_owned(),
    }
}

fn unloading() -> Move {
    let lines = vec![line(1, Some(10)), line(2, Some(0)), line(3, Some(4))];
    Move { state: MoveState::Unloading, ..Move::begin(lines, None) }
}

fn by(signer: Signer, stage: SignedStage) -> SignatureRequest {
    SignatureRequest { stage, signer, sha256: "0".repeat(64), reserves: Vec::new(), none: true }
}

fn reserve(line: u32, kind: ClaimKind, quantity: i64) -> GoodsReserve {
    GoodsReserve { line, kind, amount: Money::new(Currency::EUR, 4_000), quantity }
}

fn with(reserves: Vec<GoodsReserve>, signer: Signer) -> SignatureRequest {
    SignatureRequest { reserves, none: false, ..by(signer, SignedStage::Delivery) }
}

fn neighbour() -> Signer {
    Signer::Delegate("Zoé".to_owned())
}

fn sign(own: &mut Move, request: SignatureRequest) -> Result<Vec<GoodsReserve>, Error> {
    own.sign(request, at("2027-05-24T18:00:00Z"), HOURS)
}

#[test]
fn each_line_is_loaded_or_struck_out_before_the_loading_is_signed() {
    let lines = vec![line(1, Some(10)), line(2, None), line(3, None)];
    let mut own = Move { state: MoveState::Loading, ..Move::begin(lines, None) };
    let request = by(Signer::Customer, SignedStage::Loading);
    let open = sign(&mut own, request.clone()).unwrap_err();
    assert!(matches!(open, Error::Refused("LINES_OPEN", _)));
    assert!(open.to_string().contains("line 2, 3"), "{open}");
    own.lines[1].loaded = Some(0);
    own.lines[2].loaded = Some(4);
    let reserved =
        SignatureRequest { reserves: vec![reserve(1, ClaimKind::Damaged, 1)], ..request.clone() };
    let error = sign(&mut own, reserved).unwrap_err().to_string();
    assert!(error.contains("reserves") && error.contains("condition"), "{error}");
    sign(&mut own, request.clone()).unwrap();
    assert_eq!(own.state, MoveState::Loaded);
    assert!(own.is_signed_for(&request));
    assert!(own.is_signed_for(&by(neighbour(), SignedStage::Loading)));
}

#[test]
fn a_delivery_is_signed_with_reserves_or_none() {
    for (request, field) in [
        (with(vec![], Signer::Customer), "none"),
        (
            SignatureRequest {
                reserves: vec![reserve(1, ClaimKind::Damaged, 1)],
                ..by(Signer::Customer, SignedStage::Delivery)
            },
            "none",
        ),
        (with(vec![reserve(7, ClaimKind::Damaged, 1)], Signer::Customer), "reserves[0].line"),
        (with(vec![reserve(2, ClaimKind::Missing, 0)], Signer::Customer), "reserves[0].line"),
        (with(vec![reserve(3, ClaimKind::Missing, 5)], Signer::Customer), "reserves[0].quantity"),
        (
            with(
                vec![reserve(3, ClaimKind::Missing, 3), reserve(3, ClaimKind::Missing, 2)],
                Signer::Customer,
            ),
            "reserves[1].quantity",
        ),
        (
            with(
                vec![GoodsReserve {
                    amount: Money::new(Currency::EUR, 0),
                    ..reserve(1, ClaimKind::Damaged, 1)
                }],
                Signer::Customer,
            ),
            "reserves[0].amount.minor_units",
        ),
    ] {
        let mut own = unloading();
        let error = sign(&mut own, request).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
        assert_eq!((own.state, own.signatures.len()), (MoveState::Unloading, 0));
    }
    let mut own = unloading();
    let reserves = vec![reserve(1, ClaimKind::Missing, 0), reserve(3, ClaimKind::Damaged, 1)];
    let made = sign(&mut own, with(reserves, Signer::Customer)).unwrap();
    assert_eq!((made[0].quantity, made[1].quantity), (10, 1), "0 means all that were loaded");
    assert_eq!(own.state, MoveState::Signed);
    let delivered: Vec<i64> = own.lines.iter().map(|line| own.delivered(line)).collect();
    assert_eq!(delivered, [0, 0, 4], "what is damaged was delivered");
    assert_eq!(own.delivered_l(), 200);
    assert_eq!(own.reserves_until(HOURS), None);
}

#[test]
fn an_absent_customer_has_a_day_for_reserves() {
    let mut own = unloading();
    sign(&mut own, by(neighbour(), SignedStage::Delivery)).unwrap();
    assert_eq!(own.state, MoveState::Signed);
    assert_eq!(own.delegated_stages().collect::<Vec<_>>(), [SignedStage::Delivery]);
    assert_eq!(own.reserves_until(HOURS), Some(at("2027-05-25T18:00:00Z")));
    assert!(own.is_signed_for(&by(neighbour(), SignedStage::Delivery)), "no second delegate");
    let request = with(vec![reserve(3, ClaimKind::Damaged, 1)], Signer::Customer);
    assert!(!own.is_signed_for(&request));
    let late = own.clone().sign(request.clone(), at("2027-05-25T18:00:01Z"), HOURS);
    assert!(matches!(late, Err(Error::Refused("RESERVES_CLOSED", _))));
    let made = own.sign(request.clone(), at("2027-05-25T18:00:00Z"), HOURS).unwrap();
    assert_eq!(made.len(), 1);
    assert!(own.is_signed_for(&request));
    assert_eq!((own.state, own.reserves_until(HOURS)), (MoveState::Signed, None));
}

#[test]
fn a_signature_before_its_time_is_refused() {
    for state in [MoveState::Booked, MoveState::OnSite, MoveState::Loaded, MoveState::Off] {
        let mut own = Move { state, ..unloading() };
        for stage in [SignedStage::Loading, SignedStage::Delivery] {
            let answer = sign(&mut own, by(Signer::Customer, stage));
            assert!(matches!(answer, Err(Error::OrderState(_))), "{state:?} {stage:?}");
        }
    }
}

#[test]
fn another_crew_begins_anew_and_names_are_forgotten() {
    let mut own = unloading();
    sign(&mut own, by(neighbour(), SignedStage::Delivery)).unwrap();
    assert!(!format!("{own:?}").contains("Zoé"), "names are not printed");
    own.forget_texts();
    assert!(own.lines.iter().all(|line| line.label.is_empty()));
    assert_eq!(
        (own.signatures[0].by_delegate, own.signatures[0].delegate_name.as_str()),
        (true, "")
    );
    let mut own = unloading();
    own.enter_phase(Phase::Booked);
    assert_eq!((own.state, own.signatures.len()), (MoveState::Booked, 0));
    assert!(own.take_step(MoveStep::Confirm, MoveState::Surveyed).is_err());
    own.enter_phase(Phase::Working);
    assert!(own.take_step(MoveStep::Confirm, MoveState::Surveyed).unwrap());
    assert!(!own.take_step(MoveStep::Confirm, MoveState::Surveyed).unwrap());
}
