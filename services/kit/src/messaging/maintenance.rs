//! What an operator does to the events of a service: to parked ones, and to all after a restore. The host mounts it into every service that has a database.

use crate::{
    messaging::{
        outbox::{self, Replay},
        parked::{self, Parked},
        timers,
    },
    rpc::error::{Error, Fault, Kind, status_of},
    rpc::guard::Routes,
    storage::db::Db,
    values::id::Id,
    values::time::{moment, timestamp},
};
use proto::quickserve::kit::v1::{
    self as pb, maintenance_service_server::MaintenanceService,
    maintenance_service_server::MaintenanceServiceServer,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Events listed when the caller names no number.
const PAGE: u64 = 100;

/// Adds the service to the routes of `service`, which keeps its tables in `db`.
pub fn mount(routes: Routes, service: &'static str, db: Db) -> Routes {
    routes.add(MaintenanceServiceServer::new(Maintenance { service, db }))
}

struct Maintenance {
    service: &'static str,
    db: Db,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no event {0} is the first of a parked aggregate here: list the parked events and drop the first of its aggregate"
)]
struct NotParked(Uuid);

impl Fault for NotParked {
    fn kind(&self) -> Kind {
        Kind::NotFound("EVENT_NOT_PARKED")
    }
}

#[tonic::async_trait]
impl MaintenanceService for Maintenance {
    async fn list_parked_events(
        &self,
        request: Request<pb::ListParkedEventsRequest>,
    ) -> Result<Response<pb::ListParkedEventsResponse>, Status> {
        let asked = u64::try_from(request.get_ref().page_size).unwrap_or_default();
        let limit = if asked == 0 { PAGE } else { asked };
        let parked = parked::list(&self.db, limit).await?;
        let events = parked.into_iter().map(message).collect();
        Ok(Response::new(pb::ListParkedEventsResponse { events }))
    }

    async fn retry_parked_events(
        &self,
        request: Request<pb::RetryParkedEventsRequest>,
    ) -> Result<Response<pb::RetryParkedEventsResponse>, Status> {
        let aggregate = Id::<()>::parse_optional("aggregate_id", &request.get_ref().aggregate_id)?;
        let aggregates = parked::retry(&self.db, aggregate.map(Id::uuid)).await?;
        tracing::info!(
            service = self.service,
            aggregates,
            "an operator has parked events tried again"
        );
        Ok(Response::new(pb::RetryParkedEventsResponse { aggregates: to_count(aggregates)? }))
    }

    async fn drop_parked_event(
        &self,
        request: Request<pb::DropParkedEventRequest>,
    ) -> Result<Response<pb::DropParkedEventResponse>, Status> {
        let pb::DropParkedEventRequest { event_id, reason } = request.into_inner();
        let event_id = Id::<()>::parse("event_id", &event_id)?.uuid();
        if !parked::drop_first(&self.db, event_id).await? {
            return Err(status_of(&NotParked(event_id)));
        }
        tracing::warn!(
            service = self.service, event.id = %event_id, reason,
            "an operator dropped a parked event; what waits behind it is delivered"
        );
        Ok(Response::new(pb::DropParkedEventResponse {}))
    }

    async fn republish_events(
        &self,
        request: Request<pb::RepublishEventsRequest>,
    ) -> Result<Response<pb::RepublishEventsResponse>, Status> {
        let pb::RepublishEventsRequest { since, consumer } = request.into_inner();
        let replay = Replay {
            since: since.map(|it| moment("since", Some(&it))).transpose()?,
            only_for: (!consumer.is_empty()).then_some(consumer),
        };
        let events = outbox::publish_again(&self.db, &replay).await?;
        tracing::info!(
            service = self.service,
            ?replay,
            events,
            "an operator has events published again"
        );
        Ok(Response::new(pb::RepublishEventsResponse { events: to_count(events)? }))
    }

    async fn get_backlog(
        &self,
        _: Request<pb::GetBacklogRequest>,
    ) -> Result<Response<pb::GetBacklogResponse>, Status> {
        let (held, parked) = parked::count_all(&self.db).await?;
        Ok(Response::new(pb::GetBacklogResponse {
            unpublished_events: to_count(outbox::count_waiting(&self.db).await?)?,
            held_events: to_count(held)?,
            parked_events: to_count(parked)?,
            due_timers: to_count(timers::count_due(&self.db).await?)?,
        }))
    }
}

fn to_count(rows: u64) -> Result<i64, Error> {
    i64::try_from(rows).map_err(Error::internal)
}

fn message(event: Parked) -> pb::ParkedEvent {
    pb::ParkedEvent {
        consumer: event.consumer,
        event_id: event.event_id.to_string(),
        source: event.source,
        kind: event.kind,
        aggregate_id: event.aggregate.to_string(),
        sequence: event.seq,
        error: event.error,
        attempts: event.attempts,
        held_at: Some(timestamp(event.held_at)),
        data: event.data,
    }
}
