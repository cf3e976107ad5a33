//! What visits of a series cost: when they are booked, and again two days before their start, by the time since the visit
//! that was really made.

use crate::{
    app::App,
    convert,
    domain::{
        AccountId, Address, DueVisit, Error, JobDetails, MovePrice, Order, OrderId, PriceInputs,
        Principal, ProviderMode, Quote, Requirements, SeriesLink, State, Terms, inputs_hash,
        total_price,
    },
    peers::{final_refusal, is_refusal},
    repository::{orders, series},
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use kit::{Window, values::money::Currency};
use proto::quickserve::fulfilment::v1::{QuoteRequest, QuoteResponse, SeriesPlace};

/// A job whose price is asked for.
pub struct VisitInputs<'a> {
    pub vertical: &'a str,
    pub details: &'a JobDetails,
    pub place: &'a Address,
    pub customer: AccountId,
    /// The series that it is a visit of, and the local date of the visit before.
    pub series: SeriesPlace,
    /// When it shall happen. The work may take longer, or much less.
    pub window: Window,
}

/// What a visit costs, and when it happens.
#[derive(Clone)]
pub struct VisitPrice {
    pub price: MovePrice,
    pub currency: Currency,
    pub requirements: Requirements,
    pub window: Window,
    manual_acceptance: bool,
}

impl App {
    /// Asks the vertical for the price of a visit, in a window that fits the work.
    pub async fn price_visit(&self, inputs: VisitInputs<'_>) -> Result<VisitPrice, Error> {
        let mut window = inputs.window;
        let mut answer = self.ask_for_price(&inputs, &window).await?;
        let requirements = convert::requirements(answer.requirements.clone());
        let fitting = requirements.fit_window(&window, &self.timing);
        if fitting != window {
            window = fitting;
            answer = self.ask_for_price(&inputs, &window).await?;
        }
        let QuoteResponse { lines, requirements, cap, manual_acceptance, .. } = answer;
        let requirements = convert::requirements(requirements);
        requirements.check_window(&window, &self.timing)?;
        let lines = lines.into_iter().map(convert::line).collect::<Result<Vec<_>, _>>()?;
        let (total, currency) = total_price(&lines)?;
        let cap = convert::parse_cap(cap.as_ref(), total, currency)?;
        let lines = lines.into_iter().map(|(line, _)| line).collect();
        let price = MovePrice { lines, total, cap };
        Ok(VisitPrice { price, currency, requirements, window, manual_acceptance })
    }

    async fn ask_for_price(
        &self,
        inputs: &VisitInputs<'_>,
        window: &Window,
    ) -> Result<QuoteResponse, Error> {
        let request = QuoteRequest {
            details: Some(convert::details(&inputs.details.0).unwrap_or_default()),
            window: Some((*window).into()),
            address: Some(convert::address(inputs.place)),
            customer_id: inputs.customer.to_string(),
            series: Some(inputs.series.clone()),
            ..QuoteRequest::default()
        };
        self.verticals.quote(inputs.vertical, request).await
    }

    /// The quote by which a visit that has come near is booked.
    pub async fn quote_visit(&self, visit: &DueVisit) -> Result<Quote, Error> {
        let series = &visit.series;
        let place = SeriesPlace {
            series_id: series.id.to_string(),
            previous_on: visit.previous_on.map(|date| date.to_string()).unwrap_or_default(),
        };
        let end = visit.start + Duration::minutes(visit.minutes);
        let inputs = VisitInputs {
            vertical: &series.vertical,
            details: &visit.details,
            place: &series.place,
            customer: series.customer_id,
            series: place,
            window: Window { start: visit.start, end, zone: series.zone() },
        };
        let priced = self.price_visit(inputs).await?;
        let customer_changes = !self.verticals.change_message(&series.vertical).await?.is_empty();
        Ok(self.bind_visit(visit, priced, customer_changes))
    }

    fn bind_visit(&self, visit: &DueVisit, priced: VisitPrice, customer_changes: bool) -> Quote {
        let VisitPrice { price, currency, requirements, window, manual_acceptance } = priced;
        let (series, now) = (&visit.series, self.now());
        let link = SeriesLink {
            series_id: series.id,
            on: visit.date,
            only: series.mode == ProviderMode::Only,
        };
        Quote {
            id: visit.quote_id(),
            customer_id: series.customer_id,
            vertical: series.vertical.clone(),
            inputs_hash: inputs_hash(&PriceInputs {
                vertical: &series.vertical,
                details: &visit.details,
                window: &window,
                place: &series.place,
                provider: series.provider_id,
                asap: false,
                parent: None,
            }),
            details: visit.details.clone(),
            terms: Terms {
                place: series.place.clone(),
                lines: price.lines,
                requirements,
                policy: self.policy.of_vertical(&series.vertical),
                asap: false,
                parent: None,
                series: Some(link),
                cap: price.cap,
                manual_acceptance,
                customer_changes,
            },
            window_start: window.start,
            window_end: window.end,
            time_zone: window.zone.name().to_owned(),
            provider_id: None,
            total: price.total,
            currency: currency.code().to_owned(),
            expires_at: (now + Duration::seconds(self.timing.quote_s)).min(window.start),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Where an order stands in its series when it begins at `start`: after the visit that was really made before. None of
    /// a single job.
    pub async fn place_in_series(
        &self,
        order: &Order,
        start: DateTime<Utc>,
    ) -> Result<Option<SeriesPlace>, Error> {
        let Some(link) = order.terms.series else { return Ok(None) };
        let plan = series::find_plan(self.db.connection(), link.series_id, self.now()).await?;
        let previous: Option<NaiveDate> =
            plan.and_then(|plan| plan.visited_before(start, order.id));
        Ok(Some(SeriesPlace {
            series_id: link.series_id.to_string(),
            previous_on: previous.map(|date| date.to_string()).unwrap_or_default(),
        }))
    }

    /// Prices a visit anew before its start, for its timer, and asks whether its provider may still make it. Who may not
    /// loses it.
    pub async fn reprice_visit(&self, order: Order) -> Result<(), Error> {
        let asked = matches!(order.state, State::Requested | State::Assigned);
        if let Some(provider) = order.provider_id.filter(|_| asked) {
            match self.check_eligibility(&order, provider).await {
                Ok(()) => {}
                Err(error @ Error::ProviderNotEligible(_)) => {
                    tracing::info!(%error, order.id = %order.id, "the visit goes to another provider");
                }
                Err(error) => return Err(error),
            }
        }
        let order = orders::get_order(self.db.connection(), order.id, &Principal::System).await?;
        let due = order.reprice_at(&self.timing);
        let Some(series) = self.place_in_series(&order, order.window_start).await? else {
            return Ok(());
        };
        if due.is_none_or(|due| due > self.now()) {
            return Ok(());
        }
        if order.progress.moving.is_some() {
            // The move is over soon, and the price is that of where it ends.
            return Err(Error::Changed);
        }
        let inputs = VisitInputs {
            vertical: &order.vertical,
            details: &order.details,
            place: &order.terms.place,
            customer: order.customer_id,
            series,
            window: order.window(),
        };
        match self.price_visit(inputs).await {
            Ok(priced) if priced.currency == order.currency() => {
                self.take_price(&order, priced).await
            }
            Ok(_) => self.keep_price(order.id).await,
            Err(error) => match final_refusal(&error) {
                Some(reason) => {
                    tracing::warn!(reason, order.id = %order.id, "a visit is not priced any more, it keeps its price");
                    self.keep_price(order.id).await
                }
                None => Err(error),
            },
        }
    }

    /// Writes the price, once the provider has the time that the work takes by then. A provider who has it not loses the
    /// visit. A change of the order between its reading and the writing has the timer begin anew.
    async fn take_price(&self, order: &Order, priced: VisitPrice) -> Result<(), Error> {
        let Some(provider) = order.provider_id.filter(|_| priced.window != order.window()) else {
            return self.write_price(order, priced).await;
        };
        let VisitPrice { price, requirements, window, .. } = priced.clone();
        let tx = self.db.begin().await?;
        let mut change =
            orders::lock_order(&tx, order.id, &Principal::System, &self.timing).await?;
        let moving = change.begin_reprice(order, &window, price, requirements)?;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        match self.move_reservation(order, &moving).await {
            Ok(()) => {
                self.end_move(order.id, &moving, true).await?;
                self.check_priced(order.id).await
            }
            Err(error) if is_refusal(&error) => {
                tracing::info!(%error, order.id = %order.id, "the provider has no time for a longer visit");
                self.withdraw_provider(order.id, provider, "SLOT_TAKEN").await?;
                let db = self.db.connection();
                let left = orders::get_order(db, order.id, &Principal::System).await?;
                match left.provider_id {
                    None if left.state.is_before_work() => self.write_price(&left, priced).await,
                    None => Ok(()),
                    Some(_) => Err(Error::Changed),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Fails where the provider left while their time was moved: the visit is to be priced anew.
    async fn check_priced(&self, id: OrderId) -> Result<(), Error> {
        let order = orders::get_order(self.db.connection(), id, &Principal::System).await?;
        match order.reprice_at(&self.timing) {
            Some(due) if due <= self.now() => Err(Error::Changed),
            _ => Ok(()),
        }
    }

    async fn write_price(&self, read: &Order, priced: VisitPrice) -> Result<(), Error> {
        let VisitPrice { price, requirements, window, .. } = priced;
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, read.id, &Principal::System, &self.timing).await?;
        change.reprice(read, &window, &price, requirements)?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn keep_price(&self, id: OrderId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &Principal::System, &self.timing).await?;
        change.keep_price();
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }
}
