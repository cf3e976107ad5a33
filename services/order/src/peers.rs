//! Provider and payment, as order asks them. They are never called while a transaction is open.

mod eligibility;

use crate::{
    convert,
    domain::{
        ChangeId, Error, FoundProvider, Order, OrderId, ProviderId, RequestedProvider,
        records::visit,
    },
};
use chrono::{DateTime, Utc};
use kit::{Host, Window, rpc::client::Channel, values::time::timestamp};
use proto::quickserve::{
    payment::v1::{
        self as pb, ListOrderPaymentsRequest, RaiseAuthorizationRequest,
        charge_service_client::ChargeServiceClient,
    },
    provider::v1::{
        BeginReservationRequest, Candidate, ConfirmReservationRequest, DescribeReservationRequest,
        DescribeReservationResponse, FindCandidatesRequest, FindSlotsRequest,
        FinishReservationRequest, HoldReservationRequest, HoldReservationResponse,
        ListOrderReservationsRequest, ListOrderReservationsResponse, MoveReservationRequest,
        OrderReservation, ReleaseReservationRequest, ReservationState, Slot,
        reservation_service_client::ReservationServiceClient,
    },
};
use tonic::Code;

/// Time that a provider has for an order.
#[derive(Clone, Debug)]
pub struct HeldTime {
    pub order: OrderId,
    pub provider: ProviderId,
    /// The round of the search in which it was held.
    pub round: i32,
    /// When the work happens.
    pub window: Window,
    /// Whether it stays until it is released.
    pub confirmed: bool,
}

impl TryFrom<OrderReservation> for HeldTime {
    type Error = Error;

    fn try_from(reservation: OrderReservation) -> Result<Self, Error> {
        Ok(Self {
            order: parse_id(&reservation.order_id)?,
            provider: parse_id(&reservation.provider_id)?,
            round: reservation.round,
            window: Window::parse("window", reservation.window.as_ref())?,
            confirmed: reservation.state() == ReservationState::Confirmed,
        })
    }
}

/// Which providers are looked for.
#[derive(Clone)]
pub struct CandidateSearch {
    /// Those to leave out.
    pub excluded: Vec<ProviderId>,
    /// Those that come first among equals.
    pub preferred: Vec<ProviderId>,
    /// Whether only those are looked at.
    pub preferred_only: bool,
    pub limit: i32,
    /// How far away they may be, in metres; 0 for as far as their own areas say.
    pub radius_m: i32,
}

/// Typed clients of provider and payment.
#[derive(Clone)]
pub struct Peers {
    reservations: ReservationServiceClient<Channel>,
    charges: ChargeServiceClient<Channel>,
}

impl Peers {
    /// The peers of `host`.
    pub fn new(host: &Host) -> Self {
        Self {
            reservations: ReservationServiceClient::new(host.channel("provider")),
            charges: ChargeServiceClient::new(host.channel("payment")),
        }
    }

    /// The charges of payment.
    pub fn charges(&self) -> ChargeServiceClient<Channel> {
        self.charges.clone()
    }

    /// Holds a provider's time for the order in its present round. What the order had before and lost with a restore is
    /// `booked`.
    pub async fn hold(
        &self,
        order: &Order,
        provider: ProviderId,
        until: DateTime<Utc>,
        booked: bool,
    ) -> Result<HoldReservationResponse, Error> {
        let request = HoldReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            vertical: order.vertical.clone(),
            window: Some(order.window().into()),
            address: Some(convert::address(&order.terms.place)),
            requirements: Some(convert::requirements_of(&order.terms.requirements)),
            hold_expires_at: Some(timestamp(until)),
            customer_id: order.customer_id.to_string(),
            round: order.progress.round,
            booked,
            begin: order.runs_from_hold(),
        };
        Ok(self.reservations.clone().hold_reservation(request).await?.into_inner())
    }

    /// The members and vehicles that come for the order.
    pub async fn describe_reservation(
        &self,
        order: &Order,
        provider: ProviderId,
    ) -> Result<DescribeReservationResponse, Error> {
        let request = DescribeReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            round: order.progress.round,
        };
        Ok(self.reservations.clone().describe_reservation(request).await?.into_inner())
    }

    /// Has provider keep time for a further visit to work that is under way. The home is not told: provider knows it from
    /// the order's own time, and forgets it there.
    pub async fn hold_visit(
        &self,
        order: &Order,
        visit: &visit::Model,
        window: &Window,
    ) -> Result<(), Error> {
        let request = HoldReservationRequest {
            order_id: visit.id.to_string(),
            provider_id: visit.provider_id.to_string(),
            vertical: order.vertical.clone(),
            window: Some((*window).into()),
            requirements: Some(convert::requirements_of(&order.terms.requirements)),
            hold_expires_at: Some(timestamp(window.end)),
            customer_id: order.customer_id.to_string(),
            // The provider names the time: other hours of the week are no objection.
            booked: true,
            ..HoldReservationRequest::default()
        };
        self.reservations.clone().hold_reservation(request).await?;
        let request = ConfirmReservationRequest {
            order_id: visit.id.to_string(),
            provider_id: visit.provider_id.to_string(),
            round: 0,
        };
        self.reservations.clone().confirm_reservation(request).await?;
        Ok(())
    }

    /// A page of the reservations of these orders, or of all when none is named, and the token of the next page.
    pub async fn list_reservations(
        &self,
        request: ListOrderReservationsRequest,
    ) -> Result<(Vec<HeldTime>, String), Error> {
        let answer = self.reservations.clone().list_order_reservations(request).await?;
        let ListOrderReservationsResponse { reservations, next_page_token } = answer.into_inner();
        let held = reservations.into_iter().map(HeldTime::try_from).collect::<Result<_, _>>()?;
        Ok((held, next_page_token))
    }

    /// A page of the payments of these orders, or of all that are not closed when none is named, and the token of the next
    /// page.
    pub async fn list_payments(
        &self,
        request: ListOrderPaymentsRequest,
    ) -> Result<(Vec<pb::Payment>, String), Error> {
        let answer = self.charges.clone().list_order_payments(request).await?.into_inner();
        Ok((answer.payments, answer.next_page_token))
    }

    /// Confirms the time that is held in the present round.
    pub async fn confirm(&self, order: &Order, provider: ProviderId) -> Result<(), Error> {
        let request = ConfirmReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            round: order.progress.round,
        };
        self.reservations.clone().confirm_reservation(request).await?;
        Ok(())
    }

    /// Begins the job: the provider does no other exclusive one until it is finished.
    pub async fn begin(&self, order: &Order, provider: ProviderId) -> Result<(), Error> {
        let request = BeginReservationRequest {
            order_id: order.id.to_string(),
            provider_id: provider.to_string(),
            round: order.progress.round,
        };
        self.reservations.clone().begin_reservation(request).await?;
        Ok(())
    }

    /// Ends the job: the provider may do another exclusive one, and has the rest of the time back.
    pub async fn finish(
        &self,
        order: OrderId,
        provider: ProviderId,
        round: i32,
    ) -> Result<(), Error> {
        let provider_id = provider.to_string();
        let request = FinishReservationRequest { order_id: order.to_string(), provider_id, round };
        self.reservations.clone().finish_reservation(request).await?;
        Ok(())
    }

    /// Frees the time that a provider has in a round or had in one before. A later round may hold it again.
    pub async fn release(
        &self,
        order: OrderId,
        provider: ProviderId,
        round: i32,
    ) -> Result<(), Error> {
        let provider_id = provider.to_string();
        let request = ReleaseReservationRequest { order_id: order.to_string(), provider_id, round };
        self.reservations.clone().release_reservation(request).await?;
        Ok(())
    }

    /// Frees the time of all providers who have some for the order, for good.
    pub async fn release_all(&self, order: OrderId) -> Result<(), Error> {
        let order_id = order.to_string();
        let request =
            ReleaseReservationRequest { order_id, ..ReleaseReservationRequest::default() };
        self.reservations.clone().release_reservation(request).await?;
        Ok(())
    }

    /// Moves the time of the present round to another window; what is only held stays held `until` then.
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
            round: order.progress.round,
        };
        self.reservations.clone().move_reservation(request).await?;
        Ok(())
    }

    /// When work could be booked.
    pub async fn find_slots(&self, request: FindSlotsRequest) -> Result<Vec<Slot>, Error> {
        Ok(self.reservations.clone().find_slots(request).await?.into_inner().slots)
    }

    /// Providers that could take the order, best first.
    pub async fn candidates(
        &self,
        order: &Order,
        search: CandidateSearch,
    ) -> Result<Vec<FoundProvider>, Error> {
        let CandidateSearch { excluded, preferred, preferred_only, limit, radius_m } = search;
        let request = FindCandidatesRequest {
            vertical: order.vertical.clone(),
            window: Some(order.window().into()),
            address: Some(convert::address(&order.terms.place)),
            requirements: Some(convert::requirements_of(&order.terms.requirements)),
            excluded_provider_ids: excluded.iter().map(ToString::to_string).collect(),
            limit,
            customer_id: order.customer_id.to_string(),
            radius_m,
            preferred_provider_ids: preferred.iter().map(ToString::to_string).collect(),
            preferred_only,
        };
        let answer = self.reservations.clone().find_candidates(request).await?.into_inner();
        answer.candidates.into_iter().map(FoundProvider::try_from).collect()
    }

    /// Raises what is authorised, once for each change order.
    pub async fn raise(
        &self,
        order: &Order,
        amount: i64,
        change: ChangeId,
        confirmation: String,
    ) -> Result<(), Error> {
        let request = RaiseAuthorizationRequest {
            order_id: order.id.to_string(),
            amount: Some(order.money(amount).into()),
            step_key: change.to_string(),
            confirmation,
        };
        let raised = self.charges.clone().raise_authorization(request).await?.into_inner();
        match raised.outcome() {
            pb::Outcome::ConfirmationRequired => {
                Err(Error::ConfirmationRequired(raised.confirmation_url))
            }
            _ => Ok(()),
        }
    }
}

impl TryFrom<Candidate> for FoundProvider {
    type Error = Error;

    fn try_from(candidate: Candidate) -> Result<Self, Error> {
        let provider = RequestedProvider {
            provider_id: parse_id(&candidate.provider_id)?,
            provider_user_id: parse_id(&candidate.provider_user_id)?,
            name: candidate.provider_name,
        };
        let travel_s = candidate.travel_time.map_or(0, |time| time.seconds.max(0));
        Ok(Self { provider, travel_s })
    }
}

/// Reads an id in a service's answer.
pub fn parse_id<T>(text: &str) -> Result<kit::Id<T>, Error> {
    let wrong = |_| kit::Error::internal("a called service answered an id that is none");
    text.parse().map_err(wrong).map_err(Error::from)
}

/// Whether a failed call was refused. Otherwise what it did is not known, and it may be made again.
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

/// The reason of a failed call that was refused.
pub fn refusal_reason(error: &Error) -> Option<String> {
    let Error::Kit(kit::Error::Upstream(status)) = error else { return None };
    is_refusal(error).then(|| kit::rpc::error::reason_of(status))
}

/// The reason of a failed call that was refused for good, so that making it again is of no use. A lost race, and a peer
/// that does not know the RPC or its caller yet, are no such answers.
pub fn final_refusal(error: &Error) -> Option<String> {
    let Error::Kit(kit::Error::Upstream(status)) = error else { return None };
    let is_final = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::OutOfRange
    );
    is_final.then(|| kit::rpc::error::reason_of(status))
}
