//! Dues: what a customer owes for an order after its capture was declined, or beyond what was authorised.

use super::{
    Capture, DueId, Error, Intent, IntentId, OrderId, ProviderId, UserId, capture::CaptureRequest,
    commission::Split,
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};

/// How long a customer has to pay a due.
const PAYABLE_WITHIN: Duration = Duration::days(14);
/// How long after a reminder the next one follows.
const REMIND_EVERY: Duration = Duration::days(7);
/// How long after it fell due a customer is reminded.
const REMIND_FOR: Duration = Duration::days(28);

/// What a customer owes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dues")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DueId,
    pub intent_id: IntentId,
    pub order_id: OrderId,
    pub customer_id: UserId,
    pub provider_id: Option<ProviderId>,
    pub provider_user_id: Option<UserId>,
    pub currency: String,
    pub amount: i64,
    pub state: State,
    pub reason: String,
    pub beyond_cap: Option<BeyondCap>,
    pub due_at: DateTimeUtc,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is owed beyond what was captured, and who earns it once it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct BeyondCap {
    pub vertical: String,
    pub lines: Vec<DueLine>,
    /// What the provider earns.
    pub payable: i64,
    /// What the platform earns, net of tax.
    pub commission: i64,
    /// The tax on it.
    pub vat: i64,
    pub payout_due_at: DateTime<Utc>,
}

/// A line that a customer owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueLine {
    pub code: String,
    /// In minor units.
    pub amount: i64,
    /// Whether the provider earns it, and not the platform.
    pub provider_earns: bool,
    /// Whether it carries no commission.
    pub pass_through: bool,
}

/// Why something is owed beyond what was authorised.
const BEYOND_CAP: &str = "BEYOND_CAP";

/// Where a due stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// The customer owes it.
    #[sea_orm(string_value = "OPEN")]
    Open,
    /// The customer has paid it. Final.
    #[sea_orm(string_value = "PAID")]
    Paid,
    /// It is not asked for any more. Final.
    #[sea_orm(string_value = "WAIVED")]
    Waived,
}

impl Model {
    /// What the customer of `intent` owes when `capture` is declined for `reason`. None without a customer.
    pub fn open(
        intent: &Intent,
        capture: &Capture,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        Some(Self {
            id: Self::id_of(intent.id),
            intent_id: intent.id,
            order_id: intent.order(),
            customer_id: intent.customer_id?,
            provider_id: capture.provider_id,
            provider_user_id: capture.provider_user_id,
            currency: intent.currency.clone(),
            amount: capture.amount,
            state: State::Open,
            reason: reason.to_owned(),
            beyond_cap: None,
            due_at: now + PAYABLE_WITHIN,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// What the customer of `intent` owes beyond what `request` captures, and how it is split once it is paid. None without
    /// a customer.
    pub fn open_beyond_cap(
        intent: &Intent,
        request: &CaptureRequest,
        parts: Split,
        payout_due_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let Split { payable, commission, vat } = parts;
        Some(Self {
            id: Self::beyond_cap_id(intent.id),
            intent_id: intent.id,
            order_id: intent.order(),
            customer_id: intent.customer_id?,
            provider_id: request.provider,
            provider_user_id: request.provider_user,
            currency: intent.currency.clone(),
            amount: parts.total(),
            state: State::Open,
            reason: BEYOND_CAP.to_owned(),
            beyond_cap: Some(BeyondCap {
                vertical: request.vertical.clone(),
                lines: request.due.clone(),
                payable,
                commission,
                vat,
                payout_due_at,
            }),
            due_at: now + PAYABLE_WITHIN,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// What the customer of `intent` owes when only a part of `capture` could be taken: `rest` is earned once it is paid.
    /// None without a customer.
    pub fn open_uncaptured(
        intent: &Intent,
        capture: &Capture,
        rest: Split,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let Split { payable, commission, vat } = rest;
        let whole = Self::open(intent, capture, reason, now)?;
        let plan = BeyondCap {
            vertical: capture.vertical.clone(),
            lines: Vec::new(),
            payable,
            commission,
            vat,
            payout_due_at: capture.payout_due_at,
        };
        Some(Self { amount: rest.total(), beyond_cap: Some(plan), ..whole })
    }

    /// The id of the due for the capture of a payment that was declined, as a whole or in part: there is one at most.
    pub fn id_of(intent: IntentId) -> DueId {
        DueId::derived(intent.uuid(), "due")
    }

    /// The id of the due for what an order came to beyond what its payment had authorised: there is one at most.
    pub fn beyond_cap_id(intent: IntentId) -> DueId {
        DueId::derived(intent.uuid(), "due:beyond_cap")
    }

    /// Whether it is for work beyond what was authorised, and not for what a card refused.
    pub fn is_beyond_cap(&self) -> bool {
        self.beyond_cap.as_ref().is_some_and(|plan| !plan.lines.is_empty())
    }

    /// What the due's own payment pays, in the place of an order.
    pub const fn payment_subject(&self) -> OrderId {
        OrderId::from_uuid(self.id.uuid())
    }

    /// When its customer is reminded after a reminder at `now`; never when that was done long enough.
    pub fn next_reminder(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = now + REMIND_EVERY;
        (self.state == State::Open && next <= self.due_at + REMIND_FOR).then_some(next)
    }

    /// Lowers what is owed by up to `amount` and returns by how much. A due of which nothing is left is given up.
    pub fn lower(&mut self, amount: i64) -> Result<i64, Error> {
        self.check_open()?;
        if amount >= self.amount {
            self.state = State::Waived;
            return Ok(self.amount);
        }
        self.amount -= amount;
        Ok(amount)
    }

    /// Notes that the customer has paid.
    pub fn pay(&mut self) -> Result<(), Error> {
        self.finish(State::Paid)
    }

    /// Gives the due up. False when that was done before.
    pub fn waive(&mut self) -> Result<bool, Error> {
        if self.state == State::Waived {
            return Ok(false);
        }
        self.finish(State::Waived).map(|()| true)
    }

    /// Refuses what only an open due allows.
    pub fn check_open(&self) -> Result<(), Error> {
        match self.state {
            State::Open => Ok(()),
            State::Paid => Err(Error::DueState("paid")),
            State::Waived => Err(Error::DueState("waived")),
        }
    }

    fn finish(&mut self, state: State) -> Result<(), Error> {
        self.check_open()?;
        self.state = state;
        Ok(())
    }
}
