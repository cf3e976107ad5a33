//! `ProviderService`: profiles and members.

use super::{Api, parse_provider_id, scope_of, vetting::full_view};
use crate::{
    convert::{self, View},
    domain::{
        Error, Member, MemberId, Provider,
        offering::Skills,
        profile::{Application, Change, ProfileAction, State, city_key},
    },
    events,
    repository::{Filter, members, profiles},
    staffing,
};
use kit::{
    Caller, Id, Scope,
    storage::{db::Begun, idempotency::Key, page::Page, version},
    values::{id::parse_optional_uuid, time::zone},
};
use proto::quickserve::provider::v1::{self as pb, provider_service_server::ProviderService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl ProviderService for Api {
    async fn create_provider(
        &self,
        request: Request<pb::CreateProviderRequest>,
    ) -> Result<Response<pb::CreateProviderResponse>, Status> {
        let (key, user_id) = (Key::of(&request), kit::caller_of(&request).subject()?.user_id);
        let application = parse_application(request.into_inner())?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = Provider::apply(Id::new(tx.clock()), user_id, application, tx.now());
        events::record_event(&tx, &mut provider, events::APPLIED, "").await?;
        profiles::insert_profile(&tx, &provider).await?;
        let provider = Some(convert::provider(&provider, &[], View::Full));
        Ok(tx.commit_answer(pb::CreateProviderResponse { provider }).await?)
    }

    async fn get_provider(
        &self,
        request: Request<pb::GetProviderRequest>,
    ) -> Result<Response<pb::GetProviderResponse>, Status> {
        let caller = kit::caller_of(&request);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let provider = self.providers.find(id, Scope::All).await?;
        let view = profile_view(&provider, &caller).ok_or(Error::ProviderNotFound)?;
        let offerings = self.providers.offerings_of(id).await?;
        let provider = Some(convert::provider(&provider, &offerings, view));
        Ok(Response::new(pb::GetProviderResponse { provider }))
    }

    async fn get_my_provider(
        &self,
        request: Request<pb::GetMyProviderRequest>,
    ) -> Result<Response<pb::GetMyProviderResponse>, Status> {
        let subject = kit::caller_of(&request).subject()?;
        let provider = self.providers.find_of_user(subject.user_id).await?;
        let offerings = self.providers.offerings_of(provider.id).await?;
        let provider = Some(convert::provider(&provider, &offerings, View::Full));
        Ok(Response::new(pb::GetMyProviderResponse { provider }))
    }

    async fn list_providers(
        &self,
        request: Request<pb::ListProvidersRequest>,
    ) -> Result<Response<pb::ListProvidersResponse>, Status> {
        let caller = kit::caller_of(&request);
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
        let (rows, next_page_token) = self.providers.list(filter, page).await?;
        let mut providers = Vec::with_capacity(rows.len());
        for (row, offerings) in rows {
            if let Some(view) = profile_view(&row, &caller) {
                providers.push(convert::provider(&row, &offerings, view));
            }
        }
        Ok(Response::new(pb::ListProvidersResponse { providers, next_page_token }))
    }

    async fn update_provider(
        &self,
        request: Request<pb::UpdateProviderRequest>,
    ) -> Result<Response<pb::UpdateProviderResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::UpdateProviderRequest {
            provider_id,
            name,
            bio,
            city,
            time_zone,
            version: expected,
        } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let zone = time_zone.map(|name| zone("time_zone", &name)).transpose()?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        version::expect_version(expected, provider.version)?;
        provider.change(Change { name, bio, city, zone })?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::UpdateProviderResponse { provider }).await?)
    }

    async fn pause_provider(
        &self,
        request: Request<pb::PauseProviderRequest>,
    ) -> Result<Response<pb::PauseProviderResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.act(ProfileAction::Pause)?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::PauseProviderResponse { provider }).await?)
    }

    async fn resume_provider(
        &self,
        request: Request<pb::ResumeProviderRequest>,
    ) -> Result<Response<pb::ResumeProviderResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.act(ProfileAction::Resume)?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::ResumeProviderResponse { provider }).await?)
    }

    async fn offboard_provider(
        &self,
        request: Request<pb::OffboardProviderRequest>,
    ) -> Result<Response<pb::OffboardProviderResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.act(ProfileAction::Offboard)?;
        events::record_event(&tx, &mut provider, events::OFFBOARDED, "").await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::OffboardProviderResponse { provider }).await?)
    }

    async fn create_member(
        &self,
        request: Request<pb::CreateMemberRequest>,
    ) -> Result<Response<pb::CreateMemberResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let pb::CreateMemberRequest { provider_id, name, role, skills, user_id } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let user_id = parse_optional_uuid("user_id", &user_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        let member = Member {
            id: Id::new(tx.clock()),
            provider_id: id,
            name,
            role,
            created_at: tx.now(),
            skills: Skills(skills),
            user_id,
            active: true,
        };
        members::insert_member(&tx, &member).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let member = Some(convert::member(&member));
        Ok(self.commit(tx, id, pb::CreateMemberResponse { member }).await?)
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListMembersRequest { provider_id, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let (rows, next_page_token) = self.providers.members(provider.id, page).await?;
        let members = rows.iter().map(convert::member).collect();
        Ok(Response::new(pb::ListMembersResponse { members, next_page_token }))
    }

    async fn update_member(
        &self,
        request: Request<pb::UpdateMemberRequest>,
    ) -> Result<Response<pb::UpdateMemberResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::UpdateMemberRequest { provider_id, member_id, name, role, skills, user_id, active } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let member_id = MemberId::parse("member_id", &member_id)?;
        let user_id = parse_optional_uuid("user_id", &user_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        let known = members::find_member(&tx, id, member_id).await?;
        let (skills, active) = (Skills(skills), active.unwrap_or(true));
        let member = Member { name, role, skills, user_id, active, ..known.clone() };
        members::save_member(&tx, &member).await?;
        if member.does_less_than(&known) {
            let id = member_id.uuid();
            staffing::tell_of_lost_resource(&tx, &mut provider, id, events::MEMBER).await?;
        }
        profiles::save_profile(&tx, &mut provider).await?;
        let member = Some(convert::member(&member));
        Ok(self.commit(tx, id, pb::UpdateMemberResponse { member }).await?)
    }

    async fn delete_member(
        &self,
        request: Request<pb::DeleteMemberRequest>,
    ) -> Result<Response<pb::DeleteMemberResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::DeleteMemberRequest { provider_id, member_id } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let member_id = MemberId::parse("member_id", &member_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        members::delete_member(&tx, id, member_id).await?;
        let gone = member_id.uuid();
        staffing::tell_of_lost_resource(&tx, &mut provider, gone, events::MEMBER).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        Ok(self.commit(tx, id, pb::DeleteMemberResponse {}).await?)
    }
}

/// How much of a profile a caller sees, if any of it.
fn profile_view(provider: &Provider, caller: &Caller) -> Option<View> {
    if caller.is_operator() || caller.is(provider.user_id) {
        return Some(View::Full);
    }
    provider.is_public().then_some(View::Public)
}

fn parse_application(request: pb::CreateProviderRequest) -> Result<Application, Error> {
    let kind = convert::parse_kind(request.kind())?;
    let pb::CreateProviderRequest { kind: _, name, bio, city, country, time_zone } = request;
    Ok(Application { kind, name, bio, city, country, zone: zone("time_zone", &time_zone)? })
}
