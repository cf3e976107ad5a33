//! Settlement: what a move comes to when it is delivered, beside what was agreed: within the cap, and due beyond it.

use super::{
    Move,
    details::PriceBasis,
    inventory::GoodsLoad,
    price::{KEY, MoveTerms, MoveWork, is_by_terms, sum_of, to_f64},
};
use vertical::{
    OrderFacts,
    price::{GateAnswer, Lines},
};

/// What a move costs in the end, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FinalPrice {
    /// What was quoted and approved.
    agreed: i64,
    /// What the work came to.
    actual: i64,
    /// The most that the customer pays unasked, with the approved changes.
    ceiling: i64,
}

impl FinalPrice {
    /// The price of a move that came to `work`.
    fn of(terms: &MoveTerms, facts: &OrderFacts, work: &MoveWork) -> Self {
        let quoted = facts.quoted_total();
        let changed: i64 = facts.changed.iter().map(|line| line.total.minor_units).sum();
        let by_terms = facts.quoted.iter().chain(&facts.changed);
        let by_terms = by_terms.filter(|line| is_by_terms(&line.code));
        let by_terms: i64 = by_terms.map(|line| line.total.minor_units).sum();
        let is_measured = terms.basis == PriceBasis::Estimate && terms.explain(facts);
        let difference = if is_measured { sum_of(&terms.price(work)) - by_terms } else { 0 };
        let cap = facts.cap.map_or(quoted, |cap| cap.minor_units);
        Self {
            agreed: quoted + changed,
            actual: (quoted + changed + difference).max(0),
            ceiling: cap + changed,
        }
    }

    /// What the customer pays without a due.
    fn payable(self) -> i64 {
        self.actual.min(self.ceiling)
    }

    /// The price of so many litres of those that were loaded; the ceiling shrinks with it and is rounded down.
    const fn pro_rata(self, delivered_l: i64, loaded_l: i64) -> Self {
        let actual = (2 * self.actual * delivered_l + loaded_l).div_euclid(2 * loaded_l);
        Self { actual, ceiling: (self.ceiling * delivered_l).div_euclid(loaded_l), ..self }
    }
}

/// What a signed move comes to, of which `work` was done.
pub fn settle(own: &Move, facts: &OrderFacts, work: &MoveWork) -> GateAnswer {
    let Some(terms) = &own.terms else { return GateAnswer::default() };
    let whole = FinalPrice::of(terms, facts, work);
    let (delivered_l, loaded_l) = (own.delivered_l(), GoodsLoad::of(&own.lines).volume_l());
    let last = match delivered_l < loaded_l {
        true => whole.pro_rata(delivered_l, loaded_l),
        false => whole,
    };
    let mut settlement = Lines::new(KEY, terms.currency);
    let measured = whole.payable() - whole.agreed;
    if measured != 0 {
        settlement.add_total("measured", cubic_metres(loaded_l), "m3", measured);
    }
    let undelivered = last.payable() - whole.payable();
    if undelivered != 0 {
        let missing = cubic_metres(loaded_l - delivered_l);
        settlement.add_total("undelivered", missing, "m3", undelivered);
    }
    let mut due = Lines::new(KEY, terms.currency);
    let beyond = last.actual - last.payable();
    if beyond > 0 {
        due.add_total("beyond_estimate", 1.0, "move", beyond);
    }
    GateAnswer { missing: Vec::new(), settlement: settlement.into_vec(), due: due.into_vec() }
}

fn cubic_metres(litres: i64) -> f64 {
    to_f64(litres) / 1_000.0
}

#[cfg(test)]
mod tests;
