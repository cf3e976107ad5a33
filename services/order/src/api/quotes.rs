//! Verticals and quotes.

use super::{Api, Caller, view};
use crate::{
    convert,
    domain::{AccountId, Details, Error, Quote, Terms, inputs_hash, price},
};
use chrono::Duration;
use kit::{Id, Window, rpc::details};
use prost::Message;
use proto::quickserve::{
    fulfilment::v1::QuoteResponse,
    order::v1::{self as pb, quote_service_server::QuoteService},
};
use tonic::{Request, Response, Status};

/// How far ahead work can be booked.
const AHEAD_MOST: Duration = Duration::days(366);

#[tonic::async_trait]
impl QuoteService for Api {
    async fn list_verticals(
        &self,
        _: Request<pb::ListVerticalsRequest>,
    ) -> Result<Response<pb::ListVerticalsResponse>, Status> {
        let one = |key: &str| pb::Vertical {
            vertical: key.to_owned(),
            schema_path: format!("/v1/verticals/{key}/schema"),
        };
        let verticals = self.app.peers.verticals().map(one).collect();
        Ok(Response::new(pb::ListVerticalsResponse { verticals }))
    }

    async fn get_vertical_schema(
        &self,
        request: Request<pb::GetVerticalSchemaRequest>,
    ) -> Result<Response<pb::GetVerticalSchemaResponse>, Status> {
        let pb::GetVerticalSchemaRequest { vertical } = request.into_inner();
        let message = self.app.peers.details_message(&vertical).await?;
        let schema = json_schema::request_schema(&message).ok_or_else(|| {
            kit::Error::internal(format!("{vertical} names {message}, which no contract has"))
        })?;
        let schema = Some(details::to_struct(schema));
        Ok(Response::new(pb::GetVerticalSchemaResponse { schema }))
    }

    async fn create_quote(
        &self,
        request: Request<pb::CreateQuoteRequest>,
    ) -> Result<Response<pb::CreateQuoteResponse>, Status> {
        let Caller { account, key, .. } = Caller::of(&request)?;
        let quote = self.priced(account, request.into_inner()).await?;
        let answer = |quote| pb::CreateQuoteResponse { quote: Some(view::quote(quote, None)) };
        let answer = self.app.orders.create_quote(key, quote, answer).await?;
        Ok(Response::new(answer))
    }

    async fn get_quote(
        &self,
        request: Request<pb::GetQuoteRequest>,
    ) -> Result<Response<pb::GetQuoteResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::GetQuoteRequest { quote_id } = request.into_inner();
        let id = Id::parse("quote_id", &quote_id)?;
        let owner = if caller.operator { None } else { Some(caller.account) };
        let quote = self.app.orders.quote(id, owner).await?;
        let order = self.app.orders.order_of_quote(id).await?;
        Ok(Response::new(pb::GetQuoteResponse { quote: Some(view::quote(quote, order)) }))
    }
}

impl Api {
    /// Has the vertical price a job, and binds the price to its inputs.
    async fn priced(
        &self,
        customer: AccountId,
        request: pb::CreateQuoteRequest,
    ) -> Result<Quote, Error> {
        let pb::CreateQuoteRequest { vertical, details, window, address, provider_id } = request;
        let now = self.app.now();
        let window = Window::parse("window", window.as_ref())?;
        if window.start <= now || window.start > now + AHEAD_MOST {
            let problem = "must be in the future and within a year";
            return Err(kit::Error::invalid("window.start", problem).into());
        }
        if window.length() > Duration::days(7) {
            return Err(kit::Error::invalid("window.end", "must be within a week").into());
        }
        let provider_id = Id::parse_optional("provider_id", &provider_id)?;
        let address = address.ok_or_else(|| kit::Error::invalid("address", "must be given"))?;
        let details = details.ok_or_else(|| kit::Error::invalid("details", "must be given"))?;
        let kept = Details(details.encode_to_vec());
        let place = convert::place(address.clone());
        let answer = self.app.peers.quote(&vertical, details, &window, address, customer).await;
        let QuoteResponse { lines, requirements } = answer?;
        let lines = lines.into_iter().map(convert::line).collect::<Result<Vec<_>, _>>()?;
        let (total, currency) = price(&lines)?;
        let inputs_hash = inputs_hash(&vertical, &kept, &window, &place, provider_id);
        Ok(Quote {
            id: Id::new(self.app.orders.db.clock()),
            customer_id: customer,
            details: kept,
            terms: Terms {
                place,
                lines: lines.into_iter().map(|(line, _)| line).collect(),
                requirements: convert::requirements(requirements),
                policy: self.app.policy.of_vertical(&vertical),
            },
            vertical,
            window_start: window.start,
            window_end: window.end,
            time_zone: window.zone.name().to_owned(),
            provider_id,
            total,
            currency: currency.code().to_owned(),
            inputs_hash,
            expires_at: (now + Duration::seconds(self.app.timing().quote_s)).min(window.start),
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }
}
