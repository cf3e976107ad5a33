//! Moving an order to another window: priced, then noted, then moved at the provider, then written.

use crate::{
    app::App,
    convert,
    domain::{
        Error, MovePrice, Moving, Order, OrderId, Principal, Requirements, State, total_price,
    },
    peers::is_refusal,
    repository::orders,
};
use kit::Window;
use proto::quickserve::fulfilment::v1::{QuoteRequest, QuoteResponse};

impl App {
    /// What the order costs and requires at another time.
    pub async fn price_move(
        &self,
        order: &Order,
        window: &Window,
    ) -> Result<(MovePrice, Requirements), Error> {
        let request = QuoteRequest {
            details: Some(convert::details(&order.details.0).unwrap_or_default()),
            window: Some((*window).into()),
            address: Some(convert::address(&order.terms.place)),
            customer_id: order.customer_id.to_string(),
            series: self.place_in_series(order, window.start).await?,
            ..QuoteRequest::default()
        };
        let answer = self.verticals.quote(&order.vertical, request).await?;
        let QuoteResponse { lines, requirements, cap, .. } = answer;
        let lines = lines.into_iter().map(convert::line);
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let (total, currency) = total_price(&lines)?;
        if currency != order.currency() {
            return Err(kit::Error::internal("a move would change the currency").into());
        }
        let cap = convert::parse_cap(cap.as_ref(), total, currency)?;
        let lines = lines.into_iter().map(|(line, _)| line).collect();
        Ok((MovePrice { lines, total, cap }, convert::requirements(requirements)))
    }

    /// Moves the provider's time as was noted. When the provider refuses, the move is over.
    pub async fn move_reservation(&self, order: &Order, moving: &Moving) -> Result<(), Error> {
        let Some(provider) = order.provider_id else { return Ok(()) };
        let zone = moving.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
        let window = Window { start: moving.start, end: moving.end, zone };
        let is_held = order.state == State::Requested;
        let until = is_held.then(|| order.hold_until(&window, &self.timing));
        match self.peers.move_to(order, provider, window, until).await {
            Err(error) if is_refusal(&error) => {
                self.end_move(order.id, moving, false).await?;
                Err(error)
            }
            result => result,
        }
    }

    /// Ends a move that stopped halfway, for its timer.
    pub async fn resume_move(&self, order: Order) -> Result<(), Error> {
        let Some(moving) = order.progress.moving.clone() else { return Ok(()) };
        match self.move_reservation(&order, &moving).await {
            Ok(()) => self.end_move(order.id, &moving, true).await,
            Err(error) if is_refusal(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a noted move: its reservation was moved, or was not.
    pub async fn end_move(&self, id: OrderId, moving: &Moving, moved: bool) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &Principal::System, &self.timing).await?;
        change.end_move(moving, moved)?;
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }
}
