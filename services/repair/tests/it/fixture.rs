//! The service in a world of its own, met as order and as people meet it.

use kit::{
    Role, Subject,
    rpc::client::Channel,
    testing::{ActingAs, Backend},
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{self as fulfilment, OrderChangeState, OrderState, Party},
    repair::v1::{
        self as pb, PartState, appliance_service_client::ApplianceServiceClient,
        repair_service_client::RepairServiceClient,
    },
};
use serde_json::{Value as Json, json};
use std::ops::Deref;
use tonic::Status;
use uuid::Uuid;
use vertical::testing::{Order, Stage, TO_WORK, to_details};

/// The service in a world of its own.
pub struct Workshop {
    stage: Stage,
}

impl Deref for Workshop {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Workshop {
    /// Starts the service on `backend`, at ten o'clock in Paris on Monday, 24 May 2027.
    pub async fn open(backend: Backend) -> Self {
        let stage = Stage::open(backend, "repair", async |host| repair::start(host).await).await;
        stage.wait_for_orders();
        Self { stage }
    }

    /// As people call.
    pub fn people(&self) -> RepairServiceClient<Channel> {
        RepairServiceClient::new(self.outside())
    }

    /// As customers call about their appliances.
    pub fn appliances(&self) -> ApplianceServiceClient<Channel> {
        ApplianceServiceClient::new(self.outside())
    }

    /// Asks for the price of an order with these details, and books it now.
    pub async fn book(&self, details: Json) -> Order {
        let mut order = Order::new(details);
        let quote = self.quote(&order.details, order.customer).await.unwrap();
        order.price = fulfilment::OrderPrice { quoted: quote.lines, ..Default::default() };
        order.times.booked_at = Some(timestamp(self.world.clock.now()));
        order
    }

    /// Books an order and has the repairer begin.
    pub async fn begin(&self, details: Json) -> Order {
        let mut order = self.book(details).await;
        self.go_through(&mut order, &TO_WORK).await;
        order
    }

    /// An order whose repairer has said what is wrong.
    pub async fn diagnosed(&self, details: Json) -> Order {
        let order = self.begin(details).await;
        self.diagnose(&order, &diagnosis(&order)).await.unwrap();
        order
    }

    /// The repair as `reader` sees it.
    pub async fn repair_by(&self, order: &Order, reader: Subject) -> Result<pb::Repair, Status> {
        let request = pb::GetRepairRequest { order_id: order.id.clone() };
        Ok(self.people().get_repair(request).by(reader).await?.into_inner().repair.unwrap())
    }

    /// The repair as its customer sees it.
    pub async fn repair(&self, order: &Order) -> pb::Repair {
        self.repair_by(order, order.customer).await.unwrap()
    }

    pub async fn diagnose(
        &self,
        order: &Order,
        request: &pb::RecordDiagnosisRequest,
    ) -> Result<pb::Repair, Status> {
        let answer = self.people().record_diagnosis(request.clone()).by(order.provider).await?;
        Ok(answer.into_inner().repair.unwrap())
    }

    /// The repairer notes a part that costs so many cents.
    pub async fn add_part(&self, order: &Order, request: pb::AddPartRequest) -> pb::Part {
        self.try_part(order, request).await.unwrap()
    }

    pub async fn try_part(
        &self,
        order: &Order,
        request: pb::AddPartRequest,
    ) -> Result<pb::Part, Status> {
        let answer = self.people().add_part(request).by(order.provider).await?;
        Ok(answer.into_inner().part.unwrap())
    }

    /// The repairer says where a part is.
    pub async fn move_part(
        &self,
        order: &Order,
        part_id: &str,
        state: PartState,
    ) -> Result<pb::Part, Status> {
        let request = pb::UpdatePartRequest {
            order_id: order.id.clone(),
            part_id: part_id.to_owned(),
            state: state.into(),
            receipt_sha256: String::new(),
        };
        let answer = self.people().update_part(request).by(order.provider).await?;
        Ok(answer.into_inner().part.unwrap())
    }

    pub async fn wait_for_parts(&self, order: &Order) -> Result<pb::Repair, Status> {
        let request = pb::WaitForPartsRequest { order_id: order.id.clone() };
        let answer = self.people().wait_for_parts(request).by(order.provider).await?;
        Ok(answer.into_inner().repair.unwrap())
    }

    pub async fn resume(&self, order: &Order) -> Result<pb::Repair, Status> {
        let request = pb::ResumeRepairRequest { order_id: order.id.clone() };
        let answer = self.people().resume_repair(request).by(order.provider).await?;
        Ok(answer.into_inner().repair.unwrap())
    }

    /// The repairer says that there is no more to do, after one test.
    pub async fn finish(
        &self,
        order: &Order,
        outcome: &str,
        passed: bool,
    ) -> Result<pb::Repair, Status> {
        let tests = vec![pb::RepairTest { code: "full_cycle".to_owned(), passed }];
        let (order_id, outcome) = (order.id.clone(), outcome.to_owned());
        let request = pb::FinishRepairRequest { order_id, outcome, tests };
        let answer = self.people().finish_repair(request).by(order.provider).await?;
        Ok(answer.into_inner().repair.unwrap())
    }

    /// What an estimate comes to, line by line.
    pub async fn price(&self, order: &Order, estimate: &Json) -> Vec<(String, i64)> {
        let quote = self.quote_change(order, Some(estimate), Party::Provider).await.unwrap();
        assert_eq!(quote.denials, Vec::<String>::new());
        assert_eq!(quote.valid_for.unwrap().seconds, 72 * 3_600);
        totals(&quote.lines)
    }

    /// The repairer proposes an estimate, and the order waits for the customer.
    pub async fn propose(&self, order: &mut Order, estimate: &Json) {
        self.price(order, estimate).await;
        order.changes.push(fulfilment::OrderChange {
            change_id: Uuid::new_v4().to_string(),
            state: OrderChangeState::Proposed.into(),
            details: Some(to_details(estimate)),
        });
        self.go(order, OrderState::AwaitingApproval).await;
    }

    /// The customer decides about the last estimate.
    pub async fn decide(&self, order: &mut Order, state: OrderChangeState) {
        order.changes.last_mut().unwrap().state = state.into();
        self.go(order, OrderState::InProgress).await;
    }

    /// The repairer proposes an estimate, and the customer agrees.
    pub async fn approve(&self, order: &mut Order, estimate: &Json) {
        let quote = self.quote_change(order, Some(estimate), Party::Provider).await.unwrap();
        self.propose(order, estimate).await;
        order.price.changes.extend(quote.lines);
        self.decide(order, OrderChangeState::Approved).await;
    }

    /// What a delivery comes to, line by line.
    pub async fn settlement(&self, order: &Order) -> Vec<(String, i64)> {
        let answer = self.judge_delivery(order, &["signature.customer"]).await;
        assert_eq!(answer.missing, Vec::<String>::new());
        assert_eq!(answer.due, []);
        totals(&answer.settlement)
    }
}

pub use vertical::testing::totals;

/// Codes and totals as they are expected.
pub fn lines<const N: usize>(expected: [(&str, i64); N]) -> Vec<(String, i64)> {
    expected.map(|(code, total)| (format!("repair.{code}"), total)).into()
}

/// What is wrong with a washing machine.
pub fn diagnosis(order: &Order) -> pb::RecordDiagnosisRequest {
    pb::RecordDiagnosisRequest {
        order_id: order.id.clone(),
        code: "pump.broken".to_owned(),
        findings: "The pump is broken.".to_owned(),
        hazard: false,
        unrelated: false,
    }
}

/// A pump that costs so many cents.
pub fn pump(order: &Order, cents: i64) -> pb::AddPartRequest {
    pb::AddPartRequest {
        order_id: order.id.clone(),
        name: "Drain pump".to_owned(),
        quantity: 1,
        cost: Some(Money { currency: "EUR".to_owned(), minor_units: cents }),
        on_board: false,
        replaces: String::new(),
    }
}

/// A washing machine that does not drain.
pub fn washer() -> Json {
    json!({
        "category": "appliance", "brand": "Bosch", "model": "WAN28", "serial": "FD 9912",
        "symptoms": "It does not drain.", "photos": ["0".repeat(64)],
    })
}

/// An estimate of so many minutes with these parts.
pub fn estimate(minutes: i32, part_ids: &[&str]) -> Json {
    let labour = if minutes > 0 { vec![json!({ "minutes": minutes })] } else { Vec::new() };
    json!({ "labour": labour, "part_ids": part_ids })
}

/// A customer.
pub fn customer() -> Subject {
    kit::testing::somebody(&[Role::Customer])
}
