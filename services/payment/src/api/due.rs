//! Dues over REST.

use super::{Api, account_of, convert};
use crate::{
    domain::{Due, DueId, MethodId, UserId},
    flow::open_due_payment,
    repository::dues,
};
use kit::{
    caller_of,
    storage::{db::Begun, idempotency::Key, page::Page},
};
use proto::quickserve::payment::v1::{self as pb, due_service_server::DueService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl DueService for Api {
    async fn list_dues(
        &self,
        request: Request<pb::ListDuesRequest>,
    ) -> Result<Response<pb::ListDuesResponse>, Status> {
        let customer = account_of(caller_of(&request).scope()?);
        let pb::ListDuesRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let mut rows = dues::list(self.payments.db.connection(), customer, page).await?;
        let next_page_token = page.cut(&mut rows, |due| due.id.uuid());
        let dues = rows.into_iter().map(convert::due).collect();
        Ok(Response::new(pb::ListDuesResponse { dues, next_page_token }))
    }

    async fn pay_due(
        &self,
        request: Request<pb::PayDueRequest>,
    ) -> Result<Response<pb::PayDueResponse>, Status> {
        let customer = UserId::from_uuid(caller_of(&request).subject()?.user_id);
        let key = Key::of(&request);
        // Without a key each call is an attempt of its own, unless one is under way.
        let attempt = match &key {
            Some(key) => key.derived_id::<Due>(),
            None => DueId::new(self.payments.db.clock()),
        };
        let pb::PayDueRequest { due_id, payment_method_id, confirmation } = request.into_inner();
        let id = DueId::parse("due_id", &due_id)?;
        let method = MethodId::parse_optional("payment_method_id", &payment_method_id)?;
        // A repeated call finds its attempt and tells how the due stands now.
        let due = match self.payments.db.begin_call::<pb::PayDueResponse>(key).await? {
            Begun::Answered(_) => {
                dues::find(self.payments.db.connection(), id, Some(customer)).await?
            }
            Begun::New(tx) => {
                let due = open_due_payment(&tx, id, customer).await?;
                let answer = Some(convert::due(due.clone()));
                tx.commit_answer(pb::PayDueResponse { due: answer }).await?;
                due
            }
        };
        let attempt_key = attempt.to_string();
        let paid = self.payments.pay_due(due, method, attempt_key, confirmation).await?;
        let (due, confirmation_url) = paid;
        let due = Some(pb::Due { confirmation_url, ..convert::due(due) });
        Ok(Response::new(pb::PayDueResponse { due }))
    }

    async fn waive_due(
        &self,
        request: Request<pb::WaiveDueRequest>,
    ) -> Result<Response<pb::WaiveDueResponse>, Status> {
        let id = DueId::parse("due_id", &request.into_inner().due_id)?;
        let due = Some(convert::due(self.payments.waive_due(id).await?));
        Ok(Response::new(pb::WaiveDueResponse { due }))
    }
}
