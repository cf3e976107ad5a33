//! The services that order asks: verticals, provider, payment. Calls are never made inside a transaction.

use crate::{
    convert,
    domain::{
        AccountId, Authorization, ChangeId, Error, Order, Outcome, ProviderId, RequestedProvider,
        Resource, State,
    },
};
use chrono::{DateTime, Utc};
use kit::{Host, Window, rpc::client::Channel, values::time::timestamp};
use prost_types::Struct;
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::{
        CompletionGateRequest, DescribeVerticalRequest, OnTransitionRequest, QuoteRequest,
        QuoteResponse, vertical_service_client::VerticalServiceClient,
    },
    payment::v1::{
        self as payment, AuthorizePaymentRequest, AuthorizePaymentResponse,
        RaiseAuthorizationRequest, charge_service_client::ChargeServiceClient,
    },
    provider::v1::{
        Candidate, ConfirmReservationRequest, FindCandidatesRequest, HoldReservationRequest,
        MoveReservationRequest, ReleaseReservationRequest,
        reservation_service_client::ReservationServiceClient,
    },
};
use std::collections::BTreeMap;
use tonic::Code;

/// Typed clients of the services that order asks.
#[derive(Clone)]
pub struct Peers {
    verticals: BTreeMap<String, VerticalServiceClient<Channel>>,
    reservations: ReservationServiceClient<Channel>,
    charges: ChargeServiceClient<Channel>,
}

impl Peers {
    /// The peers of `host`; a vertical answers under its own key.
    pub fn new(host: &Host, verticals: &[String]) -> Self {
        let client = |key: &String| (key.clone(), VerticalServiceClient::new(host.channel(key)));
        Self {
            verticals: verticals.iter().map(client).collect(),
            reservations: ReservationServiceClient::new(host.channel("provider")),
            charges: ChargeServiceClient::new(host.channel("payment")),
        }
    }

    /// The keys of the verticals, sorted.
    pub fn verticals(&self) -> impl Iterator<Item = &str> {
        self.verticals.keys().map(String::as_str)
    }

    /// The client of a vertical.
    fn vertical(&self, key: &str) -> Result<VerticalServiceClient<Channel>, Error> {
        self.verticals.get(key).cloned().ok_or(Error::NotFound(Resource::Vertical))
    }

    /// The name of the message that a vertical's details must fit.
    pub async fn details_message(&self, key: &str) -> Result<String, Error> {
        let answer = self.vertical(key)?.describe_vertical(DescribeVerticalRequest {}).await?;
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
        let known = self.verticals.contains_key(key);
        let unknown = || kit::Error::invalid("vertical", "is none that can be booked");
        let mut vertical = if known { self.vertical(key)? } else { return Err(unknown().into()) };
        let request = QuoteRequest {
            details: Some(details),
            window: Some((*window).into()),
            address: Some(address),
            customer_id: customer.to_string(),
        };
        Ok(vertical.quote(request).await?.into_inner())
    }

    /// Asks the vertical whether the order may move, or tells it that it did.
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
        let answer = self.vertical(&order.vertical)?.on_transition(request).await?;
        Ok(answer.into_inner().denials)
    }

    /// As [`Peers::on_transition`], an error when the vertical says no.
    pub async fn allow(
        &self,
        order: &Order,
        to: State,
        provider: Option<AccountId>,
    ) -> Result<(), Error> {
        let denials = self.on_transition(order, order.state, to, provider).await?;
        if denials.is_empty() {
            return Ok(());
        }
        Err(Error::Denied(order.vertical.clone(), denials))
    }

    /// An error when something is missing before the work can be delivered.
    pub async fn gate(&self, order: &Order, proof_kinds: Vec<String>) -> Result<(), Error> {
        let request = CompletionGateRequest { order_id: order.id.to_string(), proof_kinds };
        let answer = self.vertical(&order.vertical)?.completion_gate(request).await?;
        let missing = answer.into_inner().missing;
        if missing.is_empty() { Ok(()) } else { Err(Error::GateClosed(missing)) }
    }

    /// Holds a provider's time.
    pub async fn hold(
        &self,
        order: &Order,
        provider: ProviderId,
        until: DateTime<Utc>,
    ) -> Result<RequestedProvider, Error> {
        let request = HoldReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            vertical: order.vertical.clone(),
            window: Some(order.window().into()),
            address: Some(convert::address(&order.terms.place)),
            requirements: Some(convert::requirements_of(&order.terms)),
            hold_expires_at: Some(timestamp(until)),
            customer_id: order.customer_id.to_string(),
        };
        let answer = self.reservations.clone().hold_reservation(request).await?.into_inner();
        let provider_user_id = parsed(&answer.provider_user_id)?;
        Ok(RequestedProvider {
            provider_id: provider,
            provider_user_id,
            name: answer.provider_name,
        })
    }

    /// Confirms the time that is held.
    pub async fn confirm(&self, order: &Order, provider: ProviderId) -> Result<(), Error> {
        let request = ConfirmReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
        };
        self.reservations.clone().confirm_reservation(request).await?;
        Ok(())
    }

    /// Frees a provider's time, or everybody's.
    pub async fn release(&self, order: &Order, provider: Option<ProviderId>) -> Result<(), Error> {
        let request = ReleaseReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.map(|id| id.to_string()).unwrap_or_default(),
        };
        self.reservations.clone().release_reservation(request).await?;
        Ok(())
    }

    /// Moves the time to another window; what is only held stays held `until` then.
    pub async fn move_to(
        &self,
        order: &Order,
        provider: ProviderId,
        window: Window,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let request = MoveReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            window: Some(window.into()),
            hold_expires_at: until.map(timestamp),
        };
        self.reservations.clone().move_reservation(request).await?;
        Ok(())
    }

    /// Providers that could take the order, best first.
    pub async fn candidates(
        &self,
        order: &Order,
        excluded: Vec<ProviderId>,
        limit: i32,
    ) -> Result<Vec<RequestedProvider>, Error> {
        let request = FindCandidatesRequest {
            vertical: order.vertical.clone(),
            window: Some(order.window().into()),
            address: Some(convert::address(&order.terms.place)),
            requirements: Some(convert::requirements_of(&order.terms)),
            excluded_provider_ids: excluded.iter().map(ToString::to_string).collect(),
            limit,
            customer_id: order.customer_id.to_string(),
        };
        let answer = self.reservations.clone().find_candidates(request).await?.into_inner();
        let named = |candidate: Candidate| {
            Ok(RequestedProvider {
                provider_id: parsed(&candidate.provider_id)?,
                provider_user_id: parsed(&candidate.provider_user_id)?,
                name: candidate.provider_name,
            })
        };
        answer.candidates.into_iter().map(named).collect()
    }

    /// Authorises the price, or finds what became of the attempt with this key.
    pub async fn authorize(
        &self,
        order: &Order,
        confirmation: String,
        save_method_only: bool,
    ) -> Result<Authorization, Error> {
        let method = order.payment.method_id;
        let request = AuthorizePaymentRequest {
            order_id: order.id.to_string(),
            customer_id: order.customer_id.to_string(),
            amount: Some(order.money(order.total).into()),
            payment_method_id: method.map(|id| id.to_string()).unwrap_or_default(),
            attempt_key: order.attempt_key(),
            confirmation,
            save_method_only,
        };
        let answer = self.charges.clone().authorize_payment(request).await?.into_inner();
        let AuthorizePaymentResponse { payment_id, outcome, decline_reason, confirmation_url } =
            answer;
        let outcome = match payment::Outcome::try_from(outcome) {
            Ok(payment::Outcome::Authorized) => Outcome::Authorized,
            Ok(payment::Outcome::MethodSaved) => Outcome::MethodSaved,
            Ok(payment::Outcome::ConfirmationRequired) => Outcome::ConfirmationRequired,
            Ok(payment::Outcome::Declined) => Outcome::Declined,
            Ok(payment::Outcome::Pending | payment::Outcome::Unspecified) | Err(_) => {
                Outcome::Pending
            }
        };
        let payment_id = payment_id.parse().ok();
        Ok(Authorization { payment_id, outcome, decline_reason, confirmation_url })
    }

    /// Raises what is authorised, once for each change order.
    pub async fn raise(&self, order: &Order, amount: i64, change: ChangeId) -> Result<(), Error> {
        let request = RaiseAuthorizationRequest {
            order_id: order.id.to_string(),
            amount: Some(order.money(amount).into()),
            step_key: change.to_string(),
        };
        self.charges.clone().raise_authorization(request).await?;
        Ok(())
    }

    /// The payment service.
    pub fn charges(&self) -> ChargeServiceClient<Channel> {
        self.charges.clone()
    }
}

/// Reads an id in a service's answer.
fn parsed<T>(text: &str) -> Result<kit::Id<T>, Error> {
    let wrong = |_| kit::Error::internal("a called service answered an id that is none");
    text.parse().map_err(wrong).map_err(Error::from)
}

/// Whether a failed call was refused for good. Otherwise what it did is not known, and it may be made again.
pub fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Kit(kit::Error::Upstream(status)) => matches!(
            status.code(),
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::PermissionDenied
                | Code::OutOfRange
                | Code::Unimplemented
        ),
        _ => true,
    }
}
