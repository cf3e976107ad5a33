//! `ProviderService`: profiles and members.

use super::{Api, provider_id, reach};
use crate::{
    convert,
    domain::{
        Error, MemberId,
        profile::{Action, Application, Change, State, city_key},
    },
    repository::{Filter, Seen},
};
use kit::{storage::idempotency::Key, storage::page::Page, values::time::zone};
use proto::quickserve::provider::v1::{self as pb, provider_service_server::ProviderService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl ProviderService for Api {
    async fn create_provider(
        &self,
        request: Request<pb::CreateProviderRequest>,
    ) -> Result<Response<pb::CreateProviderResponse>, Status> {
        let (key, caller) = (Key::of(&request), kit::caller(&request));
        let application = application(request.into_inner())?;
        let user_id = caller.subject()?.user_id;
        let provider = Some(self.providers.apply(key, user_id, application).await?);
        Ok(Response::new(pb::CreateProviderResponse { provider }))
    }

    async fn get_provider(
        &self,
        request: Request<pb::GetProviderRequest>,
    ) -> Result<Response<pb::GetProviderResponse>, Status> {
        let caller = kit::caller(&request);
        let id = provider_id(&request.get_ref().provider_id)?;
        let Seen(provider) = self.providers.see(id, &caller).await?;
        Ok(Response::new(pb::GetProviderResponse { provider: Some(provider) }))
    }

    async fn get_my_provider(
        &self,
        request: Request<pb::GetMyProviderRequest>,
    ) -> Result<Response<pb::GetMyProviderResponse>, Status> {
        let subject = kit::caller(&request).subject()?;
        let Seen(provider) = self.providers.of_user(subject.user_id).await?;
        Ok(Response::new(pb::GetMyProviderResponse { provider: Some(provider) }))
    }

    async fn list_providers(
        &self,
        request: Request<pb::ListProvidersRequest>,
    ) -> Result<Response<pb::ListProvidersResponse>, Status> {
        let caller = kit::caller(&request);
        let request = request.into_inner();
        let state = convert::parse_state(request.state());
        let pb::ListProvidersRequest { vertical, city, state: _, page_size, page_token } = request;
        let state = if caller.is_operator() {
            state
        } else if state.is_none_or(|state| state == State::Active) {
            Some(State::Active)
        } else {
            return Err(Error::invalid("state", "may be asked for by operators only").into());
        };
        let filter = Filter {
            vertical: Some(vertical).filter(|it| !it.is_empty()),
            city_key: Some(city_key(&city)).filter(|it| !it.is_empty()),
            state,
        };
        let page = Page::parse(page_size, &page_token)?;
        let (providers, next_page_token) = self.providers.list(filter, page, &caller).await?;
        Ok(Response::new(pb::ListProvidersResponse { providers, next_page_token }))
    }

    async fn update_provider(
        &self,
        request: Request<pb::UpdateProviderRequest>,
    ) -> Result<Response<pb::UpdateProviderResponse>, Status> {
        let reach = reach(&request)?;
        let pb::UpdateProviderRequest { provider_id: id, name, bio, city, time_zone, version } =
            request.into_inner();
        let zone = time_zone.map(|name| zone("time_zone", &name)).transpose()?;
        let change = Change { name, bio, city, zone };
        let changed = self.providers.change(None, provider_id(&id)?, reach, move |provider| {
            // The profile comes with its new version.
            if version != 0 && version != provider.version - 1 {
                return Err(kit::Error::VersionMismatch.into());
            }
            provider.change(change)?;
            Ok(None)
        });
        Ok(Response::new(pb::UpdateProviderResponse { provider: Some(changed.await?) }))
    }

    async fn pause_provider(
        &self,
        request: Request<pb::PauseProviderRequest>,
    ) -> Result<Response<pb::PauseProviderResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let provider = self.move_along(&request, &id, Action::Pause).await?;
        Ok(Response::new(pb::PauseProviderResponse { provider: Some(provider) }))
    }

    async fn resume_provider(
        &self,
        request: Request<pb::ResumeProviderRequest>,
    ) -> Result<Response<pb::ResumeProviderResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let provider = self.move_along(&request, &id, Action::Resume).await?;
        Ok(Response::new(pb::ResumeProviderResponse { provider: Some(provider) }))
    }

    async fn offboard_provider(
        &self,
        request: Request<pb::OffboardProviderRequest>,
    ) -> Result<Response<pb::OffboardProviderResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let provider = self.move_along(&request, &id, Action::Offboard).await?;
        Ok(Response::new(pb::OffboardProviderResponse { provider: Some(provider) }))
    }

    async fn create_member(
        &self,
        request: Request<pb::CreateMemberRequest>,
    ) -> Result<Response<pb::CreateMemberResponse>, Status> {
        let (key, reach) = (Key::of(&request), reach(&request)?);
        let pb::CreateMemberRequest { provider_id: id, name, role } = request.into_inner();
        let id = provider_id(&id)?;
        let member = self.providers.create_member(key, id, reach, name, role).await?;
        Ok(Response::new(pb::CreateMemberResponse { member: Some(member) }))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ListMembersRequest { provider_id: id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let (rows, next_page_token) =
            self.providers.members(provider_id(&id)?, reach, page).await?;
        let members = rows.iter().map(convert::member).collect();
        Ok(Response::new(pb::ListMembersResponse { members, next_page_token }))
    }

    async fn delete_member(
        &self,
        request: Request<pb::DeleteMemberRequest>,
    ) -> Result<Response<pb::DeleteMemberResponse>, Status> {
        let reach = reach(&request)?;
        let pb::DeleteMemberRequest { provider_id: id, member_id } = request.into_inner();
        let member_id = MemberId::parse("member_id", &member_id)?;
        let deleted = self.providers.delete_member(provider_id(&id)?, reach, member_id).await?;
        Ok(Response::new(deleted))
    }
}

impl Api {
    async fn move_along<M: prost::Message>(
        &self,
        request: &Request<M>,
        id: &str,
        action: Action,
    ) -> Result<pb::Provider, Error> {
        let (key, reach) = (Key::of(request), reach(request)?);
        self.providers
            .change(key, provider_id(id)?, reach, move |provider| {
                provider.act(action)?;
                Ok(None)
            })
            .await
    }
}

fn application(request: pb::CreateProviderRequest) -> Result<Application, Error> {
    let kind = convert::parse_kind(request.kind())?;
    let pb::CreateProviderRequest { kind: _, name, bio, city, country, time_zone } = request;
    Ok(Application { kind, name, bio, city, country, zone: zone("time_zone", &time_zone)? })
}
