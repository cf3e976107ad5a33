//! Facts of other services that orders act on: payments, payouts, nobody at the door, erased accounts.

use crate::{
    app::App,
    domain::{
        AccountId, Action, Actor, Authorization, Error, OrderId, Outcome, PaymentState, Principal,
    },
};
use async_trait::async_trait;
use kit::{Event, messaging::bus::Consumer};
use proto::quickserve::{
    cleaning::v1::CleaningEvent,
    payment::v1::{PaymentEvent, PayoutEvent},
    user::v1::UserEvent,
};

#[async_trait]
impl Consumer for App {
    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            "payment.authorized"
                | "payment.failed"
                | "payment.disputed"
                | "payout.paid"
                | "cleaning.access_failed"
                | "user.erased"
        )
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let done = match event.kind.as_str() {
            "payment.authorized" => self.on_payment(event, Outcome::Authorized).await,
            "payment.failed" => self.on_payment(event, Outcome::Declined).await,
            "payment.disputed" => self.on_chargeback(event).await,
            "payout.paid" => self.on_payout(event).await,
            "cleaning.access_failed" => self.on_access_failed(event).await,
            "user.erased" => self.on_erasure(event).await,
            _ => Ok(()),
        };
        done.map_err(|error| match error {
            Error::Kit(error) => error,
            error => kit::Error::internal(error),
        })
    }
}

impl App {
    /// An attempt that was not known succeeded or failed. A booking that is still under way finds that out by itself.
    async fn on_payment(&self, event: &Event, outcome: Outcome) -> Result<(), Error> {
        let PaymentEvent { payment_id, order_id, reason, answered, .. } = event.decode()?;
        if answered {
            return Ok(());
        }
        let id: OrderId = parsed(&order_id)?;
        let authorization = Authorization {
            payment_id: payment_id.parse().ok(),
            outcome,
            decline_reason: if outcome == Outcome::Declined { reason } else { String::new() },
            confirmation_url: String::new(),
        };
        let settle = move |draft: &mut crate::domain::OrderChange| {
            if draft.order.booking {
                return Ok(());
            }
            let waits = matches!(
                draft.order.payment.state,
                PaymentState::Pending | PaymentState::ConfirmationRequired
            );
            if outcome == Outcome::Declined && !waits {
                return Ok(());
            }
            draft.settle(&authorization)
        };
        self.orders.change_by_fact(event, id, settle).await
    }

    async fn on_chargeback(&self, event: &Event) -> Result<(), Error> {
        let PaymentEvent { order_id, .. } = event.decode()?;
        let id = parsed(&order_id)?;
        self.orders.change_by_fact(event, id, |draft| draft.charge_back()).await
    }

    async fn on_payout(&self, event: &Event) -> Result<(), Error> {
        let PayoutEvent { order_id, .. } = event.decode()?;
        let id = parsed(&order_id)?;
        self.orders.change_by_fact(event, id, |draft| draft.paid_out()).await
    }

    async fn on_access_failed(&self, event: &Event) -> Result<(), Error> {
        let CleaningEvent { order_id, .. } = event.decode()?;
        let id = parsed(&order_id)?;
        let note = |draft: &mut crate::domain::OrderChange| match draft
            .order
            .check(Action::AccessFailed, Actor::System)
        {
            Ok(_) => draft.access_failed(),
            Err(_) => Ok(()),
        };
        self.orders.change_by_fact(event, id, note).await
    }

    async fn on_erasure(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let account: AccountId = parsed(&user_id)?;
        for order in self.orders.orders_of(account).await? {
            if !order.progress.erased {
                let erase = |draft: &mut crate::domain::OrderChange| draft.erase_customer();
                self.orders.change(order.id, &Principal::System, erase).await?;
            }
        }
        Ok(())
    }
}

fn parsed<T>(text: &str) -> Result<kit::Id<T>, Error> {
    let wrong = |_| kit::Error::internal("a fact names no id");
    text.parse().map_err(wrong).map_err(Error::from)
}
