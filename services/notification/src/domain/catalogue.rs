//! Who is told what, when a fact comes: one row a notice.

use sea_orm::{DeriveActiveEnum, EnumIter};
use uuid::Uuid;

/// Whom a notice addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Addressee {
    /// The customer of the order.
    #[sea_orm(string_value = "customer")]
    Customer,
    #[sea_orm(string_value = "provider")]
    Provider,
    /// The account that the fact is about.
    #[sea_orm(string_value = "account")]
    Account,
    /// The operators of the marketplace.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// Every guardian of the child that the fact is about.
    #[sea_orm(string_value = "guardian")]
    Guardian,
    /// The adults with an account who may fetch the child.
    #[sea_orm(string_value = "adult")]
    Adult,
}

impl Addressee {
    /// Its name in the names of templates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Account => "account",
            Self::Operator => "operator",
            Self::Guardian => "guardian",
            Self::Adult => "adult",
        }
    }

    /// The fact that a message to a reader stands for, of which there is one to each addressee. Where several accounts are
    /// addressed as one, each has its own.
    pub fn fact_for(self, event_id: Uuid, reader: Uuid) -> Uuid {
        match self {
            Self::Guardian | Self::Adult => Uuid::new_v5(&event_id, reader.as_bytes()),
            Self::Customer | Self::Provider | Self::Account | Self::Operator => event_id,
        }
    }
}

/// A way to reach an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ContactChannel {
    /// The inbox within QuickServe.
    #[sea_orm(string_value = "inbox")]
    Inbox,
    #[sea_orm(string_value = "email")]
    Email,
}

/// What may keep a message from its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Importance {
    /// Quiet hours, and the wish for no e-mail.
    #[sea_orm(string_value = "routine")]
    Routine,
    /// Quiet hours: it is about money, or about who comes.
    #[sea_orm(string_value = "essential")]
    Essential,
    /// Nothing: it is about safety or sign-in, or the sender waits for an answer within minutes.
    #[sea_orm(string_value = "critical")]
    Critical,
}

/// What matters of an order's state here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The payment is awaited.
    Unpaid,
    /// The named provider was asked.
    Requested,
    /// Several providers are asked.
    Searching,
    Other,
}

/// What is special about a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circumstance {
    #[default]
    Usual,
    /// Only people accept the delivery, and never a timer.
    ManualAcceptance,
    /// The work came to more than was authorised.
    BeyondCap,
}

/// In which cases a notice is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// When the order comes to that stage.
    To(Stage),
    /// When it comes to any other.
    NotTo(Stage),
    /// When the order comes from that stage.
    From(Stage),
    /// When it comes from any other.
    NotFrom(Stage),
    /// When the fact addresses this side, or none in particular.
    Addressed,
    /// When that is special about the fact.
    If(Circumstance),
    /// When it is not.
    Unless(Circumstance),
    /// When a parcel is carried, and no people.
    Parcel,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    pub kind: &'static str,
    /// Which of several texts for the same fact and addressee; empty for the usual one.
    pub variant: &'static str,
    /// Whom it addresses.
    pub addressee: Addressee,
    /// In which cases.
    pub when: When,
    /// By which ways.
    pub channels: &'static [ContactChannel],
    /// What may keep it from its reader.
    pub importance: Importance,
    /// Whether it loses its sense once the order moves on.
    pub fades: bool,
}

impl Notice {
    /// Name of its template, for example `order.assigned.customer`.
    pub fn template(&self) -> String {
        let (kind, addressee) = (self.kind, self.addressee.name());
        match self.variant {
            "" => format!("{kind}.{addressee}"),
            variant => format!("{kind}.{variant}.{addressee}"),
        }
    }

    const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    const fn variant(self, variant: &'static str) -> Self {
        Self { variant, ..self }
    }

    const fn beyond_cap(self) -> Self {
        self.variant("beyond_cap").when(If(BeyondCap))
    }

    const fn essential(self) -> Self {
        Self { importance: Importance::Essential, ..self }
    }

    const fn critical(self) -> Self {
        Self { importance: Importance::Critical, ..self }
    }

    const fn fades(self) -> Self {
        Self { fades: true, ..self }
    }
}

const fn base_notice(
    kind: &'static str,
    addressee: Addressee,
    channels: &'static [ContactChannel],
) -> Notice {
    let (variant, when) = ("", When::Always);
    let (importance, fades) = (Importance::Routine, false);
    Notice { kind, variant, addressee, when, channels, importance, fades }
}

const fn both_parties(kind: &'static str, addressee: Addressee) -> Notice {
    base_notice(kind, addressee, &[ContactChannel::Inbox, ContactChannel::Email])
}

const fn inbox_only(kind: &'static str, addressee: Addressee) -> Notice {
    base_notice(kind, addressee, &[ContactChannel::Inbox])
}

const fn with_mail(kind: &'static str, addressee: Addressee) -> Notice {
    base_notice(kind, addressee, &[ContactChannel::Email])
}

use Addressee::{Account, Adult, Customer, Guardian, Operator, Provider};
use Circumstance::{BeyondCap, ManualAcceptance};
use Stage::{Requested, Searching, Unpaid};
use When::{Addressed, From, If, NotFrom, NotTo, Parcel, To, Unless};

pub const NOTICES: &[Notice] = &[
    both_parties("order.created", Customer).when(To(Requested)).fades(),
    both_parties("order.created", Customer).variant("unpaid").when(To(Unpaid)).critical().fades(),
    both_parties("order.created", Customer).variant("searching").when(To(Searching)).fades(),
    both_parties("order.created", Provider).when(To(Requested)).fades(),
    both_parties("order.requested", Customer).when(To(Requested)).fades(),
    both_parties("order.requested", Customer).variant("searching").when(To(Searching)).fades(),
    both_parties("order.requested", Provider).when(To(Requested)).fades(),
    both_parties("order.payment_failed", Customer).critical().fades(),
    both_parties("order.offered", Provider).fades(),
    both_parties("order.assigned", Customer).fades(),
    both_parties("order.assigned", Provider).fades(),
    both_parties("order.declined", Customer).when(NotTo(Searching)).essential(),
    both_parties("order.declined", Customer).variant("searching").when(To(Searching)).fades(),
    both_parties("order.reassigned", Customer).when(To(Searching)).essential().fades(),
    both_parties("order.reassigned", Provider).essential(),
    both_parties("order.crew_replaced", Customer).essential(),
    inbox_only("order.crew_replaced", Provider).essential(),
    both_parties("order.rescheduled", Customer).fades(),
    both_parties("order.rescheduled", Provider).when(NotFrom(Unpaid)).essential().fades(),
    both_parties("order.repriced", Customer).essential().fades(),
    inbox_only("order.en_route", Customer),
    inbox_only("order.arrived", Customer),
    inbox_only("order.started", Customer),
    both_parties("order.change_proposed", Customer).critical().fades(),
    inbox_only("order.change_decided", Customer).when(Addressed),
    inbox_only("order.change_decided", Provider).when(Addressed),
    both_parties("order.changed", Provider).essential(),
    with_mail("order.overdue", Operator).essential(),
    both_parties("order.delivered", Customer).when(Unless(ManualAcceptance)).fades(),
    both_parties("order.delivered", Customer).variant("manual").when(If(ManualAcceptance)).fades(),
    both_parties("order.acceptance_overdue", Customer).when(Addressed).essential().fades(),
    with_mail("order.acceptance_overdue", Operator).when(Addressed).essential(),
    both_parties("order.changes_requested", Provider).fades(),
    inbox_only("order.completed", Customer),
    both_parties("order.completed", Provider),
    both_parties("order.cancelled", Customer).essential(),
    both_parties("order.cancelled", Provider).when(NotFrom(Unpaid)).essential(),
    both_parties("order.expired", Customer).when(NotFrom(Unpaid)).essential(),
    both_parties("order.expired", Customer).variant("unpaid").when(From(Unpaid)),
    both_parties("order.expired", Provider).when(From(Requested)),
    both_parties("order.no_provider", Customer).essential(),
    both_parties("order.no_show", Customer).essential(),
    both_parties("order.no_show", Provider).essential(),
    both_parties("order.aborted", Customer).critical(),
    both_parties("order.aborted", Provider).critical(),
    both_parties("order.disputed", Customer).when(Addressed).essential(),
    both_parties("order.disputed", Provider).when(Addressed).essential(),
    with_mail("order.disputed", Operator).essential(),
    both_parties("order.sos", Customer).when(Addressed).critical(),
    both_parties("order.sos", Provider).when(Addressed).critical(),
    with_mail("order.sos", Operator).critical(),
    both_parties("order.visit_booked", Customer).essential(),
    both_parties("order.visit_lost", Customer).essential(),
    both_parties("order.visit_lost", Provider).essential(),
    both_parties("order.dispute_resolved", Customer).essential(),
    both_parties("order.dispute_resolved", Provider).essential(),
    inbox_only("order.reviewed", Customer).when(Addressed),
    inbox_only("order.reviewed", Provider).when(Addressed),
    both_parties("order.message_posted", Customer).when(Addressed),
    both_parties("order.message_posted", Provider).when(Addressed),
    with_mail("order.side_effect_refused", Operator).essential(),
    both_parties("payment.captured", Customer).essential(),
    both_parties("payment.refunded", Customer).essential(),
    both_parties("payment.late_refunded", Customer).essential(),
    both_parties("payment.refund_failed", Customer).essential(),
    with_mail("payment.refund_failed", Operator).essential(),
    with_mail("payment.disputed", Operator).essential(),
    with_mail("payment.chargeback_won", Operator).essential(),
    with_mail("payment.chargeback_lost", Operator).essential(),
    both_parties("payment.due_created", Customer).when(Unless(BeyondCap)).critical(),
    both_parties("payment.due_created", Customer).beyond_cap().essential(),
    both_parties("payment.due_created", Provider).when(Unless(BeyondCap)).essential(),
    both_parties("payment.due_created", Provider).beyond_cap().essential(),
    with_mail("payment.due_created", Operator).when(Unless(BeyondCap)).essential(),
    both_parties("payment.due_lowered", Customer).essential(),
    both_parties("payment.due_overdue", Customer).critical(),
    with_mail("payment.due_overdue", Operator).essential(),
    both_parties("payment.due_paid", Customer).essential(),
    inbox_only("payment.due_waived", Customer),
    both_parties("payment.due_waived", Provider).essential(),
    inbox_only("payout.scheduled", Provider),
    both_parties("payout.paid", Provider).essential(),
    both_parties("payout.failed", Provider).essential(),
    with_mail("payout.failed", Operator).essential(),
    both_parties("payout.frozen", Provider).essential(),
    both_parties("provider.applied", Provider),
    with_mail("provider.applied", Operator),
    both_parties("provider.verified", Provider),
    both_parties("provider.document_expiring", Provider),
    both_parties("provider.blocked", Provider).essential(),
    inbox_only("provider.unblocked", Provider).essential(),
    both_parties("provider.restricted", Provider).essential(),
    both_parties("provider.document_expired", Provider).essential(),
    both_parties("moving.loaded", Customer).essential().fades(),
    both_parties("moving.claim_opened", Provider).essential(),
    both_parties("moving.claim_resolved", Customer).essential(),
    both_parties("moving.claim_resolved", Provider).essential(),
    with_mail("moving.claim_overdue", Operator).essential(),
    both_parties("repair.diagnosed", Customer).essential().fades(),
    both_parties("repair.parts_arrived", Customer).fades(),
    with_mail("repair.sla_missed", Operator).essential(),
    both_parties("series.needs_attention", Customer).essential(),
    both_parties("transport.stop_completed", Customer).when(Parcel).fades(),
    both_parties("transport.returning", Customer).essential().fades(),
    both_parties("child.checked_in", Guardian).critical(),
    both_parties("child.checked_out", Guardian).critical(),
    both_parties("child.incident", Guardian).critical(),
    both_parties("child.late_pickup", Guardian).when(Addressed).critical(),
    both_parties("child.late_pickup", Adult).when(Addressed).critical(),
    with_mail("child.late_pickup", Operator).when(Addressed).critical(),
    both_parties("child.pickup_refused", Guardian).critical(),
    both_parties("child.release_requested", Guardian).critical(),
    both_parties("child.authorization_changed", Guardian).critical(),
    both_parties("child.authorization_changed", Provider).critical(),
    inbox_only("track.arriving", Customer).essential().fades(),
    inbox_only("track.stale", Customer).fades(),
    inbox_only("user.registered", Account),
    with_mail("user.registration_repeated", Account).critical(),
    with_mail("user.contact_verification_requested", Account).critical(),
    inbox_only("user.contact_verified", Account),
    with_mail("user.password_reset_requested", Account).critical(),
    both_parties("user.password_changed", Account).critical(),
    both_parties("user.session_reused", Account).critical(),
    both_parties("user.suspended", Account).critical(),
    both_parties("user.reinstated", Account).essential(),
];

/// Facts of an order after which earlier messages about it may have lost their sense.
pub fn moves_on(kind: &str) -> bool {
    kind.starts_with("order.")
        && !matches!(
            kind,
            "order.created"
                | "order.payment_failed"
                | "order.offered"
                | "order.offer_ended"
                | "order.sos"
                | "order.visit_booked"
                | "order.visit_lost"
                | "order.crew_replaced"
                | "order.disputed"
                | "order.dispute_resolved"
                | "order.reviewed"
                | "order.message_posted"
                | "order.repriced"
                | "order.side_effect_refused"
                | "order.changed"
                | "order.overdue"
                | "order.acceptance_overdue"
                | "order.erased"
        )
}

#[cfg(test)]
mod tests;
