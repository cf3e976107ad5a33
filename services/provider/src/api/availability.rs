//! `AvailabilityService`: working hours, time off and slots.

use super::{Api, provider_id, reach};
use crate::{
    convert,
    domain::{
        Error, ProviderId, Span, TimeOffId,
        geo::Place,
        slots::{Free, Wish},
    },
    repository::NewTimeOff,
};
use chrono::{DateTime, Duration, Utc};
use kit::{Window, storage::idempotency::Key, storage::page::Page, values::time};
use proto::quickserve::provider::v1::{
    self as pb, availability_service_server::AvailabilityService,
};
use std::collections::BTreeMap;
use tonic::{Request, Response, Status, async_trait};

/// Most slots in an answer.
const SLOTS_MOST: usize = 500;
/// Most reservations in an answer.
const RESERVATIONS_MOST: u64 = 1000;

#[async_trait]
impl AvailabilityService for Api {
    async fn get_availability(
        &self,
        request: Request<pb::GetAvailabilityRequest>,
    ) -> Result<Response<pb::GetAvailabilityResponse>, Status> {
        let reach = reach(&request)?;
        let provider =
            self.providers.find(provider_id(&request.get_ref().provider_id)?, reach).await?;
        let availability = Some(convert::availability(&provider));
        Ok(Response::new(pb::GetAvailabilityResponse { availability }))
    }

    async fn replace_availability(
        &self,
        request: Request<pb::ReplaceAvailabilityRequest>,
    ) -> Result<Response<pb::ReplaceAvailabilityResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ReplaceAvailabilityRequest { provider_id: id, time_zone, weekly, version } =
            request.into_inner();
        let zone = match time_zone.as_str() {
            "" => None,
            name => Some(time::zone("time_zone", name)?),
        };
        let (id, weekly) = (provider_id(&id)?, convert::parse_weekly(&weekly)?);
        let hours = self.providers.replace_hours(id, reach, weekly, zone, version).await?;
        Ok(Response::new(pb::ReplaceAvailabilityResponse { availability: Some(hours) }))
    }

    async fn set_date_exception(
        &self,
        request: Request<pb::SetDateExceptionRequest>,
    ) -> Result<Response<pb::SetDateExceptionResponse>, Status> {
        let reach = reach(&request)?;
        let pb::SetDateExceptionRequest { provider_id: id, date, hours } = request.into_inner();
        let (date, hours) = (convert::parse_date("date", &date)?, convert::parse_day(&hours)?);
        let hours =
            self.providers.set_exception(provider_id(&id)?, reach, date, Some(hours)).await?;
        Ok(Response::new(pb::SetDateExceptionResponse { availability: Some(hours) }))
    }

    async fn delete_date_exception(
        &self,
        request: Request<pb::DeleteDateExceptionRequest>,
    ) -> Result<Response<pb::DeleteDateExceptionResponse>, Status> {
        let reach = reach(&request)?;
        let pb::DeleteDateExceptionRequest { provider_id: id, date } = request.into_inner();
        let date = convert::parse_date("date", &date)?;
        let hours = self.providers.set_exception(provider_id(&id)?, reach, date, None).await?;
        Ok(Response::new(pb::DeleteDateExceptionResponse { availability: Some(hours) }))
    }

    async fn create_time_off(
        &self,
        request: Request<pb::CreateTimeOffRequest>,
    ) -> Result<Response<pb::CreateTimeOffResponse>, Status> {
        let (key, reach) = (Key::of(&request), reach(&request)?);
        let pb::CreateTimeOffRequest { provider_id: id, start_local, end_local, note } =
            request.into_inner();
        let start_local = convert::parse_local("start_local", &start_local)?;
        let end_local = convert::parse_local("end_local", &end_local)?;
        if end_local <= start_local {
            return Err(Error::invalid("end_local", "must be after the start").into());
        }
        let new = NewTimeOff { start_local, end_local, note };
        let off = self.providers.create_time_off(key, provider_id(&id)?, reach, new).await?;
        Ok(Response::new(pb::CreateTimeOffResponse { time_off: Some(off) }))
    }

    async fn list_time_off(
        &self,
        request: Request<pb::ListTimeOffRequest>,
    ) -> Result<Response<pb::ListTimeOffResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ListTimeOffRequest { provider_id: id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let (rows, next_page_token) =
            self.providers.time_off(provider_id(&id)?, reach, page).await?;
        let time_off = rows.iter().map(convert::time_off).collect();
        Ok(Response::new(pb::ListTimeOffResponse { time_off, next_page_token }))
    }

    async fn delete_time_off(
        &self,
        request: Request<pb::DeleteTimeOffRequest>,
    ) -> Result<Response<pb::DeleteTimeOffResponse>, Status> {
        let reach = reach(&request)?;
        let pb::DeleteTimeOffRequest { provider_id: id, time_off_id } = request.into_inner();
        let off = TimeOffId::parse("time_off_id", &time_off_id)?;
        let deleted = self.providers.delete_time_off(provider_id(&id)?, reach, off).await?;
        Ok(Response::new(deleted))
    }

    async fn list_reservations(
        &self,
        request: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ListReservationsRequest { provider_id: id, from, to } = request.into_inner();
        let between = between(from.as_ref(), to.as_ref(), 92)?;
        let provider = self.providers.find(provider_id(&id)?, reach).await?;
        let rows = self.providers.busy(&[provider.id], between, RESERVATIONS_MOST).await?;
        let reservations = rows.iter().map(convert::reservation).collect();
        Ok(Response::new(pb::ListReservationsResponse { reservations }))
    }

    async fn list_slots(
        &self,
        request: Request<pb::ListSlotsRequest>,
    ) -> Result<Response<pb::ListSlotsResponse>, Status> {
        let pb::ListSlotsRequest { provider_id, vertical, from, to, duration, lat, lng } =
            request.into_inner();
        let place = match (lat, lng) {
            (Some(lat), Some(lng)) => Some(Place { lat, lng }),
            (None, None) => None,
            (Some(_), None) => return Err(Error::invalid("lng", "must come with lat").into()),
            (None, Some(_)) => return Err(Error::invalid("lat", "must come with lng").into()),
        };
        let wish = self.wish(from.as_ref(), to.as_ref(), duration.as_ref())?;
        let vertical = Some(vertical.as_str()).filter(|it| !it.is_empty());
        let free = match (ProviderId::parse_optional("provider_id", &provider_id)?, vertical) {
            (Some(id), vertical) => self.providers.slots_of(id, vertical, place, &wish).await?,
            (None, Some(vertical)) => self.providers.slots_in(vertical, place, &wish).await?,
            (None, None) => {
                return Err(Error::invalid("vertical", "or a provider_id must be given").into());
            }
        };
        Ok(Response::new(pb::ListSlotsResponse { slots: slots(free, wish.length) }))
    }
}

impl Api {
    fn wish(
        &self,
        from: Option<&prost_types::Timestamp>,
        to: Option<&prost_types::Timestamp>,
        duration: Option<&prost_types::Duration>,
    ) -> Result<Wish, Error> {
        let length = time::span("duration", duration)?;
        if length < Duration::minutes(15) || length > Duration::hours(24) {
            return Err(Error::invalid("duration", "must be between 15 minutes and 24 hours"));
        }
        let Span { start, end } = between(from, to, 31)?;
        let start = start.max(self.providers.clock().now());
        Ok(Wish {
            between: Span { start, end: end.max(start) },
            length,
            buffer: self.config.slot_buffer(),
            step: self.config.slot_step(),
            most: SLOTS_MOST,
        })
    }
}

fn between(
    from: Option<&prost_types::Timestamp>,
    to: Option<&prost_types::Timestamp>,
    days_most: i64,
) -> Result<Span, Error> {
    let (start, end) = (time::moment("from", from)?, time::moment("to", to)?);
    if end <= start {
        return Err(Error::invalid("to", "must be after from"));
    }
    if end - start > Duration::days(days_most) {
        return Err(Error::invalid("to", format!("must be at most {days_most} days after from")));
    }
    Ok(Span { start, end })
}

fn slots(free: BTreeMap<DateTime<Utc>, Free>, length: Duration) -> Vec<pb::Slot> {
    let slot = |(start, Free { zone, providers }): (DateTime<Utc>, Free)| pb::Slot {
        window: Some(Window { start, end: start + length, zone }.into()),
        provider_ids: providers.iter().map(ToString::to_string).collect(),
    };
    free.into_iter().take(SLOTS_MOST).map(slot).collect()
}
