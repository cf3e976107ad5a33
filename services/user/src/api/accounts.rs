//! `AccountService`: what the other services ask.

use super::convert;
use crate::{
    domain::{Error, account::Status as AccountStatus, code::Code},
    repository::{self, Repository, codes},
};
use kit::{Id, values::time};
use proto::quickserve::user::v1::{self as pb, account_service_server::AccountService};
use tonic::{Request, Response, Status, async_trait};

/// The RPCs between services.
pub struct Api {
    pub repository: Repository,
}

#[async_trait]
impl AccountService for Api {
    async fn get_contact(
        &self,
        request: Request<pb::GetContactRequest>,
    ) -> Result<Response<pb::GetContactResponse>, Status> {
        let pb::GetContactRequest { user_id } = request.into_inner();
        let user = self.repository.user(Id::parse("user_id", &user_id)?).await?;
        let user = user
            .filter(|user| user.status != AccountStatus::Duplicate)
            .ok_or(Error::UserNotFound)?;
        Ok(Response::new(pb::GetContactResponse {
            name: user.name,
            email: user.email.unwrap_or_default(),
            phone: user.phone,
            locale: user.locale,
            time_zone: user.time_zone,
        }))
    }

    async fn issue_contact_code(
        &self,
        request: Request<pb::IssueContactCodeRequest>,
    ) -> Result<Response<pb::IssueContactCodeResponse>, Status> {
        let purpose = convert::purpose(request.get_ref().purpose())?;
        let pb::IssueContactCodeRequest { user_id, purpose: _ } = request.into_inner();
        let user_id = Id::parse("user_id", &user_id)?;
        let code = Code::new(&rand::random());
        let tx = self.repository.db.begin().await?;
        let user = repository::lock_user(&tx, user_id).await?;
        if user.status != AccountStatus::Active {
            return Err(Error::UserNotFound.into());
        }
        let expires_at = codes::issue_code(&tx, user_id, purpose, &code).await?;
        tx.commit().await?;
        let expires_at = Some(time::timestamp(expires_at));
        Ok(Response::new(pb::IssueContactCodeResponse { code: code.reveal(), expires_at }))
    }

    async fn list_revocations(
        &self,
        request: Request<pb::ListRevocationsRequest>,
    ) -> Result<Response<pb::ListRevocationsResponse>, Status> {
        let pb::ListRevocationsRequest { since } = request.into_inner();
        let since = time::moment("since", since.as_ref())?;
        let revocations = self.repository.revocations(since).await?;
        let revocations = revocations.into_iter().map(convert::revocation).collect();
        Ok(Response::new(pb::ListRevocationsResponse { revocations }))
    }
}
