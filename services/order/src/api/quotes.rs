//! Verticals and quotes.

use super::{Api, recall::Recalled, view};
use crate::{
    convert,
    domain::{
        AccountId, Address as Place, Error, JobDetails, ParentOrder, PriceInputs, Principal,
        ProviderId, Quote, Terms, inputs_hash, total_price,
    },
    repository::quotes,
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use kit::{
    Id, Window,
    rpc::details,
    storage::{db::Begun, idempotency::Key},
};
use prost::Message;
use proto::quickserve::{
    common::v1::{Address, TimeWindow},
    fulfilment::v1::{QuoteRequest, QuoteResponse},
    order::v1::{self as pb, quote_service_server::QuoteService},
    provider::v1::{FindSlotsRequest, Slot},
};
use serde_json::{Map, Value as Json};
use tonic::{Request, Response, Status};

/// How long the window is that a vertical is asked for where it says itself when the work begins.
const ASKED_ASAP: Duration = Duration::hours(1);

/// How many slots an answer holds at most.
const MAX_SLOTS: usize = 500;

#[tonic::async_trait]
impl QuoteService for Api {
    async fn list_verticals(
        &self,
        _: Request<pb::ListVerticalsRequest>,
    ) -> Result<Response<pb::ListVerticalsResponse>, Status> {
        let verticals = self.app.verticals.keys().map(|key| pb::Vertical {
            vertical: key.to_owned(),
            schema_path: format!("/v1/verticals/{key}/schema"),
        });
        let verticals = verticals.collect();
        Ok(Response::new(pb::ListVerticalsResponse { verticals }))
    }

    async fn get_vertical_schema(
        &self,
        request: Request<pb::GetVerticalSchemaRequest>,
    ) -> Result<Response<pb::GetVerticalSchemaResponse>, Status> {
        let pb::GetVerticalSchemaRequest { vertical } = request.into_inner();
        let mut schema =
            schema_of(&vertical, &self.app.verticals.details_message(&vertical).await?)?;
        let change = self.app.verticals.change_message(&vertical).await?;
        if !change.is_empty() {
            schema.insert("changes".to_owned(), schema_of(&vertical, &change)?.into());
        }
        let schema = Some(details::to_struct(schema));
        Ok(Response::new(pb::GetVerticalSchemaResponse { schema }))
    }

    async fn list_slots(
        &self,
        request: Request<pb::ListSlotsRequest>,
    ) -> Result<Response<pb::ListSlotsResponse>, Status> {
        let caller = kit::caller_of(&request);
        let customer = caller.subject.map(|subject| subject.user_id.to_string());
        let request = request.into_inner();
        let verticals = match request.vertical.as_str() {
            "" if request.provider_id.is_empty() => {
                let problem = "or a provider_id must be given";
                return Err(kit::Error::invalid("vertical", problem).into());
            }
            "" => self.app.verticals.keys().map(str::to_owned).collect(),
            vertical => vec![vertical.to_owned()],
        };
        let mut slots = Vec::new();
        for vertical in verticals {
            let mut requirements = self.app.verticals.requirements(&vertical).await?;
            requirements.skills.extend_from_slice(&request.skills);
            let asked = FindSlotsRequest {
                provider_id: request.provider_id.clone(),
                vertical,
                from: request.from,
                to: request.to,
                duration: request.duration,
                lat: request.lat,
                lng: request.lng,
                requirements: Some(requirements),
                customer_id: customer.clone().unwrap_or_default(),
            };
            slots.extend(self.app.peers.find_slots(asked).await?);
        }
        // A provider of several verticals may be free at one time for each of them.
        slots.sort_by_key(start_of);
        slots.dedup_by_key(|slot| start_of(slot));
        slots.truncate(MAX_SLOTS);
        Ok(Response::new(pb::ListSlotsResponse { slots }))
    }

    async fn create_quote(
        &self,
        request: Request<pb::CreateQuoteRequest>,
    ) -> Result<Response<pb::CreateQuoteResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let key = Key::of(&request);
        let quote = self.price_quote(account, request.into_inner()).await?;
        if key.is_none() {
            // One statement is a transaction by itself.
            quotes::insert_quote(self.app.db.connection(), &quote).await?;
            let quote = Some(view::quote_view(quote, None));
            return Ok(Response::new(pb::CreateQuoteResponse { quote }));
        }
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        quotes::insert_quote(&*tx, &quote).await?;
        let quote = Some(view::quote_view(quote, None));
        Ok(tx.commit_answer(pb::CreateQuoteResponse { quote }).await?)
    }

    async fn get_quote(
        &self,
        request: Request<pb::GetQuoteRequest>,
    ) -> Result<Response<pb::GetQuoteResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::GetQuoteRequest { quote_id } = request.into_inner();
        let id = Id::parse("quote_id", &quote_id)?;
        let owner = match caller {
            Principal::User { id, operator: false } => Some(id),
            Principal::User { operator: true, .. } | Principal::System => None,
        };
        let db = self.app.db.connection();
        let quote = quotes::get_quote(db, id, owner).await?;
        let order = quotes::order_of(db, id).await?;
        Ok(Response::new(pb::GetQuoteResponse { quote: Some(view::quote_view(quote, order)) }))
    }
}

/// A job that a vertical is asked to price.
struct AskedJob {
    customer: AccountId,
    vertical: String,
    details: JobDetails,
    place: Place,
    provider_id: Option<ProviderId>,
    parent: Option<ParentOrder>,
    asap: bool,
    asked: Window,
}

/// Reads where a job is.
pub(super) fn parse_place(address: Option<Address>) -> Result<Place, Error> {
    let address = address.ok_or_else(|| kit::Error::invalid("address", "must be given"))?;
    let place = convert::parse_place("address", address)?;
    place.check_country()?;
    Ok(place)
}

/// Refuses what an order as soon as possible leaves to the vertical and to the search.
fn check_asap(has_window: bool, has_provider: bool) -> Result<(), Error> {
    let field = match (has_window, has_provider) {
        (true, _) => "window",
        (false, true) => "provider_id",
        (false, false) => return Ok(()),
    };
    let problem = "must be left out with asap: the nearest provider comes as soon as possible";
    Err(kit::Error::invalid(field, problem).into())
}

/// Reads when a vertical thinks that work begins as soon as possible.
fn parse_asap_window(
    answered: Option<&TimeWindow>,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Window, Error> {
    let problem = "is not offered by this vertical: ask for a window";
    let answered = answered.ok_or_else(|| kit::Error::invalid("asap", problem))?;
    let window = Window::parse_at("window", Some(answered), zone).map_err(kit::Error::internal)?;
    if window.start <= now {
        let problem = "the vertical answers a window that has begun";
        return Err(kit::Error::internal(problem).into());
    }
    Ok(window)
}

/// The schema of a message that a vertical names.
fn schema_of(vertical: &str, message: &str) -> Result<Map<String, Json>, Error> {
    let schema = json_schema::request_schema(message).ok_or_else(|| {
        kit::Error::internal(format!("{vertical} names {message}, which no contract has"))
    })?;
    Ok(schema)
}

fn start_of(slot: &Slot) -> Option<(i64, i32)> {
    let start = slot.window.as_ref()?.start?;
    Some((start.seconds, start.nanos))
}

impl Api {
    /// The window that a customer asks for; for an order as soon as possible the next hour, of which the vertical makes
    /// another one.
    fn asked_window(
        &self,
        window: Option<TimeWindow>,
        asap: bool,
        has_provider: bool,
        zone: Tz,
    ) -> Result<Window, Error> {
        let now = self.app.now();
        if asap {
            check_asap(window.is_some(), has_provider)?;
            return Ok(Window { start: now, end: now + ASKED_ASAP, zone });
        }
        let window = Window::parse_at("window", window.as_ref(), zone)?;
        self.app.timing.check_start(window.start, now)?;
        Ok(window)
    }

    /// Has the vertical price a job, and binds the price to its inputs.
    pub(super) async fn price_quote(
        &self,
        customer: AccountId,
        request: pb::CreateQuoteRequest,
    ) -> Result<Quote, Error> {
        let pb::CreateQuoteRequest {
            vertical,
            details,
            window,
            address,
            provider_id,
            asap,
            parent_order_id,
        } = request;
        let place = parse_place(address)?;
        let provider_id = Id::parse_optional("provider_id", &provider_id)?;
        let recalled = match parent_order_id.as_str() {
            "" => None,
            id => Some(self.find_recalled(customer, "parent_order_id", id).await?),
        };
        let provider_id = match &recalled {
            Some(recalled) => recalled.check_quote(&vertical, provider_id)?,
            None => provider_id,
        };
        let asked = self.asked_window(window, asap, provider_id.is_some(), place.zone())?;
        let details = details.ok_or_else(|| kit::Error::invalid("details", "must be given"))?;
        let parent = recalled.as_ref().map(|recalled| recalled.parent);
        let kept = JobDetails(details.encode_to_vec());
        let request = QuoteRequest {
            details: Some(details),
            window: Some(asked.into()),
            address: Some(convert::address(&place)),
            customer_id: customer.to_string(),
            asap,
            parent: recalled.as_ref().map(Recalled::message),
            ..QuoteRequest::default()
        };
        let (answer, change_message) = tokio::join!(
            self.app.verticals.quote(&vertical, request),
            self.app.verticals.change_message(&vertical),
        );
        let job =
            AskedJob { customer, vertical, details: kept, place, provider_id, parent, asap, asked };
        self.make_quote(job, answer?, !change_message?.is_empty())
    }

    /// Binds the vertical's answer to what it was asked.
    fn make_quote(
        &self,
        job: AskedJob,
        answer: QuoteResponse,
        customer_changes: bool,
    ) -> Result<Quote, Error> {
        let AskedJob { customer, vertical, details, place, provider_id, parent, asap, asked } = job;
        let now = self.app.now();
        let QuoteResponse { lines, requirements, window: answered, cap, manual_acceptance } =
            answer;
        let requirements = convert::requirements(requirements);
        let window = match asap {
            true => parse_asap_window(answered.as_ref(), place.zone(), now)?,
            false => asked,
        };
        requirements.check_window(&window, &self.app.timing)?;
        let lines = lines.into_iter().map(convert::line).collect::<Result<Vec<_>, _>>()?;
        let (total, currency) = total_price(&lines)?;
        let cap = convert::parse_cap(cap.as_ref(), total, currency)?;
        let inputs_hash = inputs_hash(&PriceInputs {
            vertical: &vertical,
            details: &details,
            window: &window,
            place: &place,
            provider: provider_id,
            asap,
            parent: parent.map(|parent| parent.order_id),
        });
        Ok(Quote {
            id: Id::new(self.app.db.clock()),
            customer_id: customer,
            details,
            terms: Terms {
                place,
                lines: lines.into_iter().map(|(line, _)| line).collect(),
                requirements,
                policy: self.app.policy.of_vertical(&vertical),
                asap,
                parent,
                series: None,
                cap,
                manual_acceptance,
                customer_changes,
            },
            vertical,
            window_start: window.start,
            window_end: window.end,
            time_zone: window.zone.name().to_owned(),
            provider_id,
            total,
            currency: currency.code().to_owned(),
            inputs_hash,
            expires_at: (now + Duration::seconds(self.app.timing.quote_s)).min(window.start),
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }
}
