//! The verticals: they price the work, agree to what a provider does before it is done, and hear of the rest afterwards.
//!
//! Which action is asked about and which is told of stands in [`Action::vertical_role`] alone. Before the vertical is
//! asked, provider says whether the provider may still work ([`crate::processes::eligibility`]). No service is called
//! while a transaction is open, so that the answer is an [`Agreement`] that the transaction takes along.

use crate::{
    app::App,
    convert,
    domain::{
        AccountId, Action, Actor, Agreement, Error, Order, OrderId, Principal, ProviderId,
        Resource, State, VerticalRole,
    },
    repository::orders,
};
use kit::{Host, Window, rpc::client::Channel};
use prost_types::Struct;
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::{
        CompletionGateRequest, DescribeVerticalRequest, OnTransitionRequest, QuoteRequest,
        QuoteResponse, vertical_service_client::VerticalServiceClient,
    },
};
use std::collections::BTreeMap;

/// Typed clients of the verticals.
#[derive(Clone)]
pub struct Verticals(BTreeMap<String, VerticalServiceClient<Channel>>);

impl App {
    /// Asks provider and the vertical about an action that `principal` wants to do to an order. One that the state
    /// refuses is not asked about: what refuses it also finds the answer of an earlier call with the same key.
    pub async fn ask_before(
        &self,
        id: OrderId,
        principal: &Principal,
        action: Action,
    ) -> Result<Option<Agreement>, Error> {
        let order = orders::get(self.db.connection(), id, principal).await?;
        match order.side(principal) {
            Some(by) => {
                let provider = order.provider_id.zip(order.provider_user_id);
                self.ask_before_as(&order, action, by, provider).await
            }
            None => Ok(None),
        }
    }

    /// As [`App::ask_before`], about an action by `by` after which the order is `provider`'s.
    pub async fn ask_before_as(
        &self,
        order: &Order,
        action: Action,
        by: Actor,
        provider: Option<(ProviderId, AccountId)>,
    ) -> Result<Option<Agreement>, Error> {
        let Ok(to) = order.check_now(action, by, self.now(), &self.timing) else { return Ok(None) };
        if action.vertical_role() == VerticalRole::ToldAfterwards {
            return Ok(None);
        }
        if let Some((provider, _)) = provider.filter(|_| action.asks_eligibility()) {
            self.check_eligibility(order, provider).await?;
        }
        if action == Action::Deliver {
            let proof_kinds = orders::proof_kinds(self.db.connection(), order.id).await?;
            self.verticals.check_completion_gate(order, proof_kinds).await?;
        }
        let account = provider.map(|(_, account)| account);
        let denials = self.verticals.on_transition(order, order.state, to.state, account).await?;
        if denials.is_empty() {
            Ok(Some(Agreement::to(action)))
        } else {
            Err(Error::Denied(order.vertical.clone(), denials))
        }
    }
}

impl Verticals {
    /// The verticals of `host` with these keys; each answers under its own.
    pub fn new(host: &Host, keys: &[String]) -> Self {
        let client = |key: &String| (key.clone(), VerticalServiceClient::new(host.channel(key)));
        Self(keys.iter().map(client).collect())
    }

    /// The keys of the verticals, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn client(&self, key: &str) -> Result<VerticalServiceClient<Channel>, Error> {
        self.0.get(key).cloned().ok_or(Error::NotFound(Resource::Vertical))
    }

    /// The name of the message that a vertical's details must fit.
    pub async fn details_message(&self, key: &str) -> Result<String, Error> {
        let answer = self.client(key)?.describe_vertical(DescribeVerticalRequest {}).await?;
        Ok(answer.into_inner().details_message)
    }

    /// What a vertical asks for a job.
    pub async fn quote(
        &self,
        key: &str,
        details: Struct,
        window: &Window,
        address: Address,
        customer: AccountId,
    ) -> Result<QuoteResponse, Error> {
        let unknown = |_| kit::Error::invalid("vertical", "is not one that can be booked");
        let mut vertical = self.client(key).map_err(unknown)?;
        let request = QuoteRequest {
            details: Some(details),
            window: Some((*window).into()),
            address: Some(address),
            customer_id: customer.to_string(),
        };
        Ok(vertical.quote(request).await?.into_inner())
    }

    /// Asks the vertical whether the order may move, or tells it that it did. Returns why it may not.
    pub async fn on_transition(
        &self,
        order: &Order,
        from: State,
        to: State,
        provider: Option<AccountId>,
    ) -> Result<Vec<String>, Error> {
        let request = OnTransitionRequest {
            order_id: order.id.to_string(),
            from: convert::state(from).into(),
            to: convert::state(to).into(),
            customer_id: order.customer_id.to_string(),
            provider_user_id: provider.map(|id| id.to_string()).unwrap_or_default(),
            details: convert::details(&order.details.0),
            window: Some(order.window().into()),
        };
        let answer = self.client(&order.vertical)?.on_transition(request).await?;
        Ok(answer.into_inner().denials)
    }

    /// Fails when something is missing before the work can be delivered.
    async fn check_completion_gate(
        &self,
        order: &Order,
        proof_kinds: Vec<String>,
    ) -> Result<(), Error> {
        let request = CompletionGateRequest { order_id: order.id.to_string(), proof_kinds };
        let answer = self.client(&order.vertical)?.completion_gate(request).await?;
        let missing = answer.into_inner().missing;
        if missing.is_empty() { Ok(()) } else { Err(Error::GateClosed(missing)) }
    }
}
