//! `VerticalService`: how order meets a vertical.

use crate::{
    Vertical,
    convert::{self, parse_position, parse_snapshot, to_requirements},
    domain::{
        error::Error,
        job::{Job, OrderSnapshot},
        phase::Phase,
        record::Model as OrderRecord,
    },
    price::ChangeQuote,
    repository::{self, Reach},
    vertical::{ChangeInputs, Description, QuoteInputs},
};
use kit::{Db, Window, rpc::details, values::id::parse_uuid};
use prost::Message;
use proto::quickserve::fulfilment::v1::{self as pb, vertical_service_server::VerticalService};
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};

/// How often a delivery is judged whose record changes meanwhile.
const JUDGEMENTS: usize = 3;

/// Serves `VerticalService` for a vertical.
pub struct Server<V> {
    vertical: Arc<V>,
    db: Db,
}

impl<V: Vertical> Server<V> {
    /// Serves `vertical`, whose jobs are in `db`.
    pub fn new(vertical: V, db: Db) -> Self {
        Self { vertical: Arc::new(vertical), db }
    }

    /// The job as it is once the vertical has heard of `order`. Nothing of that is kept: the order may still lose a race.
    async fn in_step_with(&self, order: Option<pb::OrderSnapshot>) -> Result<Job<V::Own>, Error> {
        let (order, details) = self.read_snapshot(order)?;
        match repository::find_job(self.db.connection(), order.order_id, Reach::All).await {
            Ok(mut job) => {
                self.follow_order(&mut job, order, details)?;
                Ok(job)
            }
            Err(Error::OrderNotFound) => {
                self.begin_job(&order, details)?.ok_or(Error::OrderNotFound)
            }
            Err(error) => Err(error),
        }
    }

    /// Follows an order. What is not newer than the record changes nothing, unless the order was restored.
    async fn hear_of_order(
        &self,
        order: Option<pb::OrderSnapshot>,
        restored: bool,
    ) -> Result<(), Error> {
        let (order, details) = self.read_snapshot(order)?;
        let tx = self.db.begin().await?;
        let found = repository::lock_job(&tx, order.order_id, Reach::All).await;
        let mut job = match found {
            Err(Error::OrderNotFound) => {
                let Some(job) = self.begin_job(&order, details.clone())? else { return Ok(()) };
                if repository::insert_job(&tx, &job).await? {
                    self.vertical.schedule_timers(&tx, &job).await?;
                    return Ok(tx.commit().await?);
                }
                // Another call has told of the order at the same time.
                repository::lock_job(&tx, order.order_id, Reach::All).await?
            }
            found => found?,
        };
        if restored {
            job.order.forget_version(&order);
        }
        if self.follow_order(&mut job, order, details)? {
            self.vertical.schedule_timers(&tx, &job).await?;
            repository::save_job(&tx, &mut job).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The job of an order that the vertical has not heard of; none of an erased one.
    fn begin_job(
        &self,
        order: &OrderSnapshot,
        details: Option<V::Details>,
    ) -> Result<Option<Job<V::Own>>, Error> {
        let record = OrderRecord::begin(order, self.db.clock().now());
        let (Some(record), Some(details)) = (record, details) else { return Ok(None) };
        let mut own = self.vertical.begin_job(&details, order)?;
        self.vertical.enter_phase(&mut own, order.phase);
        self.vertical.follow_order(&mut own, order)?;
        Ok(Some(Job { order: record, own }))
    }

    /// Brings a job in step with an order. False when the order has nothing new to say.
    fn follow_order(
        &self,
        job: &mut Job<V::Own>,
        order: OrderSnapshot,
        details: Option<V::Details>,
    ) -> Result<bool, Error> {
        let phase = job.phase();
        let Some(news) = job.order.follow(order.clone(), phase) else { return Ok(false) };
        if let Some(details) = details.filter(|_| news.details_changed) {
            self.vertical.change_details(&mut job.own, &details)?;
        }
        if let Some(phase) = news.entered {
            self.vertical.enter_phase(&mut job.own, phase);
        }
        self.vertical.follow_order(&mut job.own, &order)?;
        if news.erased {
            self.vertical.forget_texts(&mut job.own);
        }
        Ok(true)
    }

    /// Why an order may not enter a phase. Where the vertical lets it end, the record may be locked until it has.
    async fn judge_transition(
        &self,
        order: Option<pb::OrderSnapshot>,
        to: Phase,
    ) -> Result<Vec<&'static str>, Error> {
        for _ in 0..JUDGEMENTS {
            let job = self.in_step_with(order.clone()).await?;
            let denials = self.vertical.denials(&job, to);
            let locks = V::LOCKS_END && to == Phase::Ended && denials.is_empty();
            if !locks || self.lock_as_judged(job).await? {
                return Ok(denials);
            }
        }
        Err(kit::Error::VersionMismatch.into())
    }

    /// Locks the record of a job as it was judged. False when the record has changed since.
    async fn lock_as_judged(&self, mut judged: Job<V::Own>) -> Result<bool, Error> {
        let tx = self.db.begin().await?;
        let id = judged.order.order_id;
        judged.order.lock(tx.now());
        match repository::lock_job::<V::Own>(&tx, id, Reach::All).await {
            Err(Error::OrderNotFound) => {
                if !repository::insert_job(&tx, &judged).await? {
                    return Ok(false);
                }
            }
            Ok(found) if found.order.version != judged.order.version => return Ok(false),
            Ok(_) => repository::save_job(&tx, &mut judged).await?,
            Err(error) => return Err(error),
        }
        tx.commit().await?;
        Ok(true)
    }

    /// What speaks against a change that is about to be approved.
    async fn judge_approval(
        &self,
        request: pb::QuoteChangeRequest,
    ) -> Result<pb::QuoteChangeResponse, Error> {
        let job = self.in_step_with(request.order).await?;
        let amounts = request.lines.iter().filter_map(|line| line.total.as_ref());
        let amount = amounts.fold(0_i64, |sum, total| sum.saturating_add(total.minor_units));
        let quote = ChangeQuote {
            denials: self.vertical.approval_denials(&job, amount),
            ..ChangeQuote::default()
        };
        Ok(convert::to_change_response(quote, request.lines))
    }

    /// Reads an order and the details that it was priced on.
    fn read_snapshot(
        &self,
        order: Option<pb::OrderSnapshot>,
    ) -> Result<(OrderSnapshot, Option<V::Details>), Error> {
        let order = order.ok_or_else(|| Error::invalid("order", "must be given"))?;
        let details = match (order.erased, &order.details) {
            (true, _) => None,
            (false, None) => return Err(Error::invalid("order.details", "must be given")),
            (false, Some(details)) => {
                Some(details::decode_accepted::<V::Details>(V::DETAILS, details)?)
            }
        };
        let order = parse_snapshot(&order, details.as_ref().map(Message::encode_to_vec))?;
        Ok((order, details))
    }
}

#[async_trait]
impl<V: Vertical> VerticalService for Server<V> {
    async fn describe_vertical(
        &self,
        _: Request<pb::DescribeVerticalRequest>,
    ) -> Result<Response<pb::DescribeVerticalResponse>, Status> {
        Ok(Response::new(pb::DescribeVerticalResponse {
            vertical: V::KEY.to_owned(),
            details_message: V::DETAILS.to_owned(),
            requirements: Some(to_requirements(self.vertical.base_requirements())),
            change_message: V::CHANGE.unwrap_or_default().to_owned(),
            recurs: V::RECURS,
        }))
    }

    async fn quote(
        &self,
        request: Request<pb::QuoteRequest>,
    ) -> Result<Response<pb::QuoteResponse>, Status> {
        let request = request.into_inner();
        let pb::QuoteRequest { details, window, address, customer_id, parent, series, asap } =
            request;
        let details = details.ok_or_else(|| Error::invalid("details", "must be given"))?;
        let address = address.ok_or_else(|| Error::invalid("address", "must be given"))?;
        let inputs = QuoteInputs {
            details: details::decode_details(V::DETAILS, &details)?,
            window: Window::parse("window", window.as_ref())?,
            place: parse_position(&address)?,
            address,
            customer_id: parse_uuid("customer_id", &customer_id)?,
            parent: parent.as_ref().map(convert::parse_parent).transpose()?,
            series: series.as_ref().map(convert::parse_series).transpose()?,
            asap,
        };
        Ok(Response::new(convert::to_quote_response(self.vertical.quote(inputs).await?)))
    }

    async fn on_transition(
        &self,
        request: Request<pb::OnTransitionRequest>,
    ) -> Result<Response<pb::OnTransitionResponse>, Status> {
        let request = request.into_inner();
        let (mode, to) = (request.mode(), convert::phase_of(request.to()));
        if matches!(mode, pb::TransitionMode::Tell | pb::TransitionMode::Restore) {
            self.hear_of_order(request.order, mode == pb::TransitionMode::Restore).await?;
            return Ok(Response::new(pb::OnTransitionResponse::default()));
        }
        let to = to.ok_or_else(|| Error::invalid("to", "must be given"))?;
        let denials = self.judge_transition(request.order, to).await?;
        let denials = denials.into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::OnTransitionResponse { denials }))
    }

    async fn completion_gate(
        &self,
        request: Request<pb::CompletionGateRequest>,
    ) -> Result<Response<pb::CompletionGateResponse>, Status> {
        let pb::CompletionGateRequest { proof_kinds, order } = request.into_inner();
        for _ in 0..JUDGEMENTS {
            let job = self.in_step_with(order.clone()).await?;
            let delivery = self.vertical.judge_delivery(&job, &proof_kinds).await?;
            if !delivery.missing.is_empty() || self.lock_as_judged(job).await? {
                return Ok(Response::new(convert::to_gate_response(delivery)));
            }
        }
        Err(Error::from(kit::Error::VersionMismatch).into())
    }

    async fn quote_change(
        &self,
        request: Request<pb::QuoteChangeRequest>,
    ) -> Result<Response<pb::QuoteChangeResponse>, Status> {
        let request = request.into_inner();
        if request.approving {
            return Ok(Response::new(self.judge_approval(request).await?));
        }
        let proposer = convert::parse_side("proposer", request.proposer())?;
        let details = match (&request.details, V::CHANGE) {
            (None, _) => None,
            (Some(details), Some(name)) => {
                Some(details::decode_details::<V::Change>(name, details)?)
            }
            (Some(_), None) => {
                return Err(Error::invalid("details", "is not known here: give lines").into());
            }
        };
        let job = self.in_step_with(request.order).await?;
        let change = ChangeInputs { details, proposer };
        let quote = self.vertical.quote_change(&job, change).await?;
        Ok(Response::new(convert::to_change_response(quote, request.lines)))
    }

    async fn describe_job(
        &self,
        request: Request<pb::DescribeJobRequest>,
    ) -> Result<Response<pb::DescribeJobResponse>, Status> {
        let request = request.into_inner();
        let side = convert::parse_side("side", request.side())?;
        let job = self.in_step_with(request.order).await?;
        let Description { state, actions } =
            self.vertical.describe_job(&job, side, self.db.clock().now());
        let allowed_actions = actions.into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::DescribeJobResponse { state, allowed_actions }))
    }
}
