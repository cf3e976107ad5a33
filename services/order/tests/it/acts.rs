//! Every action by its name, as contracts call it.

use crate::town::Town;
use chrono::Duration;
use kit::{
    Subject,
    testing::{acting_as, paris},
};
use proto::quickserve::order::v1 as pb;
use tonic::{Response, Status};

/// Every action that somebody can call, with the name under which reads allow it.
pub const PUBLIC: [&str; 28] = [
    "confirmPayment",
    "previewCancel",
    "cancel",
    "reschedule",
    "accept",
    "decline",
    "depart",
    "arrive",
    "start",
    "resetStartCode",
    "contactAttempt",
    "noShow",
    "proposeChange",
    "approveChange",
    "rejectChange",
    "deliver",
    "acceptDelivery",
    "requestChanges",
    "dispute",
    "resolveDispute",
    "review",
    "reassign",
    "abort",
    "postMessage",
    "addProof",
    "sos",
    "bookVisit",
    "acceptOffer",
];

/// What some actions need to know beyond the order.
#[derive(Clone, Debug, Default)]
pub struct With {
    pub cancel_token: String,
    pub start_code: String,
    pub change_order_id: String,
    pub confirmation: String,
}

fn none<T>(answer: Response<T>) -> Option<pb::Order> {
    drop(answer);
    None
}

impl Town {
    /// Does `action` as `who`, who must be allowed to; the order as it is then.
    pub async fn act(&self, who: Subject, action: &str, id: &str) -> pb::Order {
        self.act_with(who, action, id, &With::default()).await
    }

    pub async fn act_with(&self, who: Subject, action: &str, id: &str, with: &With) -> pb::Order {
        let done = self.attempt(who, action, id, with).await;
        let order = done.unwrap_or_else(|error| panic!("{action}: {error}"));
        match order {
            Some(order) => order,
            None => self.get_as(who, id).await.unwrap(),
        }
    }

    /// Tries `action` as `who`.
    pub async fn attempt(
        &self,
        who: Subject,
        action: &str,
        id: &str,
        with: &With,
    ) -> Result<Option<pb::Order>, Status> {
        acting_as(who, async {
            match action {
                "confirmPayment" | "previewCancel" | "cancel" | "reschedule" | "resetStartCode" => {
                    self.before(action, id, with).await
                }
                "accept" | "decline" | "depart" | "arrive" | "start" | "contactAttempt"
                | "noShow" | "bookVisit" | "deliver" => self.job(action, id, with).await,
                "proposeChange" | "approveChange" | "rejectChange" | "postMessage" | "addProof" => {
                    self.record(action, id, with).await
                }
                _ => self.settle(action, id).await,
            }
        })
        .await
    }

    async fn before(
        &self,
        action: &str,
        id: &str,
        with: &With,
    ) -> Result<Option<pb::Order>, Status> {
        let (mut api, order_id) = (self.orders(), id.to_owned());
        Ok(match action {
            "confirmPayment" => {
                let request = pb::ConfirmPaymentRequest { order_id, ..Default::default() };
                api.confirm_payment(request).await?.into_inner().order
            }
            "previewCancel" => {
                let request = pb::PreviewCancelRequest { order_id, ..Default::default() };
                none(api.preview_cancel(request).await?)
            }
            "cancel" => {
                let cancel_token = with.cancel_token.clone();
                let reason = "changed plans".to_owned();
                let request = pb::CancelOrderRequest { order_id, version: 0, cancel_token, reason };
                api.cancel_order(request).await?.into_inner().order
            }
            "resetStartCode" => {
                let request = pb::ResetStartCodeRequest { order_id, version: 0 };
                api.reset_start_code(request).await?.into_inner().order
            }
            _ => {
                let window = Some(self.window(Duration::days(5)));
                let accepted_total = None;
                let request =
                    pb::RescheduleOrderRequest { order_id, version: 0, window, accepted_total };
                api.reschedule_order(request).await?.into_inner().order
            }
        })
    }

    async fn job(&self, action: &str, id: &str, with: &With) -> Result<Option<pb::Order>, Status> {
        let (mut api, order_id, version) = (self.jobs(), id.to_owned(), 0);
        Ok(match action {
            "accept" => {
                let request = pb::AcceptOrderRequest { order_id, version };
                api.accept_order(request).await?.into_inner().order
            }
            "decline" => {
                let request = pb::DeclineOrderRequest { order_id, version, reason: "BUSY".into() };
                api.decline_order(request).await?.into_inner().order
            }
            "depart" => {
                let request = pb::DepartRequest { order_id, version };
                api.depart(request).await?.into_inner().order
            }
            "arrive" => {
                let position = Some(pb::Position { lat: paris().lat, lng: paris().lng });
                let request = pb::ArriveRequest { order_id, version, position };
                api.arrive(request).await?.into_inner().order
            }
            "start" => {
                let code = with.start_code.clone();
                let start_code = if code.is_empty() { "000000".to_owned() } else { code };
                let request = pb::StartWorkRequest { order_id, version, start_code };
                api.start_work(request).await?.into_inner().order
            }
            "contactAttempt" => {
                let channel = "bell".to_owned();
                let request = pb::RecordContactAttemptRequest { order_id, version, channel };
                api.record_contact_attempt(request).await?.into_inner().order
            }
            "bookVisit" => {
                let window = Some(self.window(Duration::days(6)));
                none(api.book_visit(pb::BookVisitRequest { order_id, window }).await?)
            }
            "noShow" => {
                let request = pb::ReportNoShowRequest { order_id, version };
                api.report_no_show(request).await?.into_inner().order
            }
            _ => {
                let request = pb::DeliverRequest { order_id, version };
                api.deliver(request).await?.into_inner().order
            }
        })
    }

    async fn record(
        &self,
        action: &str,
        id: &str,
        with: &With,
    ) -> Result<Option<pb::Order>, Status> {
        let (mut api, order_id) = (self.records(), id.to_owned());
        let change_order_id = match with.change_order_id.as_str() {
            "" => uuid::Uuid::nil().to_string(),
            id => id.to_owned(),
        };
        Ok(match action {
            "proposeChange" => {
                let line = pb::ChangeLine { label: "Oven".to_owned(), minor_units: 2_500 };
                let request = pb::ProposeChangeRequest {
                    order_id,
                    lines: vec![line],
                    reason: "It is dirty".to_owned(),
                    details: None,
                };
                none(api.propose_change(request).await?)
            }
            "approveChange" => {
                let confirmation = with.confirmation.clone();
                let request = pb::ApproveChangeRequest { order_id, change_order_id, confirmation };
                api.approve_change(request).await?.into_inner().order
            }
            "rejectChange" => {
                let request = pb::RejectChangeRequest { order_id, change_order_id };
                api.reject_change(request).await?.into_inner().order
            }
            "postMessage" => {
                let request = pb::PostOrderMessageRequest { order_id, text: "Hello".to_owned() };
                none(api.post_order_message(request).await?)
            }
            _ => {
                let request = pb::AddProofRequest {
                    order_id,
                    kind: "photo.after".to_owned(),
                    sha256: "ab".repeat(32),
                    position: None,
                    taken_at: None,
                };
                none(api.add_proof(request).await?)
            }
        })
    }

    async fn settle(&self, action: &str, id: &str) -> Result<Option<pb::Order>, Status> {
        let (mut api, order_id, version) = (self.settlements(), id.to_owned(), 0);
        Ok(match action {
            "acceptDelivery" => {
                let request = pb::AcceptDeliveryRequest { order_id, version };
                api.accept_delivery(request).await?.into_inner().order
            }
            "requestChanges" => {
                let reason = "The windows".to_owned();
                let request = pb::RequestChangesRequest { order_id, version, reason };
                api.request_changes(request).await?.into_inner().order
            }
            "dispute" => {
                let (reason, text) = ("QUALITY".to_owned(), "Not clean".to_owned());
                let request = pb::OpenDisputeRequest { order_id, version, reason, text };
                api.open_dispute(request).await?.into_inner().order
            }
            "sos" => {
                let request = pb::CallForHelpRequest { order_id };
                api.call_for_help(request).await?.into_inner().order
            }
            "resolveDispute" => {
                let resolution = pb::DisputeState::ResolvedProvider.into();
                let request =
                    pb::ResolveDisputeRequest { order_id, version, resolution, refund: None };
                api.resolve_dispute(request).await?.into_inner().order
            }
            "review" => {
                let text = "Fine".to_owned();
                let request = pb::ReviewOrderRequest { order_id, version, stars: 5, text };
                api.review_order(request).await?.into_inner().order
            }
            "reassign" => {
                let request = pb::ReassignOrderRequest { order_id, version, reason: "ILL".into() };
                api.reassign_order(request).await?.into_inner().order
            }
            "abort" => {
                let request = pb::AbortOrderRequest { order_id, version, reason: "SAFETY".into() };
                api.abort_order(request).await?.into_inner().order
            }
            other => panic!("no action is called {other}"),
        })
    }

    /// The token that cancels the order for `who` now, and the fee it promises.
    pub async fn token(&self, who: Subject, id: &str) -> (String, i64) {
        let request = pb::PreviewCancelRequest { order_id: id.to_owned(), ..Default::default() };
        let preview = acting_as(who, self.orders().preview_cancel(request)).await.unwrap();
        let preview = preview.into_inner();
        (preview.cancel_token, preview.fee.unwrap().minor_units)
    }

    /// Brings an order that starts in two hours to the door.
    pub async fn at_the_door(&self) -> pb::Order {
        let id = self.ordered_ahead(Duration::hours(2)).await.id;
        for action in ["accept", "depart", "arrive"] {
            self.act(self.provider, action, &id).await;
        }
        self.get(&id).await
    }

    /// Brings an order to work.
    pub async fn at_work(&self) -> pb::Order {
        let order = self.at_the_door().await;
        let with = With { start_code: order.start_code.clone(), ..With::default() };
        self.act_with(self.provider, "start", &order.id, &with).await
    }

    /// Brings an order to its delivery.
    pub async fn delivered(&self) -> pb::Order {
        let id = self.at_work().await.id;
        self.act(self.provider, "deliver", &id).await
    }

    /// Brings an order to its acceptance.
    pub async fn completed(&self) -> pb::Order {
        let id = self.delivered().await.id;
        self.act(self.customer, "acceptDelivery", &id).await
    }
}
