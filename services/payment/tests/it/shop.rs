//! A payment service to try things on: the order service's calls, a customer's, a provider's and an operator's.

use chrono::Duration;
use hmac::{Hmac, KeyInit, Mac};
use kit::{
    Role, Subject,
    messaging::outbox,
    rpc::client::Channel,
    storage::db::{Db, DbConfig},
    testing::{Backend, EventRecorder, World, acting_as, eventually, eventually_in_time, somebody},
};
use proto::{
    google::api::HttpBody,
    quickserve::{
        common::v1::Money,
        payment::v1::{
            self as pb, charge_service_client::ChargeServiceClient,
            due_service_client::DueServiceClient, ledger_service_client::LedgerServiceClient,
            payment_method_service_client::PaymentMethodServiceClient,
            payment_service_client::PaymentServiceClient,
            payout_service_client::PayoutServiceClient,
            psp_event_service_client::PspEventServiceClient,
        },
    },
};
use sea_orm::{ConnectionTrait, Statement};
use sha2::Sha256;
use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tonic::{Request, Status};
use uuid::Uuid;

/// Everything a story needs.
pub struct Shop {
    pub world: World,
    pub db: Db,
    pub customer: Subject,
    pub operator: Subject,
    pub provider: Subject,
    pub provider_id: String,
    pub backend: Backend,
    events: Arc<EventRecorder>,
    books_checked: AtomicBool,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let checked = self.books_checked.load(Ordering::Relaxed);
        assert!(checked || std::thread::panicking(), "the story did not check the books");
    }
}

impl Shop {
    /// Starts the service on `backend`. A story ends with [`Shop::check_books`].
    pub async fn open(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let host = world.host.of("payment");
        host.migrate().await.unwrap();
        let events = EventRecorder::subscribed(&host, &["payment.", "payout."]);
        let routes = payment::start(&host).await.unwrap();
        host.install(routes);
        let config: DbConfig = host.database_config();
        let db = Db::connect(&config, world.clock.clone()).await.unwrap();
        Self {
            db,
            customer: somebody(&[Role::Customer]),
            operator: somebody(&[Role::Operator]),
            provider: somebody(&[Role::Provider]),
            provider_id: Uuid::new_v4().to_string(),
            backend,
            events,
            books_checked: AtomicBool::new(false),
            world,
        }
    }

    pub fn charges(&self) -> ChargeServiceClient<Channel> {
        ChargeServiceClient::new(self.world.host.of("order").channel("payment"))
    }

    pub fn payments(&self) -> PaymentServiceClient<Channel> {
        PaymentServiceClient::new(self.world.outside("payment"))
    }

    pub fn methods(&self) -> PaymentMethodServiceClient<Channel> {
        PaymentMethodServiceClient::new(self.world.outside("payment"))
    }

    pub fn payouts(&self) -> PayoutServiceClient<Channel> {
        PayoutServiceClient::new(self.world.outside("payment"))
    }

    pub fn dues(&self) -> DueServiceClient<Channel> {
        DueServiceClient::new(self.world.outside("payment"))
    }

    /// Puts a card on the customer's file and returns the method's id.
    pub async fn card(&self, token: &str) -> String {
        let request = pb::CreatePaymentMethodRequest { token: token.into(), default: false };
        let mut client = self.methods();
        let saved = acting_as(self.customer, client.create_payment_method(request)).await.unwrap();
        saved.into_inner().payment_method.unwrap().id
    }

    /// A request to authorise 120 euros for a new order on a card.
    pub async fn order(&self, token: &str) -> pb::AuthorizePaymentRequest {
        pb::AuthorizePaymentRequest {
            order_id: Uuid::new_v4().to_string(),
            customer_id: self.customer.user_id.to_string(),
            amount: euros(12_000),
            payment_method_id: self.card(token).await,
            attempt_key: "first".into(),
            confirmation: String::new(),
            save_method_only: false,
        }
    }

    /// Authorises and returns outcome and reason.
    pub async fn authorize(
        &self,
        request: &pb::AuthorizePaymentRequest,
    ) -> Result<(pb::Outcome, String), Status> {
        let answer = self.charges().authorize_payment(request.clone()).await?.into_inner();
        assert!(!answer.payment_id.is_empty());
        Ok((answer.outcome(), answer.decline_reason))
    }

    /// A new order whose price is authorised.
    pub async fn authorized(&self, token: &str) -> String {
        let request = self.order(token).await;
        let outcome = self.authorize(&request).await.unwrap();
        assert_eq!(outcome, (pb::Outcome::Authorized, String::new()));
        request.order_id
    }

    /// A request to capture that much for an order, all of it the provider's.
    pub fn settlement(&self, order_id: &str, amount: i64) -> pb::CapturePaymentRequest {
        let due = self.world.clock.now() + Duration::days(2);
        pb::CapturePaymentRequest {
            order_id: order_id.into(),
            amount: euros(amount),
            provider_id: self.provider_id.clone(),
            provider_user_id: self.provider.user_id.to_string(),
            vertical: "cleaning".into(),
            kind: pb::CaptureKind::Service.into(),
            provider_gross: None,
            payout_due_at: Some(kit::values::time::timestamp(due)),
            ..pb::CapturePaymentRequest::default()
        }
    }

    /// A new order whose price is captured, and its payout.
    pub async fn captured(&self, token: &str) -> (String, String) {
        let order = self.authorized(token).await;
        let request = self.settlement(&order, 12_000);
        let captured = self.charges().capture_payment(request).await.unwrap().into_inner();
        assert_eq!(captured.captured, euros(12_000));
        (order, captured.payout_id)
    }

    pub async fn refund(&self, order_id: &str, amount: i64, key: &str) -> Result<i64, Status> {
        let request = pb::RefundPaymentRequest {
            order_id: order_id.into(),
            amount: euros(amount),
            step_key: key.into(),
            reason: "GOODWILL".into(),
            at_most: false,
        };
        let answer = self.charges().refund_payment(request).await?.into_inner();
        Ok(answer.refunded.unwrap().minor_units)
    }

    /// Holds a payout back as an operator.
    pub async fn freeze_payout(&self, payout_id: &str) -> Result<pb::Payout, Status> {
        let mut client = self.payouts();
        let request = pb::FreezePayoutRequest { payout_id: payout_id.into() };
        let answer = acting_as(self.operator, client.freeze_payout(request)).await?;
        Ok(answer.into_inner().payout.unwrap())
    }

    /// Releases a payout as an operator.
    pub async fn release_payout(&self, payout_id: &str) -> Result<pb::Payout, Status> {
        let mut client = self.payouts();
        let request = pb::ReleasePayoutRequest { payout_id: payout_id.into() };
        let answer = acting_as(self.operator, client.release_payout(request)).await?;
        Ok(answer.into_inner().payout.unwrap())
    }

    /// Publishes a fact of another service, as if it had come over the bus.
    pub async fn publish<M: prost::Message>(
        &self,
        kind: &str,
        aggregate: Uuid,
        seq: i64,
        fact: &M,
    ) {
        let tx = self.db.begin().await.unwrap();
        outbox::record_event(&tx, kind, aggregate, seq, fact).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Our reference of an order's charge.
    pub async fn charge_of(&self, order_id: &str) -> Uuid {
        let db = self.db.connection();
        let query = Statement::from_sql_and_values(
            db.get_database_backend(),
            "SELECT a.id FROM attempts a JOIN intents i ON i.id = a.intent_id \
             WHERE a.kind = 'AUTHORIZE' AND i.order_id = $1",
            [Uuid::parse_str(order_id).unwrap().into()],
        );
        db.query_one_raw(query).await.unwrap().unwrap().try_get("", "id").unwrap()
    }

    /// What the sandbox holds for an order, the oldest hold first: amount, what was captured and refunded of it, its state.
    pub async fn holds(&self, order_id: &str) -> Vec<(i64, i64, i64, String)> {
        let db = self.db.connection();
        let query = Statement::from_sql_and_values(
            db.get_database_backend(),
            "SELECT s.amount, s.captured, s.refunded, s.state FROM sandbox_charges s \
             JOIN attempts a ON a.id = s.reference JOIN intents i ON i.id = a.intent_id \
             WHERE i.order_id = $1 ORDER BY a.created_at, a.position",
            [Uuid::parse_str(order_id).unwrap().into()],
        );
        let rows = db.query_all_raw(query).await.unwrap();
        let hold = |row: &sea_orm::QueryResult| {
            let amount = |column| row.try_get("", column).unwrap();
            let state = row.try_get("", "state").unwrap();
            (amount("amount"), amount("captured"), amount("refunded"), state)
        };
        rows.iter().map(hold).collect()
    }

    /// Adds to what is authorised for an order, and returns how much that is.
    pub async fn raise(&self, order_id: &str, amount: i64, key: &str) -> Result<i64, Status> {
        let request = pb::RaiseAuthorizationRequest {
            order_id: order_id.into(),
            amount: euros(amount),
            step_key: key.into(),
            ..pb::RaiseAuthorizationRequest::default()
        };
        let raised = self.charges().raise_authorization(request).await?.into_inner();
        assert_eq!(raised.outcome(), pb::Outcome::Authorized);
        Ok(raised.authorized.unwrap().minor_units)
    }

    /// Gives back what an attempt has authorised, or with `raise` what a step has added.
    pub async fn release(&self, order_id: &str, key: &str, raise: bool) {
        let request = pb::ReleaseAuthorizationRequest {
            order_id: order_id.into(),
            attempt_key: key.into(),
            raise,
        };
        self.charges().release_authorization(request).await.unwrap();
    }

    /// Has what runs out secured: captured, or reserved anew.
    pub async fn secure(&self, order_id: &str, capture: bool) {
        let request = pb::SecurePaymentRequest { order_id: order_id.into(), capture };
        self.charges().secure_payment(request).await.unwrap();
    }

    /// Captures that much for an order, all of it the provider's.
    pub async fn capture(
        &self,
        order_id: &str,
        amount: i64,
    ) -> Result<pb::CapturePaymentResponse, Status> {
        let request = self.settlement(order_id, amount);
        Ok(self.charges().capture_payment(request).await?.into_inner())
    }

    /// The balances of the accounts that money moves through: clearing, fees, escrow, what providers, the platform and the
    /// tax office have, dues, and what waits for them.
    pub async fn ledger(&self) -> [i64; 8] {
        let trial = self.trial_balance().await;
        assert!(trial.totals.iter().all(|total| total.minor_units == 0), "{trial:?}");
        LEDGER.map(|kind| {
            let line = trial.lines.iter().find(|line| line.account_kind == kind);
            line.and_then(|line| line.balance.as_ref()).map_or(0, |money| money.minor_units)
        })
    }

    pub async fn void(&self, order_id: &str) {
        let request =
            pb::VoidPaymentRequest { order_id: order_id.into(), reason: "HOLD_EXPIRED".into() };
        self.charges().void_payment(request).await.unwrap();
    }

    pub async fn freeze(&self, order_id: &str, frozen: bool) {
        let request = pb::SetPayoutFrozenRequest {
            order_id: order_id.into(),
            frozen,
            ..pb::SetPayoutFrozenRequest::default()
        };
        self.charges().set_payout_frozen(request).await.unwrap();
    }

    /// The payment of an order as an operator sees it, with its refunds.
    pub async fn payment(&self, order_id: &str) -> pb::Payment {
        let list = pb::ListPaymentsRequest { order_id: order_id.into(), ..Default::default() };
        let mut client = self.payments();
        let found = acting_as(self.operator, client.list_payments(list)).await.unwrap();
        let payment_id = found.into_inner().payments.remove(0).id;
        let get = pb::GetPaymentRequest { payment_id };
        let found = acting_as(self.operator, client.get_payment(get)).await.unwrap();
        found.into_inner().payment.unwrap()
    }

    pub async fn payout(&self, payout_id: &str) -> pb::Payout {
        let get = pb::GetPayoutRequest { payout_id: payout_id.into() };
        let mut client = self.payouts();
        let found = acting_as(self.provider, client.get_payout(get)).await.unwrap();
        found.into_inner().payout.unwrap()
    }

    /// Waits until a payout is in that state.
    pub async fn payout_in(&self, payout_id: &str, state: pb::PayoutState) -> pb::Payout {
        let read = async || self.payout(payout_id).await;
        eventually("the payout", read, |payout| payout.state() == state).await
    }

    pub fn pass(&self, time: Duration) {
        self.world.clock.advance(time);
    }

    /// The facts of that kind about an order, as (amount, reason).
    pub fn facts(&self, kind: &str, order_id: &str) -> Vec<(i64, String)> {
        let facts = self.messages(kind, order_id).into_iter();
        facts.map(|fact| (fact.amount.unwrap().minor_units, fact.reason)).collect()
    }

    /// The facts of that kind about an order as they are published.
    pub fn messages(&self, kind: &str, order_id: &str) -> Vec<pb::PaymentEvent> {
        let mut facts = self.events.messages::<pb::PaymentEvent>(kind);
        facts.retain(|fact| fact.order_id == order_id);
        facts
    }

    /// How often that fact about a payout was published.
    pub fn payout_facts(&self, kind: &str, payout: &str) -> Vec<i64> {
        let facts = self.events.messages::<pb::PayoutEvent>(kind).into_iter();
        let of_the_payout = facts.filter(|fact| fact.payout_id == payout);
        of_the_payout.map(|fact| fact.amount.unwrap().minor_units).collect()
    }

    /// Waits for a fact about an order.
    pub async fn fact(&self, kind: &str, order_id: &str) -> (i64, String) {
        let facts = async || self.facts(kind, order_id);
        eventually(kind, facts, |facts| !facts.is_empty()).await.remove(0)
    }

    /// As [`Shop::fact`] for what the payment provider may have to be asked for again: the clock moves on as payment's
    /// timers fall due.
    pub async fn fact_in_time(&self, kind: &str, order_id: &str) -> (i64, String) {
        let facts = async || self.facts(kind, order_id);
        self.in_time(kind, facts, |facts| !facts.is_empty()).await.remove(0)
    }

    /// Waits for what takes time: the clock moves on as payment's timers fall due.
    pub async fn in_time<T: Debug>(
        &self,
        what: &str,
        read: impl AsyncFnMut() -> T,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        eventually_in_time(what, &[self.world.host.of("payment")], read, holds).await
    }

    /// Posts an event to the webhook, signed with the service's secret.
    pub async fn post(&self, body: &str) -> Result<(), Status> {
        let signature = self.sign(self.world.clock.now().timestamp(), body);
        self.post_signed("sandbox", Some(&signature), body).await
    }

    pub async fn post_signed(
        &self,
        name: &str,
        signature: Option<&str>,
        body: &str,
    ) -> Result<(), Status> {
        let body = HttpBody {
            content_type: "application/json".into(),
            data: body.as_bytes().to_vec(),
            extensions: Vec::new(),
        };
        let mut request =
            Request::new(pb::ReceivePspEventRequest { name: name.into(), body: Some(body) });
        if let Some(signature) = signature {
            let signature = signature.parse().unwrap();
            request.metadata_mut().insert("quickserve-psp-signature", signature);
        }
        let mut client = PspEventServiceClient::new(self.world.outside("payment"));
        client.receive_psp_event(request).await.map(drop)
    }

    pub fn sign(&self, at: i64, body: &str) -> String {
        let file = self.world.host.data_dir().join("psp-webhook.secret");
        let secret = std::fs::read_to_string(file).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.{body}").as_bytes());
        let tag = mac.finalize().into_bytes();
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={at},v1={hex}")
    }

    pub async fn trial_balance(&self) -> pb::GetTrialBalanceResponse {
        let mut client = LedgerServiceClient::new(self.world.outside("payment"));
        let request = pb::GetTrialBalanceRequest {};
        acting_as(self.operator, client.get_trial_balance(request)).await.unwrap().into_inner()
    }

    /// The balance of the accounts of a kind.
    pub async fn balance(&self, kind: &str) -> i64 {
        let lines = self.trial_balance().await.lines;
        let line = lines.into_iter().find(|line| line.account_kind == kind);
        line.map(|line| line.balance.unwrap().minor_units).unwrap_or_default()
    }

    /// Checks what must hold after every story: the ledger balances, and no number of an event is missing.
    pub async fn check_books(&self) {
        self.books_checked.store(true, Ordering::Relaxed);
        self.events.assert_no_gaps();
        let trial = self.trial_balance().await;
        assert!(trial.balanced, "{trial:?}");
        assert!(trial.totals.iter().all(|total| total.minor_units == 0));
    }
}

pub fn euros(minor_units: i64) -> Option<Money> {
    Some(Money { currency: "EUR".into(), minor_units })
}

/// What the sandbox takes for a capture.
pub fn fee(amount: i64) -> i64 {
    amount / 1_000 * 14 + 25
}

/// The accounts of [`Shop::ledger`].
const LEDGER: [&str; 8] = [
    "psp.clearing",
    "psp.fees",
    "order.escrow",
    "provider.payable",
    "platform.commission",
    "platform.vat",
    "customer.dues",
    "order.deferred",
];

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `most`.
    pub fn below(&mut self, most: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }
}

pub const RACE: usize = 20;
