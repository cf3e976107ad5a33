//! Further visits: noted with a timer, then held at provider, then written to the order.
//!
//! Provider knows the time of a visit under the visit's own id, as if it were an order: that of the order stays as it is.

use crate::{
    app::App,
    domain::{Action, Error, Order, OrderId, Principal, Resource, VisitId, records::visit},
    peers::{final_refusal, is_refusal},
    repository::visits,
};
use kit::{Id, Window};

impl App {
    /// Has provider keep time for a further visit that `principal` wants to make.
    pub async fn hold_visit(
        &self,
        order: &Order,
        principal: &Principal,
        window: &Window,
    ) -> Result<visit::Model, Error> {
        let by = order.side(principal).ok_or(Error::NotFound(Resource::Order))?;
        order.check_now(Action::BookVisit, by, self.now(), &self.timing)?;
        self.timing.check_visit(window, self.now())?;
        let provider_id = order.provider_id.ok_or(Error::Changed)?;
        let tx = self.db.begin().await?;
        let visit = visit::Model {
            id: Id::new(tx.clock()),
            order_id: order.id,
            provider_id,
            starts_at: window.start,
            ends_at: window.end,
            booked: false,
            created_at: tx.now(),
        };
        visits::begin_visit(&tx, &visit).await?;
        tx.commit().await?;
        match self.peers.hold_visit(order, &visit, window).await {
            Err(error) if is_refusal(&error) => {
                self.free_visit(visit.id).await;
                Err(error)
            }
            held => held.map(|()| visit),
        }
    }

    /// Frees the time of a visit that is not made. Should that fail, the visit's timer does it.
    pub async fn free_visit(&self, id: VisitId) {
        if let Err(error) = self.settle_visit(id).await {
            tracing::warn!(%error, visit.id = %id, "cannot free the time of a visit, will retry");
        }
    }

    /// Frees the time of a visit whose booking did not get through, and forgets it.
    pub async fn settle_visit(&self, id: VisitId) -> Result<(), Error> {
        let found = visits::find_visit(self.db.connection(), id).await?;
        if found.is_none_or(|visit| visit.booked) {
            return Ok(());
        }
        match self.peers.release_all(order_at_provider(id)).await {
            Err(error) if final_refusal(&error).is_some() => {
                tracing::error!(%error, visit.id = %id, "provider will never free the time, will not be retried");
            }
            released => released?,
        }
        let tx = self.db.begin().await?;
        visits::delete_visit(&tx, id).await?;
        Ok(tx.commit().await?)
    }
}

/// The order under which provider knows the time of a visit.
pub const fn order_at_provider(id: VisitId) -> OrderId {
    OrderId::from_uuid(id.uuid())
}
