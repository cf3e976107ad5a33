//! Intents: the money of one order, from the first attempt to the end.

mod state;

pub use state::{IntentEvent, State};

use super::{
    AttemptId, Due, DueId, Error, IntentId, MethodId, OrderId, UserId,
    attempt::{AttemptKind, Model as Attempt},
    card_hold::CardHold,
    decision::AuthorizationRequest,
};
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

/// The version of a payment that nothing has happened to since it began.
pub const FIRST_VERSION: i64 = 1;

/// The currency of a payment that was closed before anyone named one: ISO 4217 for no currency.
const NO_CURRENCY: &str = "XXX";

/// The money of an order, or of a due. `order_id` is what it pays: the order, or the due whose order is `for_order`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "intents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntentId,
    pub order_id: OrderId,
    pub customer_id: Option<UserId>,
    pub currency: String,
    pub amount: i64,
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    pub state: State,
    pub method_id: Option<MethodId>,
    /// Written by earlier versions only: the rows of `payout_holds` say what holds payouts back.
    pub frozen: bool,
    pub closed_reason: String,
    pub version: i64,
    pub event_seq: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub purpose: IntentPurpose,
    pub for_order: Option<OrderId>,
    pub charged_back: i64,
}

/// What a payment pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum IntentPurpose {
    #[sea_orm(string_value = "ORDER")]
    Order,
    /// What a customer owes after the capture for an order was declined.
    #[sea_orm(string_value = "DUES")]
    Dues,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The payment of an order that begins now.
    pub fn open(
        id: IntentId,
        order: OrderId,
        request: &AuthorizationRequest,
        now: DateTime<Utc>,
    ) -> Self {
        let mut intent = Self::new(id, order, &request.currency, now);
        intent.customer_id = Some(request.customer);
        intent.amount = request.amount;
        intent
    }

    /// The payment of a due.
    pub fn for_due(id: IntentId, due: &Due, now: DateTime<Utc>) -> Self {
        let mut intent = Self::new(id, due.payment_subject(), &due.currency, now);
        intent.customer_id = Some(due.customer_id);
        intent.amount = due.amount;
        intent.purpose = IntentPurpose::Dues;
        intent.for_order = Some(due.order_id);
        intent
    }

    /// The due that it pays, when it pays one.
    pub const fn due_id(&self) -> DueId {
        DueId::from_uuid(self.order_id.uuid())
    }

    /// The order that the money is for.
    pub fn order(&self) -> OrderId {
        self.for_order.unwrap_or(self.order_id)
    }

    /// Whether it pays a due.
    pub fn pays_due(&self) -> bool {
        self.purpose == IntentPurpose::Dues
    }

    /// The closed payment of an order that never paid, so that it never will.
    pub fn tombstone(id: IntentId, order: OrderId, reason: &str, now: DateTime<Utc>) -> Self {
        let closed = Self::new(id, order, NO_CURRENCY, now);
        Self { state: State::Closed, closed_reason: reason.to_owned(), ..closed }
    }

    fn new(id: IntentId, order: OrderId, currency: &str, now: DateTime<Utc>) -> Self {
        Self {
            id,
            order_id: order,
            customer_id: None,
            currency: currency.to_owned(),
            amount: 0,
            authorized: 0,
            captured: 0,
            refunded: 0,
            state: State::Open,
            method_id: None,
            frozen: false,
            closed_reason: String::new(),
            version: FIRST_VERSION,
            event_seq: 0,
            created_at: now,
            updated_at: now,
            purpose: IntentPurpose::Order,
            for_order: None,
            charged_back: 0,
        }
    }

    /// Refuses amounts in another currency than the payment's.
    pub fn check_currency(&self, currency: &str) -> Result<(), Error> {
        match self.currency == currency {
            true => Ok(()),
            false => Err(Error::invalid("amount.currency", "is not the payment's currency")),
        }
    }

    /// Puts a method on file, to be charged later. False when the payment has gone further and stays as it is.
    pub fn save_method(&mut self, method: MethodId, amount: i64) -> Result<bool, Error> {
        match self.state.transition(IntentEvent::SaveMethod) {
            Ok(state) => {
                self.state = state;
                self.method_id = Some(method);
                self.amount = amount;
                Ok(true)
            }
            Err(Error::State(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An attempt to authorise what `request` asks for with `method`, given up after `deadline_at`.
    pub fn authorization(
        &self,
        request: &AuthorizationRequest,
        method: MethodId,
        now: DateTime<Utc>,
        deadline_at: DateTime<Utc>,
    ) -> Attempt {
        let (kind, key) = (AttemptKind::Authorize, &request.key);
        let id = self.attempt_id(kind, key);
        let attempt = Attempt::new(id, self.id, kind, key, request.amount, now);
        Attempt { method_id: Some(method), deadline_at, ..attempt }
    }

    /// An attempt to reserve anew what `hold` reserves, given up after `deadline_at`; `note` says what for.
    pub fn renewal(
        &self,
        hold: &CardHold,
        note: &str,
        now: DateTime<Utc>,
        deadline_at: DateTime<Utc>,
    ) -> Attempt {
        let key = format!("{note}:{}:{}", hold.id, hold.amount);
        let attempt = self.step(hold.id, AttemptKind::Renew, &key, hold.amount, now);
        let note = note.to_owned();
        Attempt { method_id: self.method_id, note, deadline_at, ..attempt }
    }

    /// The reference of the capture as a whole, under which its split is posted.
    pub fn capture_id(&self) -> AttemptId {
        self.attempt_id(AttemptKind::Capture, "capture")
    }

    /// A further step on `charge`.
    pub fn step(
        &self,
        charge: AttemptId,
        kind: AttemptKind,
        key: &str,
        amount: i64,
        now: DateTime<Utc>,
    ) -> Attempt {
        let attempt = Attempt::new(self.attempt_id(kind, key), self.id, kind, key, amount, now);
        Attempt { charge_id: Some(charge), ..attempt }
    }

    /// The reference of a step follows from its name, so that repeating it finds what was asked before.
    fn attempt_id(&self, kind: AttemptKind, key: &str) -> AttemptId {
        let name = match kind {
            AttemptKind::Authorize => "authorize",
            AttemptKind::Raise => "raise",
            AttemptKind::Renew => "renew",
            AttemptKind::Capture => "capture",
            AttemptKind::Refund => "refund",
        };
        AttemptId::derived(self.order_id.uuid(), &format!("{name}:{key}"))
    }

    /// Notes that `charge` reserved its amount.
    pub fn authorize(&mut self, charge: &Attempt) -> Result<(), Error> {
        self.state = self.state.transition(IntentEvent::Authorize)?;
        self.amount = charge.amount;
        self.authorized = charge.amount;
        self.method_id = charge.method_id;
        Ok(())
    }

    /// Authorises a price of zero, which needs no card.
    pub fn authorize_nothing(&mut self) -> Result<(), Error> {
        self.state = self.state.transition(IntentEvent::Authorize)?;
        self.amount = 0;
        Ok(())
    }

    /// Whether a price of `amount` is authorised. Money that was captured before it was due covers a lower price as well:
    /// what is over goes back when the order is settled.
    pub fn covers(&self, amount: i64) -> bool {
        let is_enough = self.amount == amount || (self.captured > 0 && amount <= self.authorized);
        self.state == State::Authorized && is_enough
    }

    /// Notes that what is authorised goes back, to be authorised again later with the same method.
    pub fn release_authorization(&mut self) -> Result<(), Error> {
        self.state = self.state.transition(IntentEvent::Postpone)?;
        self.authorized = 0;
        Ok(())
    }

    /// Notes that more was reserved. False when the payment went on meanwhile and does not need it any more.
    pub fn increment(&mut self, amount: i64) -> bool {
        let is_needed = self.state == State::Authorized;
        if is_needed {
            self.authorized += amount;
            self.amount += amount;
        }
        is_needed
    }

    /// Notes that `amount` of what was reserved is not to be captured any more.
    pub const fn lower_authorization(&mut self, amount: i64) {
        self.authorized -= amount;
        self.amount -= amount;
    }

    /// Refuses to add to what is not authorised.
    pub fn check_increment(&self) -> Result<(), Error> {
        self.state.transition(IntentEvent::Raise).map(drop)
    }

    /// Whether the payment was settled with a price of zero.
    pub fn has_captured_nothing(&self) -> bool {
        self.state == State::Captured && self.captured == 0
    }

    /// Refuses to capture what was not authorised.
    pub fn check_capture(&self, amount: i64) -> Result<(), Error> {
        self.state.transition(IntentEvent::Capture)?;
        match amount > self.authorized {
            true => Err(Error::ExceedsAuthorization),
            false => Ok(()),
        }
    }

    /// Notes that `amount` more was taken of what is reserved.
    pub const fn take(&mut self, amount: i64) {
        self.captured += amount;
    }

    /// Notes that all is taken that was to be. A payment that was closed meanwhile stays closed.
    pub fn complete_capture(&mut self) -> Result<(), Error> {
        if self.state != State::Closed {
            self.state = self.state.transition(IntentEvent::Capture)?;
        }
        Ok(())
    }

    /// Notes that the capture was declined: the customer owes the amount. The payment of a due opens again instead, so
    /// that another card may pay it.
    pub fn decline_capture(&mut self) -> Result<(), Error> {
        self.state = self.state.transition(match self.purpose {
            IntentPurpose::Order => IntentEvent::Owe,
            IntentPurpose::Dues => IntentEvent::Reopen,
        })?;
        Ok(())
    }

    /// Sets `amount` aside for a refund, unless the refunds would exceed what is left of the capture.
    pub fn reserve_refund(&mut self, amount: i64) -> Result<(), Error> {
        self.check_refund()?;
        match self.refundable() {
            0 if self.charged_back > 0 => Err(Error::ChargedBack),
            left if amount <= 0 || amount > left => Err(Error::ExceedsCapture { refundable: left }),
            _ => {
                self.refunded += amount;
                Ok(())
            }
        }
    }

    /// Refuses refunds when nothing was captured.
    pub fn check_refund(&self) -> Result<(), Error> {
        if self.captured > 0 {
            return Ok(());
        }
        Err(Error::State(match self.state {
            State::Captured => "captured with an amount of zero",
            state => state.name(),
        }))
    }

    /// What is left of the capture.
    pub const fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.charged_back
    }

    /// Closes the payment: money that still arrives goes back.
    pub fn close(&mut self, reason: &str) -> Result<(), Error> {
        self.state = self.state.transition(IntentEvent::Close)?;
        reason.clone_into(&mut self.closed_reason);
        Ok(())
    }

    /// Whether the payment is closed.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}
