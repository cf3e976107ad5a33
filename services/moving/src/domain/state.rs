//! Where a move stands, and what may happen to it next.

use serde::{Deserialize, Serialize};
use vertical::{Error, Phase};

/// Where a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveState {
    /// The work has not begun.
    Booked,
    /// The crew is at the home that the goods leave.
    OnSite,
    /// The mover has confirmed the inventory.
    Surveyed,
    /// The goods are being loaded.
    Loading,
    /// The goods are loaded and the customer has signed: the price is fixed.
    Loaded,
    /// The goods are on their way.
    InTransit,
    /// The goods are being unloaded.
    Unloading,
    /// The customer has signed for the delivery.
    Signed,
    /// The order ended without the move.
    Off,
}

/// What happens to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStep {
    /// The order has entered a phase, and the move is told of it.
    Told(Phase),
    /// The mover confirms the inventory.
    Confirm,
    /// The inventory is another one than was noted.
    Change,
    /// The loading begins.
    Load,
    /// What was loaded is signed for.
    SignLoading,
    /// The truck sets out.
    Depart,
    /// The unloading begins.
    Unload,
    /// What was delivered is signed for.
    SignDelivery,
}

impl MoveState {
    /// The state after a step. What the move is told of has happened and is never refused: where it means nothing, the move
    /// stays as it is. A move that is off follows its order back, as a restore may have put it there.
    pub fn next(self, step: MoveStep) -> Result<Self, Error> {
        use MoveStep::{Change, Confirm, Depart, Load, SignDelivery, SignLoading, Told, Unload};
        match (self, step) {
            (_, Told(phase)) => Ok(self.after_phase(phase)),
            (Self::OnSite, Confirm) => Ok(Self::Surveyed),
            (Self::OnSite | Self::Surveyed, Change) => Ok(Self::OnSite),
            (Self::Surveyed, Load) => Ok(Self::Loading),
            (Self::Loading, SignLoading) => Ok(Self::Loaded),
            (Self::Loaded, Depart) => Ok(Self::InTransit),
            (Self::InTransit, Unload) => Ok(Self::Unloading),
            (Self::Unloading, SignDelivery) => Ok(Self::Signed),
            (_, Confirm) => Err(Error::OrderState("the crew is not surveying the inventory")),
            (_, Change) => {
                Err(Error::OrderState("the inventory cannot change any more, or not yet"))
            }
            (_, Load) => Err(Error::OrderState("the inventory is not confirmed")),
            (_, SignLoading) => Err(Error::OrderState("the goods are not being loaded")),
            (_, Depart) => Err(Error::OrderState("the loading is not signed for")),
            (_, Unload) => Err(Error::OrderState("the goods are not on their way")),
            (_, SignDelivery) => Err(Error::OrderState("the goods are not being unloaded")),
        }
    }

    /// The state of a move whose order has entered a phase.
    const fn after_phase(self, phase: Phase) -> Self {
        match (self, phase) {
            (Self::Signed, _) => Self::Signed,
            (_, Phase::Booked) => Self::Booked,
            (_, Phase::Ended) => Self::Off,
            (Self::Booked | Self::Off, Phase::EnRoute | Phase::AtTheDoor) => Self::Booked,
            (Self::Booked | Self::Off, Phase::Working | Phase::Rework) => Self::OnSite,
            _ => self,
        }
    }

    /// Whether a step has been taken that leads to `state`, so that repeating it changes nothing.
    pub fn has_reached(self, state: Self) -> bool {
        self != Self::Off && self >= state
    }

    /// Whether nothing changes the price any more.
    pub fn is_price_fixed(self) -> bool {
        self.has_reached(Self::Loaded)
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "BOOKED",
            Self::OnSite => "ON_SITE",
            Self::Surveyed => "SURVEYED",
            Self::Loading => "LOADING",
            Self::Loaded => "LOADED",
            Self::InTransit => "IN_TRANSIT",
            Self::Unloading => "UNLOADING",
            Self::Signed => "SIGNED",
            Self::Off => "OFF",
        }
    }

    /// What the provider may do next.
    pub const fn provider_actions(self) -> &'static [&'static str] {
        match self {
            Self::OnSite => &["updateInventory", "confirmInventory"],
            Self::Surveyed => &["updateInventory", "beginLoading"],
            Self::Loading => &["updateInventory", "signWaybill"],
            Self::Loaded => &["beginTransit"],
            Self::InTransit => &["beginUnloading"],
            Self::Unloading => &["signWaybill"],
            Self::Booked | Self::Signed | Self::Off => &[],
        }
    }

    /// What the customer may do next.
    pub const fn customer_actions(self) -> &'static [&'static str] {
        match self {
            Self::Loading | Self::Unloading => &["signWaybill"],
            Self::Signed => &["createClaim"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [MoveState; 9] = [
        MoveState::Booked,
        MoveState::OnSite,
        MoveState::Surveyed,
        MoveState::Loading,
        MoveState::Loaded,
        MoveState::InTransit,
        MoveState::Unloading,
        MoveState::Signed,
        MoveState::Off,
    ];
    const ACTS: [MoveStep; 7] = [
        MoveStep::Confirm,
        MoveStep::Change,
        MoveStep::Load,
        MoveStep::SignLoading,
        MoveStep::Depart,
        MoveStep::Unload,
        MoveStep::SignDelivery,
    ];
    const PHASES: [Phase; 7] = [
        Phase::Booked,
        Phase::EnRoute,
        Phase::AtTheDoor,
        Phase::Working,
        Phase::Rework,
        Phase::Delivered,
        Phase::Ended,
    ];

    #[test]
    fn people_do_what_the_table_allows_and_nothing_else() {
        use MoveState::{InTransit, Loaded, Loading, OnSite, Signed, Surveyed, Unloading};
        use MoveStep::{Change, Confirm, Depart, Load, SignDelivery, SignLoading, Unload};
        let rows = [
            (OnSite, Confirm, Surveyed),
            (OnSite, Change, OnSite),
            (Surveyed, Change, OnSite),
            (Surveyed, Load, Loading),
            (Loading, SignLoading, Loaded),
            (Loaded, Depart, InTransit),
            (InTransit, Unload, Unloading),
            (Unloading, SignDelivery, Signed),
        ];
        let (mut allowed, mut refused) = (0, 0);
        for (state, act) in
            STATES.into_iter().flat_map(|state| ACTS.into_iter().map(move |act| (state, act)))
        {
            let row = rows.iter().find(|row| (row.0, row.1) == (state, act));
            match (state.next(act), row) {
                (Ok(next), Some(row)) => {
                    assert_eq!(next, row.2, "{state:?} {act:?}");
                    allowed += 1;
                }
                (Err(Error::OrderState(_)), None) => refused += 1,
                (next, _) => panic!("{state:?} {act:?}: {next:?}"),
            }
        }
        assert_eq!((allowed, refused), (rows.len(), 63 - rows.len()));
    }

    #[test]
    fn a_move_follows_its_order_and_what_is_signed_stays() {
        for (state, phase) in
            STATES.into_iter().flat_map(|state| PHASES.into_iter().map(move |phase| (state, phase)))
        {
            let is_before_work = matches!(state, MoveState::Booked | MoveState::Off);
            let expected = match phase {
                _ if state == MoveState::Signed => MoveState::Signed,
                Phase::Booked => MoveState::Booked,
                Phase::Ended => MoveState::Off,
                Phase::Working | Phase::Rework if is_before_work => MoveState::OnSite,
                Phase::EnRoute | Phase::AtTheDoor if is_before_work => MoveState::Booked,
                _ => state,
            };
            let next = state.next(MoveStep::Told(phase)).unwrap();
            assert_eq!(next, expected, "{state:?} told {phase:?}");
        }
    }

    #[test]
    fn the_price_is_fixed_from_the_loading_on() {
        let fixed: Vec<&str> = STATES
            .into_iter()
            .filter(|state| state.is_price_fixed())
            .map(MoveState::name)
            .collect();
        assert_eq!(fixed, ["LOADED", "IN_TRANSIT", "UNLOADING", "SIGNED"]);
        assert!(MoveState::Loading.has_reached(MoveState::Surveyed));
        assert!(!MoveState::Off.has_reached(MoveState::Surveyed));
    }
}
