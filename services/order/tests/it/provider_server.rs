//! The server that stands in for provider.

use crate::script::{Memory, Script, refusal};
use kit::values::time::moment;
use prost_types::Duration;
use proto::quickserve::provider::v1::{
    self as provider, reservation_service_server::ReservationService,
};
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

/// Stands in for provider.
pub struct Provider(pub Arc<Script>);

fn account(memory: &mut Memory, provider: &str) -> String {
    memory.accounts.entry(provider.to_owned()).or_insert_with(uuid::Uuid::new_v4).to_string()
}

#[tonic::async_trait]
impl ReservationService for Provider {
    async fn hold_reservation(
        &self,
        request: Request<provider::HoldReservationRequest>,
    ) -> Result<Response<provider::HoldReservationResponse>, Status> {
        let request = request.into_inner();
        let start = moment("start", request.window.unwrap().start.as_ref()).unwrap();
        let (order, profile) = (request.order_id, request.provider_id);
        let until = moment("until", request.hold_expires_at.as_ref()).unwrap();
        let held = self.0.play("hold", |memory| {
            let key = (order.clone(), profile.clone());
            let released = [
                (order.clone(), profile.clone(), request.round),
                (order.clone(), String::new(), 0),
            ];
            if released.iter().any(|it| memory.released.contains(it)) {
                return Err(refusal(Code::FailedPrecondition, "RESERVATION_RELEASED"));
            }
            let taken = |((other, it), (at, _)): (&(String, String), &(_, bool))| {
                *it == profile && *other != order && *at == start
            };
            if memory.slots.iter().any(taken) {
                return Err(refusal(Code::AlreadyExists, "SLOT_TAKEN"));
            }
            if request.begin {
                memory.run(order.clone(), profile.clone())?;
            }
            memory.slots.entry(key.clone()).or_insert((start, false));
            memory.held_until.insert(key, until);
            Ok(provider::HoldReservationResponse {
                reservation_id: uuid::Uuid::new_v4().to_string(),
                provider_user_id: account(memory, &profile),
                provider_name: "Ana".to_owned(),
            })
        });
        Ok(Response::new(held.await?))
    }

    async fn confirm_reservation(
        &self,
        request: Request<provider::ConfirmReservationRequest>,
    ) -> Result<Response<provider::ConfirmReservationResponse>, Status> {
        let provider::ConfirmReservationRequest { order_id, provider_id, .. } =
            request.into_inner();
        let confirmed =
            self.0.play("confirm", |memory| match memory.slots.get_mut(&(order_id, provider_id)) {
                None => Err(refusal(Code::NotFound, "RESERVATION_NOT_FOUND")),
                Some((_, confirmed)) => {
                    *confirmed = true;
                    Ok(provider::ConfirmReservationResponse::default())
                }
            });
        Ok(Response::new(confirmed.await?))
    }

    async fn begin_reservation(
        &self,
        request: Request<provider::BeginReservationRequest>,
    ) -> Result<Response<provider::BeginReservationResponse>, Status> {
        let provider::BeginReservationRequest { order_id, provider_id, .. } = request.into_inner();
        let begun = self.0.play("begin", |memory| {
            memory.run(order_id, provider_id)?;
            Ok(provider::BeginReservationResponse::default())
        });
        Ok(Response::new(begun.await?))
    }

    async fn finish_reservation(
        &self,
        request: Request<provider::FinishReservationRequest>,
    ) -> Result<Response<provider::FinishReservationResponse>, Status> {
        let request = request.into_inner();
        let finished = self.0.play("finish", |memory| {
            memory.running.remove(&(request.order_id, request.provider_id));
            Ok(provider::FinishReservationResponse {})
        });
        Ok(Response::new(finished.await?))
    }

    async fn release_reservation(
        &self,
        request: Request<provider::ReleaseReservationRequest>,
    ) -> Result<Response<provider::ReleaseReservationResponse>, Status> {
        let provider::ReleaseReservationRequest { order_id, provider_id, round } =
            request.into_inner();
        let released = self.0.play("release", |memory| {
            let all: Vec<_> = memory.slots.keys().cloned().collect();
            let concerned = |(order, profile): &&(String, String)| {
                *order == order_id && (provider_id.is_empty() || *profile == provider_id)
            };
            for key in all.iter().filter(concerned) {
                memory.slots.remove(key);
                memory.running.remove(key);
            }
            memory.released.insert((order_id.clone(), provider_id.clone(), round));
            Ok(provider::ReleaseReservationResponse {})
        });
        Ok(Response::new(released.await?))
    }

    async fn move_reservation(
        &self,
        request: Request<provider::MoveReservationRequest>,
    ) -> Result<Response<provider::MoveReservationResponse>, Status> {
        let request = request.into_inner();
        let start = moment("start", request.window.unwrap().start.as_ref()).unwrap();
        let key = (request.order_id, request.provider_id);
        let moved = self.0.play("move", |memory| {
            let taken = |((other, it), (at, _)): (&(String, String), &(_, bool))| {
                *it == key.1 && *other != key.0 && *at == start
            };
            if memory.slots.iter().any(taken) {
                return Err(refusal(Code::AlreadyExists, "SLOT_TAKEN"));
            }
            match memory.slots.get_mut(&key) {
                None => Err(refusal(Code::NotFound, "RESERVATION_NOT_FOUND")),
                Some((at, _)) => {
                    *at = start;
                    Ok(provider::MoveReservationResponse::default())
                }
            }
        });
        Ok(Response::new(moved.await?))
    }

    async fn check_eligibility(
        &self,
        request: Request<provider::CheckEligibilityRequest>,
    ) -> Result<Response<provider::CheckEligibilityResponse>, Status> {
        let request = request.into_inner();
        let skill = format!("{}.standard", request.vertical);
        assert_eq!(request.requirements.unwrap().skills, [skill]);
        let judged = self.0.play("eligibility", |memory| {
            let id: uuid::Uuid = request.provider_id.parse().unwrap();
            let causes = memory.objections.get(&id).cloned().unwrap_or_default();
            Ok(provider::CheckEligibilityResponse { causes })
        });
        Ok(Response::new(judged.await?))
    }

    async fn describe_reservation(
        &self,
        _: Request<provider::DescribeReservationRequest>,
    ) -> Result<Response<provider::DescribeReservationResponse>, Status> {
        let described = self.0.play("crew", |memory| Ok(memory.crew.clone()));
        Ok(Response::new(described.await?))
    }

    async fn list_order_reservations(
        &self,
        _: Request<provider::ListOrderReservationsRequest>,
    ) -> Result<Response<provider::ListOrderReservationsResponse>, Status> {
        Err(Status::unimplemented("no story here restores data"))
    }

    async fn find_slots(
        &self,
        request: Request<provider::FindSlotsRequest>,
    ) -> Result<Response<provider::FindSlotsResponse>, Status> {
        let request = request.into_inner();
        let requirements = request.requirements.unwrap();
        assert_eq!(requirements.documents, ["insurance"], "what every job takes is asked for");
        let found = self.0.play("slots", |_| {
            let window = proto::quickserve::common::v1::TimeWindow {
                start: request.from,
                end: request.to,
                time_zone: "Europe/Paris".to_owned(),
            };
            let provider_ids = vec![request.provider_id.clone()];
            let slots = vec![provider::Slot { window: Some(window), provider_ids }];
            Ok(provider::FindSlotsResponse { slots })
        });
        Ok(Response::new(found.await?))
    }

    async fn find_candidates(
        &self,
        request: Request<provider::FindCandidatesRequest>,
    ) -> Result<Response<provider::FindCandidatesResponse>, Status> {
        let request = request.into_inner();
        let found = self.0.play("candidates", |memory| {
            memory.radii.push(request.radius_m);
            memory.preferred.push(request.preferred_provider_ids.clone());
            let requirements = request.requirements.clone().unwrap_or_default();
            memory.preferred_skills.push(requirements.preferred_skills);
            let (excluded, preferred) =
                (&request.excluded_provider_ids, &request.preferred_provider_ids);
            let free: Vec<String> = memory
                .candidates
                .iter()
                .map(ToString::to_string)
                .filter(|id| !excluded.contains(id))
                .filter(|id| !request.preferred_only || preferred.contains(id))
                .take(usize::try_from(request.limit).unwrap())
                .collect();
            let candidates = free
                .into_iter()
                .map(|id| provider::Candidate {
                    provider_user_id: account(memory, &id),
                    provider_id: id,
                    provider_name: "Bo".to_owned(),
                    travel_time: memory.travel_s.map(|seconds| Duration { seconds, nanos: 0 }),
                })
                .collect();
            Ok(provider::FindCandidatesResponse { candidates })
        });
        Ok(Response::new(found.await?))
    }
}
