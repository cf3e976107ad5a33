//! What an order costs: its lines and where they come from, the most that the customer pays unasked, and what the work comes
//! to in the end.

use super::{Error, Order, OrderChange, Party, PriceLine, timing::seconds_of};
use chrono::{DateTime, Utc};
use kit::{Money, values::money::Currency};
use serde::{Deserialize, Serialize};

/// How long the vertical's answer to a delivery holds. The vertical keeps its record as it is for longer.
const ANSWER_HOLDS_S: i64 = 30;

/// Where a line of a price comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineOrigin {
    /// The quote that was booked.
    #[default]
    Quote,
    /// An approved change order.
    Change,
    /// The last delivery.
    Settlement,
}

impl LineOrigin {
    /// Leaves out of the stored lines of every order what nearly all of them are.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(super) const fn is_quote(&self) -> bool {
        matches!(self, Self::Quote)
    }
}

/// What the vertical answered to a delivery: what the work comes to beside what was quoted and approved.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryAnswer {
    /// The version of the order that the vertical was asked about.
    pub order_version: i64,
    /// When it answered.
    pub answered_at: DateTime<Utc>,
    /// Lines within the cap, in place of those of an earlier delivery.
    pub settlement: Vec<PriceLine>,
    /// Lines beyond the cap.
    pub due: Vec<PriceLine>,
}

/// The sum of lines, in minor units.
pub fn sum_of<'a>(lines: impl IntoIterator<Item = &'a PriceLine>) -> Result<i64, Error> {
    let sum = lines.into_iter().try_fold(0_i64, |sum, line| sum.checked_add(line.total));
    sum.ok_or_else(|| kit::Error::internal("the lines add up to too much").into())
}

/// The most that a customer pays unasked, as the vertical says: in the currency of the price, and not less than it.
pub fn check_cap(cap: Option<Money>, total: i64, currency: Currency) -> Result<Option<i64>, Error> {
    match cap {
        Some(cap) if cap.currency != currency || cap.minor_units < total => {
            Err(kit::Error::internal("the cap is not an amount above the price").into())
        }
        cap => Ok(cap.map(|cap| cap.minor_units)),
    }
}

impl Order {
    /// The lines of one origin.
    fn lines_of(&self, origin: LineOrigin) -> impl Iterator<Item = &PriceLine> {
        self.terms.lines.iter().filter(move |line| line.origin == origin)
    }

    /// The sum of the lines of one origin. That of all lines was checked when they were written.
    fn total_of(&self, origin: LineOrigin) -> i64 {
        self.lines_of(origin).fold(0, |sum, line| sum.saturating_add(line.total))
    }

    /// The most that the quoted work costs: the cap, or the price where it is binding.
    pub fn quoted_ceiling(&self) -> i64 {
        self.terms.cap.unwrap_or_else(|| self.total_of(LineOrigin::Quote))
    }

    /// The most that the customer pays unasked: that is authorised.
    pub fn ceiling(&self) -> i64 {
        self.quoted_ceiling().saturating_add(self.total_of(LineOrigin::Change))
    }

    /// The part of what the provider earns of `amount` that carries commission.
    pub fn commission_base(&self, amount: i64) -> i64 {
        self.earned_part(amount, |line| !line.pass_through)
    }

    /// What the provider earns before commission, with the lines that `counts` picks, when the customer pays `amount` of the
    /// price.
    pub(super) fn earned_part(&self, amount: i64, counts: fn(&PriceLine) -> bool) -> i64 {
        let earned = self
            .terms
            .lines
            .iter()
            .filter(|line| line.earner == Party::Provider && counts(line))
            .fold(0_i64, |sum, line| sum.saturating_add(line.total))
            .clamp(0, self.total.max(0));
        if amount >= self.total {
            return earned;
        }
        let part = i128::from(earned) * i128::from(amount.max(0)) / i128::from(self.total.max(1));
        i64::try_from(part).unwrap_or(earned)
    }
}

impl DeliveryAnswer {
    /// Fails when the answer is about an order that has changed since, or is too old to deliver by.
    fn check_current(&self, order: &Order, now: DateTime<Utc>) -> Result<(), Error> {
        if self.order_version != order.version {
            return Err(Error::Changed);
        }
        if now > self.answered_at + seconds_of(ANSWER_HOLDS_S) {
            return Err(Error::GateAnswerExpired);
        }
        Ok(())
    }
}

impl OrderChange {
    /// Takes in what the work comes to, in place of what an earlier delivery came to.
    pub(super) fn settle_price(&mut self, answer: &DeliveryAnswer) -> Result<(), Error> {
        answer.check_current(&self.order, self.now)?;
        let lines = &mut self.order.terms.lines;
        lines.retain(|line| line.origin != LineOrigin::Settlement);
        lines.extend(
            answer
                .settlement
                .iter()
                .map(|line| PriceLine { origin: LineOrigin::Settlement, ..line.clone() }),
        );
        let total = sum_of(&self.order.terms.lines)?;
        let changes = sum_of(self.order.lines_of(LineOrigin::Change))?;
        if total - changes > self.order.quoted_ceiling() {
            let problem = "the settlement goes beyond the most that the customer pays unasked";
            return Err(kit::Error::internal(problem).into());
        }
        if total < 0 || answer.due.iter().any(|line| line.total <= 0) {
            let problem =
                "the settlement leaves a price below zero, or is due with less than nothing";
            return Err(kit::Error::internal(problem).into());
        }
        sum_of(&answer.due)?;
        self.order.total = total;
        self.order.progress.beyond_cap.clone_from(&answer.due);
        Ok(())
    }
}
