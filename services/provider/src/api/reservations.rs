//! `ReservationService`: what order asks.

use super::{Api, availability::parse_between, parse_provider_id};
use crate::{
    convert,
    domain::{
        Error, ProviderId, Span,
        geo::GeoPlace,
        reservation::{JobRequest, ReservationKey},
        slots::Wish,
    },
    holding::{self, Hold},
    live,
    repository::{Candidate, Search},
    staffing::{self, BookedJob},
};
use chrono::Duration;
use chrono_tz::Tz;
use kit::{
    Window,
    storage::page::Page,
    values::{
        id::{parse_optional_uuid, parse_uuid},
        place,
        time::{duration, moment, span},
    },
};
use proto::quickserve::provider::v1::{self as pb, reservation_service_server::ReservationService};
use tonic::{Request, Response, Status, async_trait};

/// How many slots an answer holds at most.
const MAX_SLOTS: usize = 500;
/// Candidates returned when the request does not say how many.
const CANDIDATES: usize = 5;

#[async_trait]
impl ReservationService for Api {
    async fn hold_reservation(
        &self,
        request: Request<pb::HoldReservationRequest>,
    ) -> Result<Response<pb::HoldReservationResponse>, Status> {
        let held = holding::hold_time(&self.providers, parse_hold(request.into_inner())?).await?;
        Ok(Response::new(pb::HoldReservationResponse {
            reservation_id: held.id.to_string(),
            provider_user_id: held.user_id.to_string(),
            provider_name: held.name,
        }))
    }

    async fn confirm_reservation(
        &self,
        request: Request<pb::ConfirmReservationRequest>,
    ) -> Result<Response<pb::ConfirmReservationResponse>, Status> {
        let pb::ConfirmReservationRequest { order_id, provider_id, round } = request.into_inner();
        let key = parse_key(&order_id, &provider_id, round)?;
        let id = holding::confirm_hold(&self.providers, key).await?;
        Ok(Response::new(pb::ConfirmReservationResponse { reservation_id: id.to_string() }))
    }

    async fn begin_reservation(
        &self,
        request: Request<pb::BeginReservationRequest>,
    ) -> Result<Response<pb::BeginReservationResponse>, Status> {
        let pb::BeginReservationRequest { order_id, provider_id, round } = request.into_inner();
        let key = parse_key(&order_id, &provider_id, round)?;
        let id = holding::begin_job(&self.providers, key).await?;
        Ok(Response::new(pb::BeginReservationResponse { reservation_id: id.to_string() }))
    }

    async fn finish_reservation(
        &self,
        request: Request<pb::FinishReservationRequest>,
    ) -> Result<Response<pb::FinishReservationResponse>, Status> {
        let pb::FinishReservationRequest { order_id, provider_id, round } = request.into_inner();
        let key = parse_key(&order_id, &provider_id, round)?;
        holding::finish_job(&self.providers, key).await?;
        Ok(Response::new(pb::FinishReservationResponse {}))
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Result<Response<pb::ReleaseReservationResponse>, Status> {
        let pb::ReleaseReservationRequest { order_id, provider_id, round } = request.into_inner();
        let order_id = parse_uuid("order_id", &order_id)?;
        match ProviderId::parse_optional("provider_id", &provider_id)? {
            None => holding::release_order(&self.providers, order_id).await?,
            Some(provider_id) => {
                holding::release_hold(
                    &self.providers,
                    ReservationKey { order_id, provider_id, round },
                )
                .await?;
            }
        }
        Ok(Response::new(pb::ReleaseReservationResponse {}))
    }

    async fn move_reservation(
        &self,
        request: Request<pb::MoveReservationRequest>,
    ) -> Result<Response<pb::MoveReservationResponse>, Status> {
        let pb::MoveReservationRequest { order_id, provider_id, window, hold_expires_at, round } =
            request.into_inner();
        let window = Window::parse("window", window.as_ref())?;
        let expires_at =
            hold_expires_at.map(|at| moment("hold_expires_at", Some(&at))).transpose()?;
        let key = parse_key(&order_id, &provider_id, round)?;
        let id = holding::move_to(&self.providers, key, window, expires_at).await?;
        Ok(Response::new(pb::MoveReservationResponse { reservation_id: id.to_string() }))
    }

    async fn check_eligibility(
        &self,
        request: Request<pb::CheckEligibilityRequest>,
    ) -> Result<Response<pb::CheckEligibilityResponse>, Status> {
        let pb::CheckEligibilityRequest {
            provider_id: id,
            vertical,
            window,
            address,
            requirements,
            customer_id,
            order_id,
            round,
        } = request.into_inner();
        let window = Window::parse("window", window.as_ref())?;
        let provider_id = parse_provider_id(&id)?;
        let order_id = parse_optional_uuid("order_id", &order_id)?;
        let booked = BookedJob {
            provider_id,
            job: convert::parse_job(vertical, window, address.as_ref(), requirements)?,
            customer: parse_optional_uuid("customer_id", &customer_id)?,
            key: order_id.map(|order_id| ReservationKey { order_id, provider_id, round }),
        };
        let causes = staffing::check_booked_job(&self.providers, booked).await?;
        Ok(Response::new(pb::CheckEligibilityResponse { causes }))
    }

    async fn describe_reservation(
        &self,
        request: Request<pb::DescribeReservationRequest>,
    ) -> Result<Response<pb::DescribeReservationResponse>, Status> {
        let pb::DescribeReservationRequest { order_id, provider_id, round } = request.into_inner();
        let key = parse_key(&order_id, &provider_id, round)?;
        let rows = self.providers.rows_meant(key).await?;
        let (members, assets) = self.providers.people_and_vehicles(&rows).await?;
        Ok(Response::new(convert::described_reservation(&rows, members, assets)))
    }

    async fn list_order_reservations(
        &self,
        request: Request<pb::ListOrderReservationsRequest>,
    ) -> Result<Response<pb::ListOrderReservationsResponse>, Status> {
        let pb::ListOrderReservationsRequest { page_size, page_token, order_ids } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let orders = order_ids
            .iter()
            .map(|id| parse_uuid("order_ids", id))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = self.providers.active_of_orders(&orders, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let reservations = rows.iter().map(convert::order_reservation).collect();
        Ok(Response::new(pb::ListOrderReservationsResponse { reservations, next_page_token }))
    }

    async fn find_slots(
        &self,
        request: Request<pb::FindSlotsRequest>,
    ) -> Result<Response<pb::FindSlotsResponse>, Status> {
        let request = request.into_inner();
        let provider = ProviderId::parse_optional("provider_id", &request.provider_id)?;
        let wish = self.parse_wish(request)?;
        let slots = match provider {
            Some(id) => self.providers.slots_of(id, wish).await?,
            None => self.providers.slots_in(wish).await?,
        };
        let slots = slots.into_found().into_iter().map(|(window, providers)| pb::Slot {
            window: Some(window.into()),
            provider_ids: providers.iter().map(ToString::to_string).collect(),
        });
        Ok(Response::new(pb::FindSlotsResponse { slots: slots.collect() }))
    }

    async fn find_candidates(
        &self,
        request: Request<pb::FindCandidatesRequest>,
    ) -> Result<Response<pb::FindCandidatesResponse>, Status> {
        let pb::FindCandidatesRequest {
            vertical,
            window,
            address,
            requirements,
            excluded_provider_ids,
            limit,
            customer_id,
            radius_m,
            preferred_provider_ids,
            preferred_only,
        } = request.into_inner();
        let window = Window::parse("window", window.as_ref())?;
        let job = convert::parse_job(vertical, window, address.as_ref(), requirements)?;
        let excluded =
            convert::parse_provider_ids("excluded_provider_ids", &excluded_provider_ids)?;
        let preferred =
            convert::parse_provider_ids("preferred_provider_ids", &preferred_provider_ids)?;
        let most = usize::try_from(limit).ok().filter(|most| *most > 0).unwrap_or(CANDIDATES);
        let search = Search {
            job: &job,
            excluded: &excluded,
            preferred: &preferred,
            preferred_only,
            customer: parse_optional_uuid("customer_id", &customer_id)?,
            radius_m: Some(f64::from(radius_m)).filter(|radius| *radius > 0.0),
            most,
        };
        let found = if job.needs.live {
            live::find_live_candidates(&self.providers, &*self.positions, search).await?
        } else {
            self.providers.candidates(search).await?
        };
        let candidates = found.into_iter().map(to_candidate).collect();
        Ok(Response::new(pb::FindCandidatesResponse { candidates }))
    }
}

impl Api {
    /// What slots a request asks for. Their clock and their country are those of the place.
    fn parse_wish(&self, request: pb::FindSlotsRequest) -> Result<Wish, Error> {
        let pb::FindSlotsRequest { vertical, from, to, duration, lat, lng, .. } = request;
        let place = match (lat, lng) {
            (Some(lat), Some(lng)) => Some(GeoPlace { lat, lng }),
            (None, None) => None,
            (Some(_), None) => return Err(Error::invalid("lng", "must come with lat")),
            (None, Some(_)) => return Err(Error::invalid("lat", "must come with lng")),
        };
        let length = span("duration", duration.as_ref())?;
        if length < Duration::minutes(15) || length > Duration::hours(24) {
            return Err(Error::invalid("duration", "must be between 15 minutes and 24 hours"));
        }
        let Span { start, end } = parse_between(from.as_ref(), to.as_ref(), 31)?;
        let start = start.max(self.providers.clock().now());
        let zone = place.map(|place| place::zone_at(place.lat, place.lng));
        let window = Window { start, end: start + length, zone: zone.unwrap_or(Tz::UTC) };
        let job = convert::parse_job(vertical, window, None, request.requirements)?;
        let country = place.and_then(|place| place::country_at(place.lat, place.lng));
        Ok(Wish {
            between: Span { start, end: end.max(start) },
            length,
            step: self.config.slot_step(),
            most: MAX_SLOTS,
            zone,
            job: JobRequest { place, country: country.map(str::to_owned), ..job },
            customer: parse_optional_uuid("customer_id", &request.customer_id)?,
        })
    }
}

fn parse_hold(request: pb::HoldReservationRequest) -> Result<Hold, Error> {
    let pb::HoldReservationRequest {
        order_id,
        provider_id,
        vertical,
        window,
        address,
        requirements,
        hold_expires_at,
        customer_id,
        round,
        booked,
        begin,
    } = request;
    let window = Window::parse("window", window.as_ref())?;
    Ok(Hold {
        key: parse_key(&order_id, &provider_id, round)?,
        job: convert::parse_job(vertical, window, address.as_ref(), requirements)?,
        expires_at: moment("hold_expires_at", hold_expires_at.as_ref())?,
        customer: parse_optional_uuid("customer_id", &customer_id)?,
        booked,
        begin,
    })
}

fn to_candidate(candidate: Candidate) -> pb::Candidate {
    let Candidate { standing, travel } = candidate;
    pb::Candidate {
        provider_id: standing.provider_id.to_string(),
        provider_user_id: standing.user_id.to_string(),
        provider_name: standing.name,
        travel_time: travel.map(duration),
    }
}

fn parse_key(order_id: &str, provider_id: &str, round: i32) -> Result<ReservationKey, Error> {
    let (order_id, provider_id) =
        (parse_uuid("order_id", order_id)?, parse_provider_id(provider_id)?);
    Ok(ReservationKey { order_id, provider_id, round })
}
