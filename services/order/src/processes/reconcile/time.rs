//! The time of providers after a restore.

use super::Finding;
use crate::{
    app::App,
    domain::{Error, NeededTime, Order, OrderId, ProviderId, RESTORED, VisitId, records::visit},
    peers::{HeldTime, is_refusal, refusal_reason},
    processes::visits::order_at_provider,
    repository::{orders, side_effects, visits},
};

impl App {
    /// Has provider hold for the order what the order needs. Where that is refused, the order goes to others or ends.
    pub(super) async fn reconcile_time(
        &self,
        order: &Order,
        held: &[&HeldTime],
    ) -> Result<Option<Finding>, Error> {
        let Some((provider, needed)) = order.needed_time() else { return Ok(None) };
        let own = held.iter().find(|held| order.keeps_time(held.provider, held.round));
        let (kind, mended) = match own {
            None => {
                let kind = "RESERVATION_MISSING";
                (kind, self.hold_again(order, provider, needed).await)
            }
            // A move that is under way is ended by its timer.
            Some(held) if held.window != order.window() && order.progress.moving.is_none() => {
                ("RESERVATION_ELSEWHEN", self.move_back(order, provider, needed).await)
            }
            Some(held) if needed == NeededTime::Confirmed && !held.confirmed => {
                ("RESERVATION_UNCONFIRMED", self.peers.confirm(order, provider).await)
            }
            Some(_) => return Ok(None),
        };
        match mended {
            Ok(()) => Ok(Some(Finding::mended(
                order.id,
                kind,
                "the provider's time is the order's again",
            ))),
            Err(error) if is_refusal(&error) => {
                self.lose_provider(order, provider, kind, &error).await.map(Some)
            }
            Err(error) => Err(error),
        }
    }

    async fn hold_again(
        &self,
        order: &Order,
        provider: ProviderId,
        needed: NeededTime,
    ) -> Result<(), Error> {
        let until = order.hold_until(&order.window(), &self.timing);
        self.peers.hold(order, provider, until, true).await?;
        match needed {
            NeededTime::Held => Ok(()),
            NeededTime::Confirmed => self.peers.confirm(order, provider).await,
        }
    }

    async fn move_back(
        &self,
        order: &Order,
        provider: ProviderId,
        needed: NeededTime,
    ) -> Result<(), Error> {
        let window = order.window();
        let is_held = needed == NeededTime::Held;
        let until = is_held.then(|| order.hold_until(&window, &self.timing));
        self.peers.move_to(order, provider, window, until).await
    }

    /// The order cannot have its provider's time back.
    async fn lose_provider(
        &self,
        order: &Order,
        provider: ProviderId,
        kind: &'static str,
        error: &Error,
    ) -> Result<Finding, Error> {
        let id = order.id;
        let reason = refusal_reason(error).unwrap_or_default();
        if !order.state.is_before_work() {
            let detail = format!("provider refuses the time ({reason}), and the work has begun");
            return Ok(Finding::left(id, kind, &detail));
        }
        self.withdraw_provider(id, provider, RESTORED).await?;
        let detail = format!(
            "provider refuses the time ({reason}): other providers are asked, or the order has ended at no cost"
        );
        Ok(Finding::mended(id, kind, &detail))
    }

    /// Frees time that a provider has for no order, or for one that does not need it.
    pub(super) async fn free_orphan(&self, held: HeldTime) -> Result<Option<Finding>, Error> {
        let HeldTime { order: id, provider, round, .. } = held;
        if let Some(visit) =
            visits::find_visit(self.db.connection(), VisitId::from_uuid(id.uuid())).await?
        {
            return self.free_orphaned_visit(&visit).await;
        }
        let owed = side_effects::pending_side_effects(self.db.connection(), id).await?;
        if owed.iter().any(|it| it.effect.frees_time()) {
            // The order has let go of it already: its timer has provider free it.
            return Ok(None);
        }
        match orders::find_by_id(self.db.connection(), id).await? {
            // One that is being booked is its timer's.
            Some(order) if order.booking || order.keeps_time(provider, round) => return Ok(None),
            Some(order) if !order.has_let_go() => {
                self.peers.release(id, provider, round).await?;
            }
            Some(_) | None => self.peers.release_all(id).await?,
        }
        Ok(Some(orphan(id)))
    }

    /// Frees the time of a visit to an order that is over, or that lost the visit with a restore.
    async fn free_orphaned_visit(&self, visit: &visit::Model) -> Result<Option<Finding>, Error> {
        let order = orders::find_by_id(self.db.connection(), visit.order_id).await?;
        let is_kept = |order: &Order| {
            !order.has_let_go() && order.progress.visits.iter().any(|it| it.id == visit.id)
        };
        // One that is being booked is its timer's.
        if !visit.booked || order.as_ref().is_some_and(is_kept) {
            return Ok(None);
        }
        self.peers.release_all(order_at_provider(visit.id)).await?;
        Ok(Some(orphan(visit.order_id)))
    }
}

fn orphan(id: OrderId) -> Finding {
    Finding::mended(id, "RESERVATION_ORPHANED", "no order needs the provider's time: it is free")
}
