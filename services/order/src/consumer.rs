//! Events of other services that orders act on: payments, payouts, an access that failed, accounts and providers that
//! are suspended, blocked or gone.

use crate::{
    app::App,
    domain::{
        AccountId, Actor, Amounts, Authorization, Error, Order, OrderChange, OrderId, Outcome,
        PaymentState, Principal, Series, SeriesChange,
    },
    repository::{calendar_links, erasure, orders, records, series},
};
use async_trait::async_trait;
use kit::{
    Event, Id, Tx,
    messaging::{bus::Consumer, inbox},
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::Signal,
    payment::v1::{PaymentEvent, PayoutEvent},
    provider::v1::ProviderEvent,
    user::v1::UserEvent,
};

/// The name under which order notes the events on which it has acted.
const INBOX: &str = "order";

#[async_trait]
impl Consumer for App {
    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            "payment.authorized"
                | "payment.failed"
                | "payment.hold_expiring"
                | "payment.disputed"
                | "payment.chargeback_won"
                | "payment.chargeback_lost"
                | "payment.refunded"
                | "payment.refund_failed"
                | "payment.due_created"
                | "payment.due_paid"
                | "payment.due_waived"
                | "payout.paid"
                | "fulfilment.access_failed"
                | "fulfilment.claim_opened"
                | "fulfilment.claim_resolved"
                | "fulfilment.safety"
                | "provider.blocked"
                | "provider.restricted"
                | "provider.document_expired"
                | "provider.offering_changed"
                | "provider.resource_lost"
                | "provider.crew_replaced"
                | "provider.offboarded"
                | "user.suspended"
                | "user.erased"
        )
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let done = match event.kind.as_str() {
            "payment.authorized" => self.on_payment(event, Outcome::Authorized).await,
            "payment.failed" => self.on_payment(event, Outcome::Declined).await,
            "payment.hold_expiring" => self.on_hold_expiring(event).await,
            "payment.disputed" => self.on_chargeback(event).await,
            "payment.chargeback_won" => self.on_chargeback_end(event, true).await,
            "payment.chargeback_lost" => self.on_chargeback_end(event, false).await,
            "payment.refunded" | "payment.refund_failed" => self.on_refund(event).await,
            "payment.due_created" | "payment.due_paid" | "payment.due_waived" => {
                self.on_due(event).await
            }
            "payout.paid" => self.on_payout(event).await,
            "fulfilment.access_failed" | "fulfilment.safety" => self.on_signal(event).await,
            "fulfilment.claim_opened" | "fulfilment.claim_resolved" => self.on_claim(event).await,
            "provider.blocked"
            | "provider.restricted"
            | "provider.document_expired"
            | "provider.offering_changed"
            | "provider.resource_lost"
            | "provider.offboarded" => self.on_provider_change(event).await,
            "provider.crew_replaced" => self.on_crew_replaced(event).await,
            "user.suspended" => self.on_suspension(event).await,
            "user.erased" => self.on_erasure(event).await,
            _ => Ok(()),
        };
        done.map_err(Into::into)
    }
}

impl App {
    /// An attempt whose outcome was not known succeeded or failed. A booking that is still under way finds that out by
    /// itself.
    async fn on_payment(&self, event: &Event, outcome: Outcome) -> Result<(), Error> {
        let PaymentEvent { payment_id, order_id, reason, answered, .. } = event.decode()?;
        if answered {
            return Ok(());
        }
        let authorization = Authorization {
            payment_id: payment_id.parse().ok(),
            outcome,
            decline_reason: if outcome == Outcome::Declined { reason } else { String::new() },
            confirmation_url: String::new(),
        };
        let tx = self.db.begin().await?;
        let Some(mut change) = self.lock_once(&tx, event, &order_id).await? else { return Ok(()) };
        change.settle_late(&authorization)?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// What is reserved for an order runs out within a day.
    async fn on_hold_expiring(&self, event: &Event) -> Result<(), Error> {
        let fact: PaymentEvent = event.decode()?;
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &fact.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        change.secure_payment();
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn on_chargeback(&self, event: &Event) -> Result<(), Error> {
        let fact: PaymentEvent = event.decode()?;
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &fact.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        take_amounts(&mut change.order.payment.amounts, &fact);
        change.charge_back(tx.new_uuid())?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// The bank has decided about a charge. The dispute that it began ends with its last charge. A dispute that a side of
    /// the order opened goes on, since it is an operator's to decide.
    async fn on_chargeback_end(&self, event: &Event, won: bool) -> Result<(), Error> {
        let fact: PaymentEvent = event.decode()?;
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &fact.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        take_amounts(&mut change.order.payment.amounts, &fact);
        let dispute = records::open_dispute(&*tx, change.order.id).await?;
        if let Some(dispute) = dispute.filter(|dispute| dispute.opened_by == Actor::Payment) {
            let amount = fact.amount.map_or(0, |amount| amount.minor_units);
            let loss = (!won).then_some(amount);
            change.end_chargeback(dispute.refund, loss, fact.still_disputed)?;
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// Money went back, or did not arrive.
    async fn on_refund(&self, event: &Event) -> Result<(), Error> {
        let fact: PaymentEvent = event.decode()?;
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &fact.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        let mut amounts = change.order.payment.amounts;
        take_amounts(&mut amounts, &fact);
        change.note_refund(amounts)?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// The customer owes what the card refused, or does not any more.
    async fn on_due(&self, event: &Event) -> Result<(), Error> {
        let fact: PaymentEvent = event.decode()?;
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &fact.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        match event.kind.as_str() {
            // What is owed beside what was captured changes nothing of the order's own payment.
            "payment.due_created" if fact.beyond_cap => {
                change.order.payment.beyond_cap_due_id = fact.due_id.parse().ok();
            }
            "payment.due_created" if fact.beside_capture => {
                change.order.payment.due_id = fact.due_id.parse().ok();
            }
            _ if fact.beyond_cap || fact.beside_capture => {}
            "payment.due_created" => change.owe(fact.due_id.parse().ok()),
            "payment.due_paid" => {
                change.note_payment(PaymentState::Captured);
                take_amounts(&mut change.order.payment.amounts, &fact);
            }
            _ => change.give_up_due()?,
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn on_payout(&self, event: &Event) -> Result<(), Error> {
        let PayoutEvent { order_id, kind, .. } = event.decode()?;
        // What is owed beside what was captured may be paid at any time; the order does not wait for it.
        if matches!(kind.as_str(), "DUE" | "REST") {
            return Ok(());
        }
        let tx = self.db.begin().await?;
        let Some(mut change) = self.lock_once(&tx, event, &order_id).await? else { return Ok(()) };
        change.paid_out()?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// The provider was not let in, or someone is in danger, says the order's vertical. Another vertical has no say.
    async fn on_signal(&self, event: &Event) -> Result<(), Error> {
        let Signal { order_id, reported_by, .. } = event.decode()?;
        let tx = self.db.begin().await?;
        let Some(mut change) = self.lock_once(&tx, event, &order_id).await? else { return Ok(()) };
        if event.source != change.order.vertical {
            tracing::warn!(event.source, order.id = %order_id, "ignored the signal of another vertical");
            return Ok(());
        }
        if event.kind == "fulfilment.safety" {
            change.take_alarm(tx.new_uuid(), parse_id(&reported_by)?)?;
        } else {
            change.access_failed()?;
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// The customer claims damage, or that is settled, says the order's vertical. Another vertical has no say.
    async fn on_claim(&self, event: &Event) -> Result<(), Error> {
        let signal: Signal = event.decode()?;
        let claim = parse_id::<()>(&signal.claim_id)?.uuid();
        let tx = self.db.begin().await?;
        let change = self.lock_once(&tx, event, &signal.order_id).await?;
        let Some(mut change) = change else { return Ok(()) };
        if event.source != change.order.vertical {
            tracing::warn!(event.source, order.id = %signal.order_id, "ignored the claim of another vertical");
            return Ok(());
        }
        if event.kind == "fulfilment.claim_opened" {
            change.open_claim(claim, parse_units(&change.order, signal.amount.as_ref())?);
        } else {
            change.resolve_claim(claim, parse_units(&change.order, signal.refund.as_ref())?)?;
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    /// A provider lost something that orders require, or all of it.
    async fn on_provider_change(&self, event: &Event) -> Result<(), Error> {
        let ProviderEvent { provider_id, user_id, .. } = event.decode()?;
        self.review_provider(parse_id(&provider_id)?, parse_id(&user_id)?).await
    }

    /// Other members or vehicles of the provider come: the order's parties are told, while it is still theirs.
    async fn on_crew_replaced(&self, event: &Event) -> Result<(), Error> {
        let ProviderEvent { provider_id, order_id, .. } = event.decode()?;
        let provider = parse_id(&provider_id)?;
        let tx = self.db.begin().await?;
        let Some(mut change) = self.lock_once(&tx, event, &order_id).await? else { return Ok(()) };
        if change.order.provider_id == Some(provider) {
            change.tell_of_crew();
            orders::save_order(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A suspended customer's orders are cancelled: no provider shall travel to them. What was booked after the suspension
    /// was booked after its end, and the event comes again after a restore.
    async fn on_suspension(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let account = parse_id(&user_id)?;
        let db = self.db.connection();
        // The series come first: no visit is booked behind the back of what cancels orders.
        let series = series::all_of_account(db, account).await?.into_iter();
        let made_before = series.filter(|series| series.created_at <= event.occurred_at);
        self.change_series(made_before.collect(), account, SeriesChange::suspend).await?;
        let orders = orders::booked_by(db, account).await?;
        let before_work = orders
            .into_iter()
            .filter(|order| order.created_at <= event.occurred_at && order.state.is_before_work());
        self.change_orders(before_work.collect(), OrderChange::suspend_customer).await?;
        let tx = self.db.begin().await?;
        calendar_links::remove_link(&tx, account).await?;
        Ok(tx.commit().await?)
    }

    /// Changes series that an account has made, or in which it is the named provider.
    async fn change_series(
        &self,
        series: Vec<Series>,
        account: AccountId,
        act: fn(&mut SeriesChange, AccountId),
    ) -> Result<(), Error> {
        for found in series {
            let tx = self.db.begin().await?;
            let mut change =
                series::lock_series(&tx, found.id, &Principal::System, &self.timing).await?;
            act(&mut change, account);
            series::save_series(&tx, change).await?;
            series::wake_series(&tx, found.id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn on_erasure(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let account = parse_id(&user_id)?;
        let db = self.db.connection();
        let booked = orders::booked_by(db, account).await?;
        let booked = booked.into_iter().filter(|order| !order.progress.erased);
        self.change_orders(booked.collect(), OrderChange::erase_customer).await?;
        let rendered = orders::rendered_by(db, account).await?;
        let rendered = rendered.into_iter().filter(|order| !order.progress.provider_erased);
        self.change_orders(rendered.collect(), OrderChange::erase_provider).await?;
        let series = series::all_of_account(db, account).await?;
        self.change_series(series, account, SeriesChange::erase).await?;
        let tx = self.db.begin().await?;
        erasure::forget_account(&tx, account).await?;
        Ok(tx.commit().await?)
    }

    /// Changes the orders of an account that is gone. Fails while one is being booked, so that the event comes again once
    /// it is booked or given up.
    async fn change_orders(
        &self,
        orders: Vec<Order>,
        end: fn(&mut OrderChange) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut is_booking = false;
        for order in orders {
            let tx = self.db.begin().await?;
            let mut change =
                orders::lock_order(&tx, order.id, &Principal::System, &self.timing).await?;
            if change.order.booking && !change.order.given_up {
                is_booking = true;
                continue;
            }
            end(&mut change)?;
            orders::save_order(&tx, change).await?;
            tx.commit().await?;
        }
        if is_booking { Err(Error::BookingInterrupted) } else { Ok(()) }
    }

    /// The order that an event is about. None when order has acted on the event before, or the order is not there.
    async fn lock_once(
        &self,
        tx: &Tx,
        event: &Event,
        order_id: &str,
    ) -> Result<Option<OrderChange>, Error> {
        let id: OrderId = parse_id(order_id)?;
        if !inbox::first_time(tx, INBOX, event).await? {
            return Ok(None);
        }
        match orders::lock_order(tx, id, &Principal::System, &self.timing).await {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    }
}

/// Takes in what payment has moved in all, as far as a fact tells it: those of earlier versions do not. What is paid beside
/// the capture is none of the order's own payment.
fn take_amounts(known: &mut Amounts, fact: &PaymentEvent) {
    if fact.beside_capture {
        return;
    }
    let told = [
        (&mut known.captured, &fact.captured),
        (&mut known.refunded, &fact.refunded),
        (&mut known.charged_back, &fact.charged_back),
    ];
    for (amount, money) in told {
        if let Some(money) = money {
            *amount = money.minor_units;
        }
    }
}

/// An amount of a signal, which is in the order's currency; nothing where it is left out.
fn parse_units(order: &Order, money: Option<&Money>) -> Result<i64, Error> {
    match money {
        None => Ok(0),
        Some(money) if money.currency == order.currency => Ok(money.minor_units),
        Some(_) => Err(kit::Error::internal("a claim is not in the order's currency").into()),
    }
}

fn parse_id<T>(text: &str) -> Result<Id<T>, Error> {
    text.parse().map_err(|_| kit::Error::internal("an event has an invalid id").into())
}
