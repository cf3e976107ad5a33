//! `FamilyService`: its calls, each handed to the file of what it is about.

use super::{Api, account_of};
use proto::quickserve::child_assistance::v1::{self as pb, family_service_server::FamilyService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl FamilyService for Api {
    async fn create_child(
        &self,
        request: Request<pb::CreateChildRequest>,
    ) -> Result<Response<pb::CreateChildResponse>, Status> {
        let user = account_of(&request)?;
        Ok(Response::new(self.enter_child(request.into_inner(), user).await?))
    }

    async fn list_children(
        &self,
        request: Request<pb::ListChildrenRequest>,
    ) -> Result<Response<pb::ListChildrenResponse>, Status> {
        let user = account_of(&request)?;
        let children = self.summarize_children(user).await?;
        Ok(Response::new(pb::ListChildrenResponse { children }))
    }

    async fn get_child(
        &self,
        request: Request<pb::GetChildRequest>,
    ) -> Result<Response<pb::GetChildResponse>, Status> {
        let user = account_of(&request)?;
        let child = Some(self.read_child(&request.get_ref().child_id, user).await?);
        Ok(Response::new(pb::GetChildResponse { child }))
    }

    async fn update_child(
        &self,
        request: Request<pb::UpdateChildRequest>,
    ) -> Result<Response<pb::UpdateChildResponse>, Status> {
        let user = account_of(&request)?;
        Ok(Response::new(self.change_child(request.into_inner(), user).await?))
    }

    async fn delete_child(
        &self,
        request: Request<pb::DeleteChildRequest>,
    ) -> Result<Response<pb::DeleteChildResponse>, Status> {
        let user = account_of(&request)?;
        self.drop_child(&request.get_ref().child_id, user).await?;
        Ok(Response::new(pb::DeleteChildResponse {}))
    }

    async fn invite_guardian(
        &self,
        request: Request<pb::InviteGuardianRequest>,
    ) -> Result<Response<pb::InviteGuardianResponse>, Status> {
        let user = account_of(&request)?;
        let invitation = Some(self.make_invitation(request.get_ref(), user).await?);
        Ok(Response::new(pb::InviteGuardianResponse { invitation }))
    }

    async fn remove_guardian(
        &self,
        request: Request<pb::RemoveGuardianRequest>,
    ) -> Result<Response<pb::RemoveGuardianResponse>, Status> {
        let user = account_of(&request)?;
        self.end_guardian(request.get_ref(), user).await?;
        Ok(Response::new(pb::RemoveGuardianResponse {}))
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Result<Response<pb::AcceptInvitationResponse>, Status> {
        let user = account_of(&request)?;
        Ok(Response::new(self.become_guardian(&request.get_ref().token, user).await?))
    }

    async fn create_authorized_adult(
        &self,
        request: Request<pb::CreateAuthorizedAdultRequest>,
    ) -> Result<Response<pb::CreateAuthorizedAdultResponse>, Status> {
        let user = account_of(&request)?;
        Ok(Response::new(self.authorize_adult(request.into_inner(), user).await?))
    }

    async fn list_authorized_adults(
        &self,
        request: Request<pb::ListAuthorizedAdultsRequest>,
    ) -> Result<Response<pb::ListAuthorizedAdultsResponse>, Status> {
        let user = account_of(&request)?;
        let adults = self.read_adults(&request.get_ref().child_id, user).await?;
        Ok(Response::new(pb::ListAuthorizedAdultsResponse { adults }))
    }

    async fn revoke_authorized_adult(
        &self,
        request: Request<pb::RevokeAuthorizedAdultRequest>,
    ) -> Result<Response<pb::RevokeAuthorizedAdultResponse>, Status> {
        let user = account_of(&request)?;
        let adult = Some(self.revoke_adult(&request.get_ref().adult_id, user).await?);
        Ok(Response::new(pb::RevokeAuthorizedAdultResponse { adult }))
    }

    async fn set_adult_code(
        &self,
        request: Request<pb::SetAdultCodeRequest>,
    ) -> Result<Response<pb::SetAdultCodeResponse>, Status> {
        let user = account_of(&request).ok();
        self.change_code(request.into_inner(), user).await?;
        Ok(Response::new(pb::SetAdultCodeResponse {}))
    }

    async fn list_child_accesses(
        &self,
        request: Request<pb::ListChildAccessesRequest>,
    ) -> Result<Response<pb::ListChildAccessesResponse>, Status> {
        let user = account_of(&request)?;
        Ok(Response::new(self.page_accesses(request.get_ref(), user).await?))
    }
}
