//! `TransportService`: what the parties of an order see and do.

use crate::{
    convert::{self, CurrentRide, Observed, RideJob},
    events,
    rides::Rides,
};
use kit::{Db, rpc::confidential};
use proto::quickserve::transport::v1::{self as pb, transport_service_server::TransportService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;
use vertical::{
    Error,
    convert::parse_order_id,
    repository::{self, Reach},
};

/// Serves `TransportService`: what drivers do on the way.
pub struct Api {
    db: Db,
    rides: Rides,
}

impl Api {
    /// Serves the rides in `db`.
    pub const fn new(db: Db, rides: Rides) -> Self {
        Self { db, rides }
    }

    /// The ride as `reader` reads it.
    async fn ride_view(&self, job: &RideJob, reader: Reach) -> Result<pb::Ride, Error> {
        let current = CurrentRide::of(job)?;
        let observed = self.rides.observe(job, &current).await.unwrap_or_else(|error| {
            let order_id = job.order.order_id;
            tracing::warn!(%error, order.id = %order_id, "cannot measure a ride, shows it without");
            Observed::default()
        });
        let whole = convert::ride(job, current, &observed);
        if job.shows_home(reader, self.db.clock().now()) {
            return Ok(whole);
        }
        Ok(confidential::hide("quickserve.transport.v1.Ride", &whole)?)
    }

    /// Does what the provider reports of a ride. What was reported before changes nothing.
    async fn report_act(
        &self,
        order_id: &str,
        provider: Uuid,
        act: ProviderAct,
    ) -> Result<Option<pb::Ride>, Error> {
        let id = parse_order_id(order_id)?;
        let reach = Reach::Provider(provider);
        let mut way_back = None;
        if let ProviderAct::TurnBack(n) = act {
            let job = repository::find_job(self.db.connection(), id, reach).await?;
            way_back = Some(self.rides.find_way_back(&job, n).await?);
        }
        let tx = self.db.begin().await?;
        let (mut job, now) = (repository::lock_job(&tx, id, reach).await?, tx.now());
        let shape = CurrentRide::of(&job)?.shape;
        let is_new = match act {
            ProviderAct::Arrive(n) => job.own.arrive(n, shape, now)?,
            ProviderAct::Complete(n) => job.own.complete(n, shape, now)?,
            ProviderAct::TurnBack(n) => {
                job.own.turn_back(n, shape, way_back.unwrap_or_default(), now)?
            }
            ProviderAct::ComeBack => job.own.come_back(shape, now)?,
        };
        if is_new {
            job.check_working(now)?;
            events::record_ride_event(&tx, &mut job, act.fact(), act.stop(), shape).await?;
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        Ok(Some(self.ride_view(&job, reach).await?))
    }
}

/// What a provider reports of a ride.
#[derive(Clone, Copy)]
enum ProviderAct {
    /// The provider is at a stop.
    Arrive(u32),
    /// A stop is done.
    Complete(u32),
    /// No one takes the parcel at a stop.
    TurnBack(u32),
    /// The parcel is back.
    ComeBack,
}

impl ProviderAct {
    /// The fact that tells of it.
    const fn fact(self) -> &'static str {
        match self {
            Self::Arrive(_) => events::STOP_REACHED,
            Self::Complete(_) => events::STOP_COMPLETED,
            Self::TurnBack(_) => events::RETURNING,
            Self::ComeBack => events::RETURNED,
        }
    }

    /// The stop that it is about; 0 for none.
    const fn stop(self) -> u32 {
        match self {
            Self::Arrive(n) | Self::Complete(n) | Self::TurnBack(n) => n,
            Self::ComeBack => 0,
        }
    }
}

/// Who makes the call.
fn account_of<T>(request: &Request<T>) -> Result<Uuid, kit::Error> {
    Ok(kit::caller_of(request).subject()?.user_id)
}

/// Reads the number of a stop.
fn parse_stop(n: i32) -> Result<u32, Error> {
    u32::try_from(n).map_err(|_| Error::invalid("n", "must be 1 or more"))
}

#[async_trait]
impl TransportService for Api {
    async fn get_ride(
        &self,
        request: Request<pb::GetRideRequest>,
    ) -> Result<Response<pb::GetRideResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: RideJob = repository::find_job(self.db.connection(), id, reach).await?;
        let ride = Some(self.ride_view(&job, reach).await?);
        Ok(Response::new(pb::GetRideResponse { ride }))
    }

    async fn arrive_at_stop(
        &self,
        request: Request<pb::ArriveAtStopRequest>,
    ) -> Result<Response<pb::ArriveAtStopResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::ArriveAtStopRequest { order_id, n } = request.into_inner();
        let act = ProviderAct::Arrive(parse_stop(n)?);
        let ride = self.report_act(&order_id, provider, act).await?;
        Ok(Response::new(pb::ArriveAtStopResponse { ride }))
    }

    async fn complete_stop(
        &self,
        request: Request<pb::CompleteStopRequest>,
    ) -> Result<Response<pb::CompleteStopResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::CompleteStopRequest { order_id, n } = request.into_inner();
        let act = ProviderAct::Complete(parse_stop(n)?);
        let ride = self.report_act(&order_id, provider, act).await?;
        Ok(Response::new(pb::CompleteStopResponse { ride }))
    }

    async fn report_undeliverable(
        &self,
        request: Request<pb::ReportUndeliverableRequest>,
    ) -> Result<Response<pb::ReportUndeliverableResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::ReportUndeliverableRequest { order_id, n } = request.into_inner();
        let act = ProviderAct::TurnBack(parse_stop(n)?);
        let ride = self.report_act(&order_id, provider, act).await?;
        Ok(Response::new(pb::ReportUndeliverableResponse { ride }))
    }

    async fn report_returned(
        &self,
        request: Request<pb::ReportReturnedRequest>,
    ) -> Result<Response<pb::ReportReturnedResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::ReportReturnedRequest { order_id } = request.into_inner();
        let ride = self.report_act(&order_id, provider, ProviderAct::ComeBack).await?;
        Ok(Response::new(pb::ReportReturnedResponse { ride }))
    }
}
