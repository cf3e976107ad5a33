//! `CareService`: what happens in the course of an order.

use super::{Api, account_of, handovers::HandoverCall, parse_id};
use crate::{
    convert::{self, CareJob},
    domain::{Error, adult::managers_of, care::ChildStep, records::Incident},
    events,
    repository::{adults, children, guardians, incidents},
    vault::seal_incident,
};
use kit::Tx;
use proto::quickserve::child_assistance::v1::{self as pb, care_service_server::CareService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;
use vertical::{
    Phase,
    repository::{Reach, lock_job, save_job},
};

impl Api {
    async fn approve_release_of(
        &self,
        request: &pb::ApproveReleaseRequest,
        user: Uuid,
    ) -> Result<pb::Release, Error> {
        let order_id = parse_id("order_id", &request.order_id)?;
        let id = parse_id("release_id", &request.release_id)?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, order_id, Reach::All).await?;
        let release = job.own.release(id).map_err(|_| vertical::Error::OrderNotFound)?;
        lock_guarded(&tx, release.child_id, user).await?;
        let adult = adults::find_adult(&*tx, release.adult_id).await?;
        adult.check_valid(tx.now())?;
        let managers = managers_of(&guardians::list_guardians(&*tx, release.child_id).await?);
        if job.own.approve_release(id, user, &managers, tx.now())? {
            save_job(&tx, &mut job).await?;
        }
        let release = job.own.release(id)?;
        tx.commit().await?;
        Ok(convert::release(&release))
    }

    async fn mark_child_absent(
        &self,
        request: &pb::MarkAbsentRequest,
        user: Uuid,
    ) -> Result<(), Error> {
        let order_id = parse_id("order_id", &request.order_id)?;
        let child_id = parse_id("child_id", &request.child_id)?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, order_id, Reach::All).await?;
        job.own.child(child_id).map_err(|_| vertical::Error::OrderNotFound)?;
        lock_guarded(&tx, child_id, user).await?;
        job.order.check_unlocked(tx.now())?;
        if job.own.turn_away(child_id, ChildStep::StayAway)? {
            save_job(&tx, &mut job).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn refuse_sick_child(
        &self,
        request: &pb::RefuseChildRequest,
        user: Uuid,
    ) -> Result<pb::Care, Error> {
        let order_id = parse_id("order_id", &request.order_id)?;
        let child_id = parse_id("child_id", &request.child_id)?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, order_id, Reach::Provider(user)).await?;
        job.check_working(tx.now())?;
        if job.own.turn_away(child_id, ChildStep::Refuse)? {
            save_job(&tx, &mut job).await?;
        }
        let care = convert::care(&job, tx.now());
        tx.commit().await?;
        Ok(care)
    }

    async fn record_incident(
        &self,
        request: pb::ReportIncidentRequest,
        user: Uuid,
    ) -> Result<String, Error> {
        let order_id = parse_id("order_id", &request.order_id)?;
        let child_id = parse_id("child_id", &request.child_id)?;
        let id = parse_id("id", &request.id)?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, order_id, Reach::Provider(user)).await?;
        if let Some(found) = incidents::find_incident(&*tx, id).await? {
            let is_repeated = found.order_id == order_id
                && found.child_id == child_id
                && found.reported_by == user;
            return match is_repeated {
                true => Ok(id.to_string()),
                false => Err(Error::Exists("INCIDENT_EXISTS", "an incident of this id")),
            };
        }
        let is_there = matches!(job.phase(), Phase::AtTheDoor | Phase::Working | Phase::Rework);
        if !is_there && !job.own.has_child_in() {
            return Err(vertical::Error::OrderState("the carer is not there").into());
        }
        job.own.child(child_id)?;
        let child = children::lock_child(&tx, child_id).await?;
        let key = self.vault.find_key(child.family_id)?;
        let incident = Incident {
            id,
            order_id,
            child_id,
            key_id: child.family_id,
            kind: request.kind.clone(),
            secret: seal_incident(&key, id, &request.text)?,
            reported_by: user,
            country: job.order.facts.country.clone(),
            at: tx.now(),
            kept_until: None,
        };
        if !incidents::insert_incident(&tx, &incident).await? {
            return Err(Error::Exists("INCIDENT_EXISTS", "an incident of this id"));
        }
        let event = pb::ChildEvent { reason: request.kind, ..pb::ChildEvent::default() };
        events::record_child_event(&tx, &mut job, events::INCIDENT, child_id, event).await?;
        save_job(&tx, &mut job).await?;
        tx.commit().await?;
        Ok(id.to_string())
    }
}

/// Locks a child for a guardian who manages it. To others the order is absent.
async fn lock_guarded(tx: &Tx, child_id: Uuid, user: Uuid) -> Result<(), Error> {
    match guardians::lock_as_manager(tx, child_id, user).await {
        Err(Error::ChildNotFound) => Err(vertical::Error::OrderNotFound.into()),
        locked => locked.map(|_| ()),
    }
}

#[async_trait]
impl CareService for Api {
    async fn get_care(
        &self,
        request: Request<pb::GetCareRequest>,
    ) -> Result<Response<pb::GetCareResponse>, Status> {
        let caller = kit::caller_of(&request);
        let care = Some(self.read_care(&request.get_ref().order_id, caller).await?);
        Ok(Response::new(pb::GetCareResponse { care }))
    }

    async fn name_children(
        &self,
        request: Request<pb::NameChildrenRequest>,
    ) -> Result<Response<pb::NameChildrenResponse>, Status> {
        let user = account_of(&request)?;
        let care = Some(self.name_children_of(request.get_ref(), user).await?);
        Ok(Response::new(pb::NameChildrenResponse { care }))
    }

    async fn check_in(
        &self,
        request: Request<pb::CheckInRequest>,
    ) -> Result<Response<pb::CheckInResponse>, Status> {
        let caller = kit::caller_of(&request);
        let pb::CheckInRequest { order_id, child_id, adult_id, code, handover } =
            request.into_inner();
        let call = HandoverCall {
            order_id: parse_id("order_id", &order_id)?,
            child_id: parse_id("child_id", &child_id)?,
            adult_id: Some(parse_id("adult_id", &adult_id)?),
            code,
            photo_id: false,
            n: convert::read_handover(handover)?,
            step: ChildStep::CheckIn,
        };
        let care = Some(self.hand_over(call, &caller).await?);
        Ok(Response::new(pb::CheckInResponse { care }))
    }

    async fn check_out(
        &self,
        request: Request<pb::CheckOutRequest>,
    ) -> Result<Response<pb::CheckOutResponse>, Status> {
        let caller = kit::caller_of(&request);
        let pb::CheckOutRequest { order_id, child_id, adult_id, code, photo_id, handover } =
            request.into_inner();
        let adult_id = kit::values::id::parse_optional_uuid("adult_id", &adult_id)?;
        let call = HandoverCall {
            order_id: parse_id("order_id", &order_id)?,
            child_id: parse_id("child_id", &child_id)?,
            adult_id,
            code,
            photo_id,
            n: convert::read_handover(handover)?,
            step: ChildStep::CheckOut,
        };
        let care = Some(self.hand_over(call, &caller).await?);
        Ok(Response::new(pb::CheckOutResponse { care }))
    }

    async fn approve_release(
        &self,
        request: Request<pb::ApproveReleaseRequest>,
    ) -> Result<Response<pb::ApproveReleaseResponse>, Status> {
        let user = account_of(&request)?;
        let release = Some(self.approve_release_of(request.get_ref(), user).await?);
        Ok(Response::new(pb::ApproveReleaseResponse { release }))
    }

    async fn mark_absent(
        &self,
        request: Request<pb::MarkAbsentRequest>,
    ) -> Result<Response<pb::MarkAbsentResponse>, Status> {
        let user = account_of(&request)?;
        self.mark_child_absent(request.get_ref(), user).await?;
        Ok(Response::new(pb::MarkAbsentResponse {}))
    }

    async fn refuse_child(
        &self,
        request: Request<pb::RefuseChildRequest>,
    ) -> Result<Response<pb::RefuseChildResponse>, Status> {
        let user = account_of(&request)?;
        let care = Some(self.refuse_sick_child(request.get_ref(), user).await?);
        Ok(Response::new(pb::RefuseChildResponse { care }))
    }

    async fn report_incident(
        &self,
        request: Request<pb::ReportIncidentRequest>,
    ) -> Result<Response<pb::ReportIncidentResponse>, Status> {
        let user = account_of(&request)?;
        let id = self.record_incident(request.into_inner(), user).await?;
        Ok(Response::new(pb::ReportIncidentResponse { id }))
    }

    async fn list_incidents(
        &self,
        request: Request<pb::ListIncidentsRequest>,
    ) -> Result<Response<pb::ListIncidentsResponse>, Status> {
        let caller = kit::caller_of(&request);
        let incidents = self.read_incidents(&request.get_ref().order_id, caller).await?;
        Ok(Response::new(pb::ListIncidentsResponse { incidents }))
    }
}
