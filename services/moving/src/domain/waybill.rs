//! The record of a move and its waybill: what was signed for, and what was damaged or missing then.

use super::{
    claim::ClaimKind,
    inventory::{GoodsCondition, InventoryLine},
    price::{MoveTerms, MoveWork},
    state::{MoveState, MoveStep},
};
use chrono::{DateTime, Duration, Utc};
use kit::Money;
use serde::{Deserialize, Serialize};
use std::fmt;
use vertical::{Error, Phase};

/// The most for which goods are insured or claimed: ten million of a currency with cents.
pub const MOST_FOR_GOODS: i64 = 1_000_000_000;

/// What moving keeps of its own about an order. Where the goods go stays in the order's details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub state: MoveState,
    pub lines: Vec<InventoryLine>,
    /// The terms that were agreed; none where the country was not served any more when the order was first heard of.
    pub terms: Option<MoveTerms>,
    /// The work for which the price was fixed when the loading was signed for.
    pub fixed_work: Option<MoveWork>,
    /// The signatures in the order in which they were given.
    pub signatures: Vec<Signature>,
    /// What was damaged or missing at the delivery.
    pub reserves: Vec<GoodsReserve>,
}

/// A stage that is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedStage {
    Loading,
    Delivery,
}

impl SignedStage {
    /// Its name in the kinds of proof.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Delivery => "delivery",
        }
    }
}

/// What was signed at one stage of the waybill, by whom and when.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub stage: SignedStage,
    /// SHA-256 of its picture.
    pub sha256: String,
    pub signed_at: DateTime<Utc>,
    /// Whether another person signed for the customer.
    pub by_delegate: bool,
    /// Who that was; empty where the customer signed, and once the order is erased.
    pub delegate_name: String,
}

/// Says what was signed, not by whom.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("stage", &self.stage)
            .field("signed_at", &self.signed_at)
            .field("by_delegate", &self.by_delegate)
            .finish_non_exhaustive()
    }
}

/// What is damaged or missing of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodsReserve {
    /// Number of the line.
    pub line: u32,
    pub kind: ClaimKind,
    /// What that is worth.
    pub amount: Money,
    /// How many of the line.
    pub quantity: i64,
}

/// Who signs the waybill: the customer, or a delegate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    Customer,
    /// Another person, whom the provider names.
    Delegate(String),
}

/// A signature that is asked for.
#[derive(Clone, Debug)]
pub struct SignatureRequest {
    pub stage: SignedStage,
    pub signer: Signer,
    pub sha256: String,
    /// What is damaged or missing; a quantity of 0 means all that were loaded.
    pub reserves: Vec<GoodsReserve>,
    /// Whether the signer says that nothing is.
    pub none: bool,
}

impl Move {
    /// A move of which nothing has happened.
    pub const fn begin(lines: Vec<InventoryLine>, terms: Option<MoveTerms>) -> Self {
        Self {
            state: MoveState::Booked,
            lines,
            terms,
            fixed_work: None,
            signatures: Vec::new(),
            reserves: Vec::new(),
        }
    }

    /// Follows the order to a phase. A move that begins anew, with another provider, has nothing signed.
    pub fn enter_phase(&mut self, phase: Phase) {
        let Ok(state) = self.state.next(MoveStep::Told(phase)) else { return };
        self.state = state;
        if state == MoveState::Booked {
            self.fixed_work = None;
            self.signatures.clear();
            self.reserves.clear();
        }
    }

    /// Takes a step of the provider's that leads to `state`. False when it was taken before.
    pub fn take_step(&mut self, step: MoveStep, state: MoveState) -> Result<bool, Error> {
        if self.state.has_reached(state) {
            return Ok(false);
        }
        self.state = self.state.next(step)?;
        Ok(true)
    }

    /// Whether a signature says nothing new: the stage is signed for by the customer, or by a delegate and another one would
    /// sign again.
    pub fn is_signed_for(&self, request: &SignatureRequest) -> bool {
        let mut signed = self.signatures.iter().filter(|it| it.stage == request.stage);
        match (&request.signer, request.stage) {
            (Signer::Customer, SignedStage::Delivery) => signed.any(|it| !it.by_delegate),
            _ => signed.next().is_some(),
        }
    }

    /// Signs for a stage. Returns the reserves that are made with the signature.
    pub fn sign(
        &mut self,
        request: SignatureRequest,
        now: DateTime<Utc>,
        reserve_hours: i64,
    ) -> Result<Vec<GoodsReserve>, Error> {
        let state = match request.stage {
            SignedStage::Loading => {
                let next = self.state.next(MoveStep::SignLoading)?;
                self.check_loading(&request)?;
                next
            }
            SignedStage::Delivery => match self.reserves_until(reserve_hours) {
                Some(until) if now > until => {
                    let problem = "the time for reserves is over: open a claim for what is damaged or missing";
                    return Err(Error::Refused("RESERVES_CLOSED", problem.to_owned()));
                }
                Some(_) => self.state,
                None => self.state.next(MoveStep::SignDelivery)?,
            },
        };
        let reserves = self.check_reserves(request.reserves, request.stage, request.none)?;
        let (by_delegate, delegate_name) = match request.signer {
            Signer::Customer => (false, String::new()),
            Signer::Delegate(name) => (true, name),
        };
        let SignatureRequest { stage, sha256, .. } = request;
        self.signatures.push(Signature {
            stage,
            sha256,
            signed_at: now,
            by_delegate,
            delegate_name,
        });
        self.reserves.extend(reserves.iter().cloned());
        self.state = state;
        Ok(reserves)
    }

    /// Until when a customer for whom a delegate signed adds reserves; none where the customer has signed, or no one has.
    pub fn reserves_until(&self, reserve_hours: i64) -> Option<DateTime<Utc>> {
        let mut signed = self.signatures.iter().filter(|it| it.stage == SignedStage::Delivery);
        let first = signed.next()?;
        let has_customer_signed = !first.by_delegate || signed.any(|it| !it.by_delegate);
        (!has_customer_signed).then(|| first.signed_at + Duration::hours(reserve_hours))
    }

    /// The stages for which a delegate signed.
    pub fn delegated_stages(&self) -> impl Iterator<Item = SignedStage> {
        self.signatures.iter().filter(|it| it.by_delegate).map(|it| it.stage)
    }

    /// A line by its number.
    pub fn line(&self, n: u32) -> Option<&InventoryLine> {
        self.lines.iter().find(|line| line.n == n)
    }

    /// How many of a line were delivered: those that were loaded and are not missing.
    pub fn delivered(&self, line: &InventoryLine) -> i64 {
        let missing = self.reserves.iter();
        let missing = missing.filter(|it| it.line == line.n && it.kind == ClaimKind::Missing);
        line.counted() - missing.map(|it| it.quantity).sum::<i64>()
    }

    /// Litres that were delivered.
    pub fn delivered_l(&self) -> i64 {
        self.lines.iter().map(|line| self.delivered(line) * line.volume_l).sum()
    }

    /// Whether damage to a line was noted before it was loaded.
    pub fn was_damaged_before(&self, line: u32) -> bool {
        self.line(line).is_some_and(|it| it.condition == Some(GoodsCondition::Damaged))
    }

    /// Forgets what people wrote, and who they were.
    pub fn forget_texts(&mut self) {
        for line in &mut self.lines {
            line.label.clear();
        }
        for signature in &mut self.signatures {
            signature.delegate_name.clear();
        }
    }

    fn check_loading(&self, request: &SignatureRequest) -> Result<(), Error> {
        if !request.reserves.is_empty() {
            let problem = "belong to the delivery: note the condition of the line instead";
            return Err(Error::invalid("reserves", problem));
        }
        let open: Vec<String> = self.open_lines().iter().map(ToString::to_string).collect();
        if open.is_empty() {
            return Ok(());
        }
        let lines = open.join(", ");
        let problem = format!("neither loaded nor struck out: line {lines} of the inventory");
        Err(Error::Refused("LINES_OPEN", problem))
    }

    /// Checks what is said to be damaged or missing, and says of how many of each line.
    fn check_reserves(
        &self,
        reserves: Vec<GoodsReserve>,
        stage: SignedStage,
        none: bool,
    ) -> Result<Vec<GoodsReserve>, Error> {
        match (stage, none, reserves.is_empty()) {
            (SignedStage::Delivery, true, false) => {
                return Err(Error::invalid("none", "must not come with reserves"));
            }
            (SignedStage::Delivery, false, true) => {
                return Err(Error::invalid("none", "must be true, or reserves must be given"));
            }
            _ => {}
        }
        let mut checked: Vec<GoodsReserve> = Vec::new();
        for (index, reserve) in reserves.into_iter().enumerate() {
            let made = self.reserves.iter().chain(&checked);
            let before = made.filter(|it| (it.line, it.kind) == (reserve.line, reserve.kind));
            let before = before.map(|it| it.quantity).sum();
            let reserve = self.check_reserve(&format!("reserves[{index}]"), reserve, before)?;
            checked.push(reserve);
        }
        Ok(checked)
    }

    /// Checks one reserve, before which others of the same kind were made about so many of the line.
    fn check_reserve(
        &self,
        field: &str,
        reserve: GoodsReserve,
        before: i64,
    ) -> Result<GoodsReserve, Error> {
        let Some(line) = self.line(reserve.line) else {
            return Err(Error::invalid(format!("{field}.line"), "is not in the inventory"));
        };
        self.check_amount(&format!("{field}.amount"), reserve.amount)?;
        let left = line.counted() - before;
        let quantity = if reserve.quantity == 0 { left } else { reserve.quantity };
        if quantity > left {
            let problem = format!("must be {left} at most: no more of the line were loaded");
            return Err(Error::invalid(format!("{field}.quantity"), problem));
        }
        if quantity == 0 {
            return Err(Error::invalid(format!("{field}.line"), "has nothing that was loaded"));
        }
        Ok(GoodsReserve { quantity, ..reserve })
    }

    /// Refuses an amount that is nothing or too much, or in another currency than the order's.
    pub fn check_amount(&self, field: &str, amount: Money) -> Result<(), Error> {
        if let Some(terms) = self.terms.as_ref().filter(|it| it.currency != amount.currency) {
            let problem = format!("must be {}, as the order", terms.currency);
            return Err(Error::invalid(format!("{field}.currency"), problem));
        }
        if amount.minor_units <= 0 {
            return Err(Error::invalid(format!("{field}.minor_units"), "must be more than 0"));
        }
        if amount.minor_units > MOST_FOR_GOODS {
            let problem = format!("must be {MOST_FOR_GOODS} at most");
            return Err(Error::invalid(format!("{field}.minor_units"), problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
