//! Payments to try things on, one step at a time.

use crate::{
    Config,
    domain::{
        Attempt, Due, DueId, Intent, Method, MethodId, OrderId, ProviderId, UserId,
        attempt::AttemptKind, capture::CaptureRequest, card_hold::card_holds,
        decision::AuthorizationRequest, due::DueLine, ledger::Account,
    },
    flow::{AuthorizationStatus, Payments, open_due_payment, secure},
    psp::sandbox::Sandbox,
    repository::{attempts, dues, intents, journals, methods},
};
use kit::testing::{Backend, World, eventually};
use sea_orm::{ConnectionTrait, Statement};
use std::sync::Arc;

/// The payments of one customer with one card, without the timers that would finish them meanwhile.
pub struct Till {
    pub world: World,
    pub payments: Payments,
    pub customer: UserId,
    method: MethodId,
}

impl Till {
    pub async fn open(backend: Backend, token: &str) -> Self {
        let world = World::new(backend).await;
        let host = world.host.of("payment");
        host.migrate().await.unwrap();
        let db = host.database().await.unwrap();
        let sandbox = Arc::new(Sandbox::new(db.clone(), String::new()));
        let payments = Payments::new(db, sandbox, Arc::new(Config::default()));
        let customer = UserId::new(&world.clock);
        let method = save_card(&payments, customer, token).await;
        Self { world, payments, customer, method }
    }

    pub fn new_order(&self) -> OrderId {
        OrderId::new(&self.world.clock)
    }

    pub fn request(&self, amount: i64, key: &str) -> AuthorizationRequest {
        AuthorizationRequest {
            customer: self.customer,
            amount,
            currency: "EUR".into(),
            method: Some(self.method),
            key: key.into(),
            confirmation: String::new(),
        }
    }

    /// A new order of 120 euros that the card has authorised.
    pub async fn authorized(&self) -> OrderId {
        let order = self.new_order();
        let outcome = self.payments.authorize(order, self.request(12_000, "first")).await.unwrap();
        assert_eq!(outcome.status, AuthorizationStatus::Authorized);
        order
    }

    pub async fn intent(&self, order: OrderId) -> Intent {
        intents::find_of_order(self.payments.db.connection(), order).await.unwrap()
    }

    pub async fn attempts(&self, order: OrderId, kind: AttemptKind) -> Vec<Attempt> {
        let intent = self.intent(order).await;
        let db = self.payments.db.connection();
        let mut attempts = attempts::list_of_intent(db, intent.id).await.unwrap();
        attempts.retain(|attempt| attempt.kind == kind);
        attempts
    }

    /// Writes down that what an order has reserved is to be captured. The payment provider is not asked yet.
    pub async fn ask_for_capture(&self, order: OrderId) -> Attempt {
        let tx = self.payments.db.begin().await.unwrap();
        let intent = intents::lock_of_order(&tx, order).await.unwrap();
        let known = attempts::list_of_intent(&*tx, intent.id).await.unwrap();
        let hold = card_holds(&known).remove(0);
        secure::capture_into_escrow(&tx, &intent, &hold).await.unwrap();
        tx.commit().await.unwrap();
        self.attempts(order, AttemptKind::Capture).await.remove(0)
    }

    pub async fn settle(&self, order: OrderId) {
        let intent = self.intent(order).await;
        self.payments.settle(intent.id).await.unwrap();
    }

    pub async fn escrow(&self, order: OrderId) -> i64 {
        let tx = self.payments.db.begin().await.unwrap();
        journals::balance_of(&tx, Account::Escrow(order), "EUR").await.unwrap()
    }

    pub fn capture_request(&self, order: OrderId, amount: i64) -> CaptureRequest {
        CaptureRequest {
            order,
            amount,
            currency: "EUR".into(),
            kind: "SERVICE",
            provider: Some(ProviderId::new(&self.world.clock)),
            provider_user: Some(UserId::new(&self.world.clock)),
            vertical: "cleaning".into(),
            gross: amount,
            commission_base: amount,
            due: Vec::new(),
            payout_due_at: None,
        }
    }

    /// An order that was captured, and what its customer owes beyond that: 25 euros.
    pub async fn with_due(&self) -> (OrderId, Due) {
        let order = self.authorized().await;
        let line = DueLine {
            code: "moving.volume".into(),
            amount: 2_500,
            provider_earns: true,
            pass_through: false,
        };
        let request = self.capture_request(order, 12_000);
        self.payments.capture(CaptureRequest { due: vec![line], ..request }).await.unwrap();
        let id = Due::beyond_cap_id(self.intent(order).await.id);
        (order, self.due(id).await)
    }

    pub async fn due(&self, id: DueId) -> Due {
        dues::find(self.payments.db.connection(), id, None).await.unwrap()
    }

    pub async fn begin_to_pay(&self, due: &Due) {
        let tx = self.payments.db.begin().await.unwrap();
        open_due_payment(&tx, due.id, self.customer).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until another session waits for a lock.
    pub async fn a_session_waits(&self) {
        let db = self.payments.db.connection();
        let waiting = async || {
            let query = Statement::from_string(
                db.get_database_backend(),
                "SELECT COUNT(*) AS waiting FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            );
            let row = db.query_one_raw(query).await.unwrap().unwrap();
            row.try_get::<i64>("", "waiting").unwrap()
        };
        eventually("a session that waits", waiting, |waiting| *waiting > 0).await;
    }
}

async fn save_card(payments: &Payments, customer: UserId, token: &str) -> MethodId {
    let card = payments.find_card(token).await.unwrap();
    let tx = payments.db.begin().await.unwrap();
    let id = MethodId::new(tx.clock());
    let mut method = Method::new(id, customer, token.to_owned(), card, true, tx.now());
    methods::insert_method(&tx, &mut method).await.unwrap();
    tx.commit().await.unwrap();
    id
}
