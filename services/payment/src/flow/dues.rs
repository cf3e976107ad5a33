//! What customers owe after a capture was declined: it begins, is paid with another card, or is given up.

use super::{
    DUE, Payments,
    authorize::AuthorizationStatus,
    void::{close_payment, waive},
};
use crate::{
    domain::{
        Due, DueId, Error, Intent, IntentId, MethodId, OrderId, UserId,
        attempt::{AttemptKind, State},
        decision::AuthorizationRequest,
        due,
    },
    events,
    repository::{attempts, dues, intents, methods},
};
use kit::{Tx, messaging::timers};

impl Payments {
    /// Pays a due, and returns it with the address where its customer confirms, or an empty one.
    /// `key` names the attempt.
    pub async fn pay_due(
        &self,
        due: Due,
        method: Option<MethodId>,
        key: String,
        confirmation: String,
    ) -> Result<(Due, String), Error> {
        if due.state == due::State::Paid {
            return Ok((due, String::new()));
        }
        let request = AuthorizationRequest {
            customer: due.customer_id,
            amount: due.amount,
            currency: due.currency.clone(),
            method,
            key,
            confirmation,
        };
        let outcome = match self.authorize_further(due.payment_subject(), request).await {
            // Another call may have paid it since the due was read.
            Err(Error::State(state)) => {
                let due = dues::find(self.db.connection(), due.id, None).await?;
                return match due.state {
                    due::State::Paid => Ok((due, String::new())),
                    due::State::Open | due::State::Waived => Err(Error::State(state)),
                };
            }
            outcome => outcome?,
        };
        let mut confirmation_url = String::new();
        match outcome.status {
            AuthorizationStatus::Declined { reason } => return Err(Error::Declined(reason)),
            AuthorizationStatus::ConfirmationRequired { url } => confirmation_url = url,
            AuthorizationStatus::Authorized => self.finish_due_capture(outcome.payment).await?,
            AuthorizationStatus::Pending | AuthorizationStatus::MethodSaved => {}
        }
        let due = dues::find(self.db.connection(), due.id, None).await?;
        Ok((due, confirmation_url))
    }

    /// Captures what is authorised for a due. One that the payment provider does not answer now is finished by the timer.
    async fn finish_due_capture(&self, payment: IntentId) -> Result<(), Error> {
        self.settle(payment).await?;
        let attempts = attempts::list_of_intent(self.db.connection(), payment).await?;
        let mut captures: Vec<_> =
            attempts.into_iter().filter(|attempt| attempt.kind == AttemptKind::Capture).collect();
        // Of several cards that were tried one may have paid, or may still do so.
        let all_failed = captures.iter().all(|capture| capture.state == State::Failed);
        match captures.pop() {
            Some(last) if all_failed => Err(Error::Declined(last.reason)),
            _ => Ok(()),
        }
    }

    /// Charges what is owed to the customer's default card, for the timer of a due. Where that does not pay it, the
    /// customer is reminded.
    pub async fn collect_due(&self, id: DueId) -> Result<(), Error> {
        let found = dues::find(self.db.connection(), id, None).await?;
        if found.state != due::State::Open {
            return Ok(());
        }
        if self.charge_default_card(&found).await? { Ok(()) } else { self.remind_of_due(id).await }
    }

    /// Says whether the customer's default card has paid a due.
    async fn charge_default_card(&self, due: &Due) -> Result<bool, Error> {
        let card = methods::find_chargeable(self.db.connection(), due.customer_id, None).await?;
        let Some(card) = card else { return Ok(false) };
        let tx = self.db.begin().await?;
        let due = open_due_payment(&tx, due.id, due.customer_id).await?;
        tx.commit().await?;
        let key = format!("collect:{}", self.db.clock().now().date_naive());
        match self.pay_due(due, Some(card.id), key, String::new()).await {
            Ok((due, _)) => Ok(due.state == due::State::Paid),
            // The card is the customer's to mend.
            Err(Error::Declined(_) | Error::Pending) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remind_of_due(&self, id: DueId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let found = dues::find(&*tx, id, None).await?;
        let mut intent = intents::lock_intent(&tx, found.intent_id).await?;
        let due = dues::lock(&tx, id).await?;
        if due.state != due::State::Open {
            return Ok(());
        }
        events::due(&tx, &mut intent, &due, events::DUE_OVERDUE).await?;
        intents::save_intent(&tx, &mut intent).await?;
        if let Some(next) = due.next_reminder(tx.now()) {
            timers::schedule_timer(&tx, DUE, id.uuid(), next).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Gives up a due: the customer owes it no more, and it is not earned.
    pub async fn waive_due(&self, id: DueId) -> Result<Due, Error> {
        let tx = self.db.begin().await?;
        let found = dues::find(&*tx, id, None).await?;
        if found.state == due::State::Paid {
            return Err(Error::DueState("paid"));
        }
        let mut order = intents::lock_intent(&tx, found.intent_id).await?;
        let (mut due, mut payment) = lock_due(&tx, id).await?.ok_or(Error::DueNotFound)?;
        if let Some(payment) = &mut payment {
            close_payment(&tx, payment, "WAIVED").await?;
        }
        waive(&tx, &mut order, &mut due).await?;
        intents::save_intent(&tx, &mut order).await?;
        tx.commit().await?;
        if let Some(payment) = payment
            && let Err(error) = self.settle(payment.id).await
        {
            tracing::warn!(%error, payment.id = %payment.id, "cannot free the card of a waived due yet; the timer goes on");
        }
        Ok(due)
    }
}

/// Locks a due, if there is one, and before it the payment that its customer may have begun. When the customer begins to
/// pay between the two, the call is to be repeated: it finds the payment then.
pub(super) async fn lock_due(tx: &Tx, id: DueId) -> Result<Option<(Due, Option<Intent>)>, Error> {
    let subject = OrderId::from_uuid(id.uuid());
    let payment = intents::lock_of_order_if_any(tx, subject).await?;
    let Some(due) = dues::lock_if_any(tx, id).await? else { return Ok(None) };
    // A payment is begun under the lock of its due, so that from here on none is.
    if payment.is_none() && intents::has_payment(&**tx, subject).await? {
        return Err(Error::Pending);
    }
    Ok(Some((due, payment)))
}

/// Makes the payment of a due that its customer begins to pay, if there is none yet.
pub async fn open_due_payment(tx: &Tx, id: DueId, customer: UserId) -> Result<Due, Error> {
    let due = dues::lock(tx, id).await?;
    if due.customer_id != customer {
        return Err(Error::DueNotFound);
    }
    if due.state == due::State::Waived {
        return Err(Error::DueState("waived"));
    }
    let intent = Intent::for_due(IntentId::new(tx.clock()), &due, tx.now());
    intents::insert_intent(tx, &intent).await?;
    Ok(due)
}
