//! `AvailabilityService`: working hours and time off.

use super::{Api, parse_provider_id, scope_of};
use crate::{
    convert,
    domain::{Error, MemberId, Span, TimeOff, TimeOffId},
    repository::{members, profiles, time_off},
};
use chrono::Duration;
use kit::{
    Id,
    storage::{db::Begun, idempotency::Key, page::Page, version},
    values::time,
};
use proto::quickserve::provider::v1::{
    self as pb, availability_service_server::AvailabilityService,
};
use tonic::{Request, Response, Status, async_trait};

/// How many reservations an answer holds at most.
const MAX_RESERVATIONS: u64 = 1000;

#[async_trait]
impl AvailabilityService for Api {
    async fn get_availability(
        &self,
        request: Request<pb::GetAvailabilityRequest>,
    ) -> Result<Response<pb::GetAvailabilityResponse>, Status> {
        let scope = scope_of(&request)?;
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let provider = self.providers.find(id, scope).await?;
        let availability = Some(convert::availability(&provider));
        Ok(Response::new(pb::GetAvailabilityResponse { availability }))
    }

    async fn replace_availability(
        &self,
        request: Request<pb::ReplaceAvailabilityRequest>,
    ) -> Result<Response<pb::ReplaceAvailabilityResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ReplaceAvailabilityRequest { provider_id, time_zone, weekly, version: expected } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let zone = match time_zone.as_str() {
            "" => None,
            name => Some(time::zone("time_zone", name)?),
        };
        let weekly = convert::parse_weekly(&weekly)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        version::expect_version(expected, provider.version)?;
        provider.replace_hours(weekly, zone)?;
        profiles::save_profile(&tx, &mut provider).await?;
        let availability = Some(convert::availability(&provider));
        Ok(self.commit(tx, id, pb::ReplaceAvailabilityResponse { availability }).await?)
    }

    async fn set_date_exception(
        &self,
        request: Request<pb::SetDateExceptionRequest>,
    ) -> Result<Response<pb::SetDateExceptionResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::SetDateExceptionRequest { provider_id, date, hours } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let (date, hours) = (convert::parse_date("date", &date)?, convert::parse_day(&hours)?);
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.set_date_exception(date, Some(hours), tx.now())?;
        profiles::save_profile(&tx, &mut provider).await?;
        let availability = Some(convert::availability(&provider));
        Ok(self.commit(tx, id, pb::SetDateExceptionResponse { availability }).await?)
    }

    async fn delete_date_exception(
        &self,
        request: Request<pb::DeleteDateExceptionRequest>,
    ) -> Result<Response<pb::DeleteDateExceptionResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::DeleteDateExceptionRequest { provider_id, date } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let date = convert::parse_date("date", &date)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.set_date_exception(date, None, tx.now())?;
        profiles::save_profile(&tx, &mut provider).await?;
        let availability = Some(convert::availability(&provider));
        Ok(self.commit(tx, id, pb::DeleteDateExceptionResponse { availability }).await?)
    }

    async fn create_time_off(
        &self,
        request: Request<pb::CreateTimeOffRequest>,
    ) -> Result<Response<pb::CreateTimeOffResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let pb::CreateTimeOffRequest { provider_id, start_local, end_local, note, member_id } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let member_id = MemberId::parse_optional("member_id", &member_id)?;
        let start_local = convert::parse_local("start_local", &start_local)?;
        let end_local = convert::parse_local("end_local", &end_local)?;
        if end_local <= start_local {
            return Err(Error::invalid("end_local", "must be after the start").into());
        }
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        members::check_member(&tx, id, member_id).await?;
        let off = TimeOff {
            id: Id::new(tx.clock()),
            provider_id: id,
            start_local,
            end_local,
            note,
            created_at: tx.now(),
            member_id,
        };
        time_off::insert_time_off(&tx, &off).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let time_off = Some(convert::time_off(&off));
        Ok(self.commit(tx, id, pb::CreateTimeOffResponse { time_off }).await?)
    }

    async fn list_time_off(
        &self,
        request: Request<pb::ListTimeOffRequest>,
    ) -> Result<Response<pb::ListTimeOffResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListTimeOffRequest { provider_id, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let (rows, next_page_token) = self.providers.time_off(provider.id, page).await?;
        let time_off = rows.iter().map(convert::time_off).collect();
        Ok(Response::new(pb::ListTimeOffResponse { time_off, next_page_token }))
    }

    async fn delete_time_off(
        &self,
        request: Request<pb::DeleteTimeOffRequest>,
    ) -> Result<Response<pb::DeleteTimeOffResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::DeleteTimeOffRequest { provider_id, time_off_id } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let time_off_id = TimeOffId::parse("time_off_id", &time_off_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        time_off::delete_time_off(&tx, id, time_off_id).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        Ok(self.commit(tx, id, pb::DeleteTimeOffResponse {}).await?)
    }

    async fn list_reservations(
        &self,
        request: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListReservationsRequest { provider_id, from, to } = request.into_inner();
        let between = parse_between(from.as_ref(), to.as_ref(), 92)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let rows = self.providers.busy(provider.id, between, MAX_RESERVATIONS).await?;
        let reservations = rows.iter().map(convert::reservation).collect();
        Ok(Response::new(pb::ListReservationsResponse { reservations }))
    }
}

pub(super) fn parse_between(
    from: Option<&prost_types::Timestamp>,
    to: Option<&prost_types::Timestamp>,
    max_days: i64,
) -> Result<Span, Error> {
    let (start, end) = (time::moment("from", from)?, time::moment("to", to)?);
    if end <= start {
        return Err(Error::invalid("to", "must be after from"));
    }
    if end - start > Duration::days(max_days) {
        return Err(Error::invalid("to", format!("must be at most {max_days} days after from")));
    }
    Ok(Span { start, end })
}
