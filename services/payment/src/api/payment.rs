//! Payments over REST.

use super::{
    Api, account_of,
    convert::{self, parse_positive},
};
use crate::{
    domain::{AttemptId, IntentId, OrderId},
    flow::{RefundAmount, RefundRequest, open_refund},
    repository::{attempts, intents},
};
use kit::{
    caller_of,
    storage::{db::Begun, idempotency::Key, page::Page},
};
use proto::quickserve::payment::v1::{self as pb, payment_service_server::PaymentService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl PaymentService for Api {
    async fn get_payment(
        &self,
        request: Request<pb::GetPaymentRequest>,
    ) -> Result<Response<pb::GetPaymentResponse>, Status> {
        let customer = account_of(caller_of(&request).scope()?);
        let id = IntentId::parse("payment_id", &request.into_inner().payment_id)?;
        let db = self.payments.db.connection();
        let intent = intents::find_intent(db, id, customer).await?;
        let attempts = attempts::list_of_intent(db, id).await?;
        let payment = Some(convert::to_payment(intent, &attempts));
        Ok(Response::new(pb::GetPaymentResponse { payment }))
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Result<Response<pb::ListPaymentsResponse>, Status> {
        let customer = account_of(caller_of(&request).scope()?);
        let pb::ListPaymentsRequest { page_size, page_token, order_id } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let order = OrderId::parse_optional("order_id", &order_id)?;
        let mut rows =
            intents::list_intents(self.payments.db.connection(), customer, order, page).await?;
        let next_page_token = page.cut(&mut rows, |(intent, _)| intent.id.uuid());
        let payments = rows
            .into_iter()
            .map(|(intent, attempts)| convert::to_summary(intent, &attempts))
            .collect();
        Ok(Response::new(pb::ListPaymentsResponse { payments, next_page_token }))
    }

    async fn create_refund(
        &self,
        request: Request<pb::CreateRefundRequest>,
    ) -> Result<Response<pb::CreateRefundResponse>, Status> {
        let key = Key::of(&request);
        let key = key.ok_or_else(|| kit::Error::invalid("Idempotency-Key", "must be given"))?;
        let derived: AttemptId = key.derived_id();
        let pb::CreateRefundRequest { payment_id, amount, reason } = request.into_inner();
        let (amount, currency) = match amount {
            None => (RefundAmount::Rest, String::new()),
            Some(money) => {
                let (minor_units, currency) = parse_positive("amount", Some(&money))?;
                (RefundAmount::Exactly(minor_units), currency)
            }
        };
        let refund = RefundRequest { amount, currency, key: format!("rest:{derived}"), reason };
        let payment = IntentId::parse("payment_id", &payment_id)?;
        // A repeated call finds its refund and tells how it stands now.
        let answer = match self.payments.db.begin_call(Some(key)).await? {
            Begun::Answered(answer) => answer,
            Begun::New(tx) => {
                let mut intent = intents::lock_intent(&tx, payment).await?;
                let attempt = open_refund(&tx, &mut intent, refund).await?;
                let refund = attempt.map(|attempt| convert::to_refund(&intent, &attempt));
                tx.commit_answer(pb::CreateRefundResponse { refund }).await?.into_inner()
            }
        };
        let id = answer.refund.map(|refund| refund.id).unwrap_or_default();
        let id = AttemptId::parse("refund.id", &id)?;
        let (intent, attempt) = self.payments.finish_refund(id).await?;
        let refund = Some(convert::to_refund(&intent, &attempt));
        Ok(Response::new(pb::CreateRefundResponse { refund }))
    }
}
