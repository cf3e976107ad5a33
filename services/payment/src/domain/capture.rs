//! Captures: how the money that an order paid was split, and how much of each part went back since.

use super::{
    AttemptId, Due, Error, IntentId, MAX_AMOUNT, OrderId, ProviderId, UserId,
    commission::{Rules, Split},
    due::{BeyondCap, DueLine},
};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

/// A request to capture.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    pub order: OrderId,
    /// How much in all, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// What the money is for: `SERVICE` or `FEE`.
    pub kind: &'static str,
    /// The profile that earns.
    pub provider: Option<ProviderId>,
    /// The account of that provider.
    pub provider_user: Option<UserId>,
    /// Key of the vertical, for its commission.
    pub vertical: String,
    /// The provider's share before commission.
    pub gross: i64,
    /// The part of it that carries commission.
    pub commission_base: i64,
    /// What the customer owes beyond the amount.
    pub due: Vec<DueLine>,
    /// When the payout falls due; none means after the usual delay.
    pub payout_due_at: Option<DateTime<Utc>>,
}

impl CaptureRequest {
    /// Splits the amount by the commission rules.
    pub fn split(&self, rules: &Rules) -> Result<Split, Error> {
        let parts = rules.split(&self.vertical, self.amount, self.gross, self.commission_base)?;
        self.check_provider(parts)
    }

    /// Splits what the customer owes beyond the amount, as it is earned once that is paid.
    pub fn split_due(&self, rules: &Rules) -> Result<Split, Error> {
        let sum = |counts: fn(&DueLine) -> bool| {
            let lines = self.due.iter().filter(|line| counts(line));
            lines.fold(0_i64, |sum, line| sum.saturating_add(line.amount))
        };
        let (amount, gross) = (sum(|_| true), sum(|line| line.provider_earns));
        if amount > MAX_AMOUNT {
            return Err(Error::invalid("due", "adds up to too much"));
        }
        let base = sum(|line| line.provider_earns && !line.pass_through);
        self.check_provider(rules.split(&self.vertical, amount, gross, base)?)
    }

    fn check_provider(&self, parts: Split) -> Result<Split, Error> {
        if parts.payable > 0 && (self.provider.is_none() || self.provider_user.is_none()) {
            return Err(Error::invalid("provider_id", "must be given when the provider earns"));
        }
        Ok(parts)
    }
}

/// How an order's capture was split.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "captures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub intent_id: IntentId,
    pub attempt_id: AttemptId,
    pub kind: String,
    pub amount: i64,
    pub provider_id: Option<ProviderId>,
    pub provider_user_id: Option<UserId>,
    pub vertical: String,
    pub payable: i64,
    pub commission: i64,
    pub vat: i64,
    pub payable_refunded: i64,
    pub commission_refunded: i64,
    pub vat_refunded: i64,
    pub payout_due_at: DateTimeUtc,
    /// When the money was split; none while this is a plan.
    pub split_at: Option<DateTimeUtc>,
    /// What was to be captured as well and is owed instead.
    pub uncaptured: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// How the capture that `attempt` asks for is to be split.
    pub fn plan(
        intent: IntentId,
        attempt: AttemptId,
        request: CaptureRequest,
        parts: Split,
        payout_due_at: DateTime<Utc>,
    ) -> Self {
        Self {
            intent_id: intent,
            attempt_id: attempt,
            kind: request.kind.to_owned(),
            amount: request.amount,
            provider_id: request.provider,
            provider_user_id: request.provider_user,
            vertical: request.vertical,
            payable: parts.payable,
            commission: parts.commission,
            vat: parts.vat,
            payable_refunded: 0,
            commission_refunded: 0,
            vat_refunded: 0,
            payout_due_at,
            split_at: None,
            uncaptured: 0,
        }
    }

    /// Refuses a repeated request that asks for something else.
    pub fn check_same(&self, request: &CaptureRequest) -> Result<(), Error> {
        match self.amount + self.uncaptured == request.amount && self.kind == request.kind {
            true => Ok(()),
            false => Err(Error::State("captured with another amount")),
        }
    }

    /// The parts as they were captured.
    pub const fn parts(&self) -> Split {
        Split { payable: self.payable, commission: self.commission, vat: self.vat }
    }

    /// What the provider has of it: what was earned less what went back.
    pub const fn earned(&self) -> i64 {
        self.payable - self.payable_refunded
    }

    /// Lowers the capture to what could be taken, and returns the parts of the rest, which is owed.
    pub fn owe_rest(&mut self, captured: i64) -> Split {
        let rest = self.parts().share(self.amount - captured);
        self.uncaptured = rest.total();
        self.lower_by(rest);
        rest
    }

    /// Takes `amount` back from everyone who earned, in proportion to what each has left, and returns the parts.
    pub fn take_back(&mut self, amount: i64) -> Split {
        let left = Split {
            payable: self.payable - self.payable_refunded,
            commission: self.commission - self.commission_refunded,
            vat: self.vat - self.vat_refunded,
        };
        let parts = left.share(amount);
        self.payable_refunded += parts.payable;
        self.commission_refunded += parts.commission;
        self.vat_refunded += parts.vat;
        parts
    }

    /// Gives the parts back that a refund had taken, since it came back.
    pub const fn give_back(&mut self, parts: Split) {
        self.payable_refunded -= parts.payable;
        self.commission_refunded -= parts.commission;
        self.vat_refunded -= parts.vat;
    }

    /// Lowers what is to be captured, since the customer owes `amount` less: all who earn get less, each in proportion.
    pub fn lower(&mut self, amount: i64) {
        self.lower_by(self.parts().share(amount));
    }

    const fn lower_by(&mut self, less: Split) {
        self.amount -= less.total();
        self.payable -= less.payable;
        self.commission -= less.commission;
        self.vat -= less.vat;
    }

    /// How the capture of what is owed beyond the cap is to be split, which `attempt` asks for.
    pub fn of_beyond_cap(
        due: &Due,
        plan: &BeyondCap,
        intent: IntentId,
        attempt: AttemptId,
    ) -> Self {
        Self {
            intent_id: intent,
            attempt_id: attempt,
            // An order may have both, and one payout of a kind.
            kind: if due.is_beyond_cap() { "DUE" } else { "REST" }.to_owned(),
            amount: due.amount,
            provider_id: due.provider_id,
            provider_user_id: due.provider_user_id,
            vertical: plan.vertical.clone(),
            payable: plan.payable,
            commission: plan.commission,
            vat: plan.vat,
            payable_refunded: 0,
            commission_refunded: 0,
            vat_refunded: 0,
            payout_due_at: plan.payout_due_at,
            split_at: None,
            uncaptured: 0,
        }
    }

    /// The same split for the capture of a due, which `attempt` asks for.
    #[must_use]
    pub fn for_due(&self, intent: IntentId, attempt: AttemptId) -> Self {
        Self { intent_id: intent, attempt_id: attempt, ..self.clone() }
    }
}
