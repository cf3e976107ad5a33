//! A delivery: the vertical is asked whether the work is done and what it comes to, and the answer is written with the
//! delivery. The vertical keeps its record as it is meanwhile.

use crate::{
    app::App,
    convert,
    domain::{DeliveryAnswer, Error, Order},
    repository::orders,
};
use kit::program::crash;
use proto::quickserve::fulfilment::v1::CompletionGateResponse;

const NAME: &str = "deliver";
const GATE: &str = "gate";
const WRITE: &str = "write";

/// The points at which tests kill the program during a delivery: `deliver.gate` and `deliver.write`.
pub fn crash_points() -> impl Iterator<Item = String> {
    [GATE, WRITE].into_iter().map(|step| format!("{NAME}.{step}"))
}

impl App {
    /// Asks the vertical's completion gate about a delivery. Fails when something is missing.
    pub async fn ask_completion_gate(&self, order: &Order) -> Result<DeliveryAnswer, Error> {
        let proof_kinds = orders::proof_kinds(self.db.connection(), order.id).await?;
        let answer = self.verticals.completion_gate(order, proof_kinds).await?;
        let answered_at = self.now();
        let CompletionGateResponse { missing, settlement, due } = answer;
        if !missing.is_empty() {
            return Err(Error::GateClosed(missing));
        }
        crash::crash_step(NAME, GATE);
        Ok(DeliveryAnswer {
            order_version: order.version,
            answered_at,
            settlement: convert::lines_of_order(order, settlement)?,
            due: convert::lines_of_order(order, due)?,
        })
    }

    /// The delivery is committed, and the vertical is not told yet.
    pub fn note_delivery(&self) {
        crash::crash_step(NAME, WRITE);
    }
}
