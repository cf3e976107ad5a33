//! The RPCs: parse, begin, load and lock, rule, save, commit with the answer.

mod asked;
mod calendar;
mod favourites;
mod jobs;
mod orders;
mod quotes;
mod recall;
mod reconcile;
mod records;
mod series;
mod series_input;
mod series_view;
mod settlement;
mod view;

use crate::{
    app::App,
    domain::{Error, OrderId},
};
use kit::{
    Routes, Tx,
    storage::{db::Begun, idempotency::Key},
};
use proto::quickserve::order::v1::{
    calendar_service_server::CalendarServiceServer,
    favourite_service_server::FavouriteServiceServer, job_service_server::JobServiceServer,
    order_service_server::OrderServiceServer, quote_service_server::QuoteServiceServer,
    reconcile_service_server::ReconcileServiceServer, record_service_server::RecordServiceServer,
    series_service_server::SeriesServiceServer, settlement_service_server::SettlementServiceServer,
};
use std::sync::Arc;
use tonic::Response;

/// The public services of order.
#[derive(Clone)]
pub struct Api {
    app: Arc<App>,
}

impl Api {
    /// The routes of all the services.
    pub fn routes(app: Arc<App>) -> Routes {
        let api = Self { app };
        Routes::default()
            .add(QuoteServiceServer::new(api.clone()))
            .add(OrderServiceServer::new(api.clone()))
            .add(JobServiceServer::new(api.clone()))
            .add(SettlementServiceServer::new(api.clone()))
            .add(RecordServiceServer::new(api.clone()))
            .add(FavouriteServiceServer::new(api.clone()))
            .add(SeriesServiceServer::new(api.clone()))
            .add(CalendarServiceServer::new(api.clone()))
            .add(ReconcileServiceServer::new(api))
    }

    /// Commits a change of an order with the call's answer, and tells the vertical of it before the call is answered.
    async fn commit<M>(&self, tx: Tx, id: OrderId, answer: M) -> Result<Response<M>, Error>
    where
        M: prost::Message,
    {
        let response = tx.commit_answer(answer).await?;
        self.app.tell_vertical_at_once(id).await;
        Ok(response)
    }

    /// The answer that an earlier call with the key got. A call that asks other services between two transactions looks
    /// for it first.
    async fn kept_answer<M>(&self, key: &Option<Key>) -> Result<Option<M>, Error>
    where
        M: prost::Message + Default,
    {
        if key.is_none() {
            return Ok(None);
        }
        match self.app.db.begin_call(key.clone()).await? {
            Begun::Answered(answer) => Ok(Some(answer)),
            Begun::New(_) => Ok(None),
        }
    }
}
