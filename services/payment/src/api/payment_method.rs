//! Saved payment methods over REST.

use super::{Api, convert};
use crate::{
    domain::{Error, Method, MethodId, UserId, method::MAX_METHODS},
    repository::methods,
};
use kit::{
    caller_of,
    storage::{db::Begun, idempotency::Key},
};
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
        let customer = own_methods(&request)?;
        let key = Key::of(&request);
        let pb::CreatePaymentMethodRequest { token, default } = request.into_inner();
        let card = self.payments.find_card(&token).await?;
        let tx = match self.payments.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let others = methods::list_methods(&*tx, customer).await?;
        if others.len() >= MAX_METHODS {
            return Err(Error::MethodLimit.into());
        }
        let (id, is_default) = (MethodId::new(tx.clock()), default || others.is_empty());
        let mut method = Method::new(id, customer, token, card, is_default, tx.now());
        methods::insert_method(&tx, &mut method).await?;
        let payment_method = Some(convert::payment_method(method));
        Ok(tx.commit_answer(pb::CreatePaymentMethodResponse { payment_method }).await?)
    }

    async fn get_payment_method(
        &self,
        request: Request<pb::GetPaymentMethodRequest>,
    ) -> Result<Response<pb::GetPaymentMethodResponse>, Status> {
        let customer = own_methods(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let found = methods::find_method(self.payments.db.connection(), customer, id).await?;
        let payment_method = Some(convert::payment_method(found));
        Ok(Response::new(pb::GetPaymentMethodResponse { payment_method }))
    }

    async fn list_payment_methods(
        &self,
        request: Request<pb::ListPaymentMethodsRequest>,
    ) -> Result<Response<pb::ListPaymentMethodsResponse>, Status> {
        let found =
            methods::list_methods(self.payments.db.connection(), own_methods(&request)?).await?;
        let payment_methods = found.into_iter().map(convert::payment_method).collect();
        Ok(Response::new(pb::ListPaymentMethodsResponse { payment_methods }))
    }

    async fn set_default_payment_method(
        &self,
        request: Request<pb::SetDefaultPaymentMethodRequest>,
    ) -> Result<Response<pb::SetDefaultPaymentMethodResponse>, Status> {
        let customer = own_methods(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let tx = self.payments.db.begin().await?;
        let mut method = methods::find_method(&*tx, customer, id).await?;
        if !method.is_default {
            methods::clear_default(&tx, customer).await?;
            method.is_default = true;
            methods::save_method(&tx, &mut method).await?;
        }
        let payment_method = Some(convert::payment_method(method));
        Ok(tx.commit_answer(pb::SetDefaultPaymentMethodResponse { payment_method }).await?)
    }

    async fn delete_payment_method(
        &self,
        request: Request<pb::DeletePaymentMethodRequest>,
    ) -> Result<Response<pb::DeletePaymentMethodResponse>, Status> {
        let customer = own_methods(&request)?;
        let id = MethodId::parse("payment_method_id", &request.into_inner().payment_method_id)?;
        let tx = self.payments.db.begin().await?;
        let mut method = methods::find_method(&*tx, customer, id).await?;
        let was_default = method.is_default;
        method.forget(tx.now());
        methods::save_method(&tx, &mut method).await?;
        if was_default
            && let Some(mut next) = methods::list_methods(&*tx, customer).await?.into_iter().next()
        {
            next.is_default = true;
            methods::save_method(&tx, &mut next).await?;
        }
        Ok(tx.commit_answer(pb::DeletePaymentMethodResponse {}).await?)
    }
}

/// The account that calls.
fn own_methods<T>(request: &Request<T>) -> Result<UserId, kit::Error> {
    Ok(UserId::from_uuid(caller_of(request).subject()?.user_id))
}
