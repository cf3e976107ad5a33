//! The RPCs: parse, one call, convert.

mod jobs;
mod orders;
mod quotes;
mod records;
mod settlement;
mod view;

use crate::{
    app::{Answer, App},
    domain::{AccountId, Actor, Error, Order, Who},
    repository::Call,
};
use kit::{
    Routes,
    storage::idempotency::{HEADER, Key},
};
use proto::quickserve::order::v1::{
    self as pb, job_service_server::JobServiceServer, order_service_server::OrderServiceServer,
    quote_service_server::QuoteServiceServer, record_service_server::RecordServiceServer,
    settlement_service_server::SettlementServiceServer,
};
use std::sync::Arc;
use tonic::Request;

/// The public services of order.
#[derive(Clone)]
pub struct Api {
    app: Arc<App>,
}

/// Who calls, and the key of the call.
#[derive(Clone)]
struct Caller {
    account: AccountId,
    operator: bool,
    key: Option<Key>,
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
            .add(RecordServiceServer::new(api))
    }

    /// Answers with the order as the caller sees it.
    fn answer<M>(&self, caller: &Caller, wrap: fn(Option<pb::Order>) -> M) -> Answer<M>
    where
        M: 'static,
    {
        let (app, who) = (self.app.clone(), caller.who());
        Arc::new(move |order: &Order| wrap(Some(view::order(&app, order, side(order, &who)))))
    }
}

impl Caller {
    fn of<M: prost::Message>(request: &Request<M>) -> Result<Self, Error> {
        let caller = kit::caller(request);
        let account = AccountId::from_uuid(caller.subject()?.user_id);
        let keyed = request.metadata().contains_key(HEADER);
        let key = if keyed { Key::of(request) } else { None };
        Ok(Self { account, operator: caller.is_operator(), key })
    }

    const fn who(&self) -> Who {
        Who::User { id: self.account, operator: self.operator }
    }

    fn call(&self, order_id: &str, version: i64) -> Result<Call, Error> {
        let id = kit::Id::parse("order_id", order_id)?;
        Ok(Call { id, who: self.who(), key: self.key.clone(), version })
    }
}

/// The side from which somebody looks at an order that they may see.
fn side(order: &Order, who: &Who) -> Actor {
    order.side(who).unwrap_or(Actor::System)
}
