//! Saved payment methods over REST.

use super::{Api, convert};
use crate::{
    domain::Error,
    entity::{Method, MethodId, UserId},
    psp::Card,
    repository::methods,
};
use kit::{caller, storage::idempotency::Key};
use proto::quickserve::payment::v1::{
    self as pb, payment_method_service_server::PaymentMethodService,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl PaymentMethodService for Api {
    async fn create_payment_method(
        &self,
        request: Request<pb::CreatePaymentMethodRequest>,
    ) -> Result<Response<pb::CreatePaymentMethodResponse>, Status> {
        let customer = own(&request)?;
        let key = Key::of(&request);
        let pb::CreatePaymentMethodRequest { token, default } = request.into_inner();
        let card = self.payments.card(&token).await?;
        let saved = self.payments.db.write_once(key, move |tx| async move {
            let new = new_method(&tx, customer, token, card, default);
            let method = methods::insert(&tx, new).await?;
            let payment_method = Some(convert::payment_method(method));
            Ok::<_, Error>(pb::CreatePaymentMethodResponse { payment_method })
        });
        Ok(Response::new(saved.await?))
    }

    async fn get_payment_method(
        &self,
        request: Request<pb::GetPaymentMethodRequest>,
    ) -> Result<Response<pb::GetPaymentMethodResponse>, Status> {
        let customer = own(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let found = methods::find(self.payments.db.read(), customer, id).await?;
        let payment_method = Some(convert::payment_method(found));
        Ok(Response::new(pb::GetPaymentMethodResponse { payment_method }))
    }

    async fn list_payment_methods(
        &self,
        request: Request<pb::ListPaymentMethodsRequest>,
    ) -> Result<Response<pb::ListPaymentMethodsResponse>, Status> {
        let found = methods::list(self.payments.db.read(), own(&request)?).await?;
        let payment_methods = found.into_iter().map(convert::payment_method).collect();
        Ok(Response::new(pb::ListPaymentMethodsResponse { payment_methods }))
    }

    async fn set_default_payment_method(
        &self,
        request: Request<pb::SetDefaultPaymentMethodRequest>,
    ) -> Result<Response<pb::SetDefaultPaymentMethodResponse>, Status> {
        let customer = own(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let set = self
            .payments
            .db
            .write(move |tx| async move { methods::set_default(&tx, customer, id).await });
        let payment_method = Some(convert::payment_method(set.await?));
        Ok(Response::new(pb::SetDefaultPaymentMethodResponse { payment_method }))
    }

    async fn delete_payment_method(
        &self,
        request: Request<pb::DeletePaymentMethodRequest>,
    ) -> Result<Response<pb::DeletePaymentMethodResponse>, Status> {
        let customer = own(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let deleted = self
            .payments
            .db
            .write(move |tx| async move { methods::delete(&tx, customer, id).await });
        deleted.await?;
        Ok(Response::new(pb::DeletePaymentMethodResponse {}))
    }
}

fn new_method(
    tx: &kit::Tx,
    customer: UserId,
    token: String,
    card: Card,
    is_default: bool,
) -> Method {
    let Card { brand, last4, expiry_month, expiry_year } = card;
    Method {
        id: MethodId::new(tx.clock()),
        customer_id: customer,
        token,
        brand,
        last4,
        expiry_month,
        expiry_year,
        is_default,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        deleted_at: None,
    }
}

/// The account that calls.
fn own<T>(request: &Request<T>) -> Result<UserId, kit::Error> {
    Ok(UserId::from_uuid(caller(request).subject()?.user_id))
}
