//! The service in a world of its own, met as order and as people meet it.

use kit::{
    Role, Subject,
    rpc::client::Channel,
    testing::{ActingAs, Backend, World, somebody},
};
use proto::quickserve::{
    child_assistance::v1::{
        self as pb, care_service_client::CareServiceClient,
        family_service_client::FamilyServiceClient,
    },
    fulfilment::v1::{self as fulfilment, OrderState},
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value as Json, json};
use std::ops::Deref;
use tonic::{Request, Status};
use uuid::Uuid;
use vertical::testing::{Order, Stage, TO_WORK};

/// The code of the aunt.
pub const CODE: &str = "27182818";
/// What is told of a child, a mark in each field.
pub const NAME: &str = "Lou Canari";
pub const ALLERGY: &str = "canary-peanuts";
pub const NOTE: &str = "canary-sleeps with the bear";

/// The service in a world of its own.
pub struct Nursery {
    stage: Stage,
}

impl Deref for Nursery {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// A family with two children and an aunt.
pub struct Family {
    /// Manages both children.
    pub parent: Subject,
    pub lou: String,
    pub max: String,
    /// May fetch Lou, with [`CODE`].
    pub aunt: String,
}

/// A hand-over as a carer reports it.
#[derive(Clone)]
pub struct Hand {
    pub child: String,
    pub adult: String,
    pub code: String,
    pub photo_id: bool,
    pub n: i32,
}

impl Hand {
    /// Of a child to an adult, with nothing to prove them.
    pub fn over(child: &str, adult: &str, n: i32) -> Self {
        let (child, adult) = (child.to_owned(), adult.to_owned());
        Self { child, adult, code: String::new(), photo_id: false, n }
    }

    pub fn code(self, code: &str) -> Self {
        Self { code: code.to_owned(), ..self }
    }

    pub fn photo_id(self) -> Self {
        Self { photo_id: true, ..self }
    }
}

/// A new id that a caller chooses.
pub fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// A request with the reason of an operator.
pub fn because<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("operator-reason", "a call of the mother".parse().unwrap());
    request
}

impl Nursery {
    /// Starts the service on `backend`, at two o'clock in Paris on Monday, 24 May 2027.
    pub async fn open(backend: Backend) -> Self {
        Self::start(World::new(backend).await).await
    }

    /// Starts the service in a world that there is already.
    pub async fn start(world: World) -> Self {
        let start = async |host: &_| child_assistance::start(host).await;
        let stage = Stage::start(world, "child_assistance", start).await;
        stage.wait_for_orders();
        Self { stage }
    }

    pub fn families(&self) -> FamilyServiceClient<Channel> {
        FamilyServiceClient::new(self.outside())
    }

    pub fn care(&self) -> CareServiceClient<Channel> {
        CareServiceClient::new(self.outside())
    }

    /// Lets minutes pass.
    pub fn wait(&self, minutes: i64) {
        self.world.clock.advance(chrono::Duration::minutes(minutes));
    }

    /// A child of this birth date.
    pub async fn child(&self, parent: Subject, born_on: &str) -> String {
        let id = new_id();
        let request = pb::CreateChildRequest { id: id.clone(), profile: Some(profile(born_on)) };
        self.families().create_child(request).by(parent).await.unwrap();
        id
    }

    /// An adult who may fetch a child, with a code.
    pub async fn adult(&self, parent: Subject, child: &str, code: &str) -> String {
        let id = new_id();
        let request = pb::CreateAuthorizedAdultRequest {
            child_id: child.to_owned(),
            id: id.clone(),
            profile: Some(pb::AdultProfile {
                name: "Anne Canari".to_owned(),
                relation: "aunt".to_owned(),
                photo_sha256: String::new(),
                phone: "+33611223344".to_owned(),
            }),
            code: code.to_owned(),
            ..pb::CreateAuthorizedAdultRequest::default()
        };
        self.families().create_authorized_adult(request).by(parent).await.unwrap();
        id
    }

    /// A family with two children of school age and an aunt.
    pub async fn family(&self) -> Family {
        let parent = somebody(&[Role::Customer]);
        let lou = self.child(parent, "2022-05-17").await;
        let max = self.child(parent, "2020-01-02").await;
        let aunt = self.adult(parent, &lou, CODE).await;
        Family { parent, lou, max, aunt }
    }

    /// An order of a family's care of some children from ten to twelve, that was quoted and booked.
    pub async fn book(&self, family: &Family, children: &[&str]) -> Order {
        let children: Vec<_> = children.iter().map(|id| json!({ "child_id": id })).collect();
        self.book_details(family.parent, json!({ "children": children })).await
    }

    /// An order with these details.
    pub async fn book_details(&self, customer: Subject, details: Json) -> Order {
        let quote = self.quote(&details, customer).await.unwrap();
        let mut order = Order::new(details);
        order.customer = customer;
        order.price =
            fulfilment::OrderPrice { quoted: quote.lines, cap: quote.cap, ..Default::default() };
        order
    }

    /// An order of which the care has begun.
    pub async fn begin(&self, family: &Family, children: &[&str]) -> Order {
        let mut order = self.book(family, children).await;
        self.go_through(&mut order, &TO_WORK).await;
        order
    }

    pub async fn check_in(&self, order: &Order, hand: Hand) -> Result<pb::Care, Status> {
        self.check_in_as(order, hand, order.provider).await
    }

    pub async fn check_in_as(
        &self,
        order: &Order,
        hand: Hand,
        by: Subject,
    ) -> Result<pb::Care, Status> {
        let request = pb::CheckInRequest {
            order_id: order.id.clone(),
            child_id: hand.child,
            adult_id: hand.adult,
            code: hand.code,
            handover: hand.n,
        };
        Ok(self.care().check_in(request).by(by).await?.into_inner().care.unwrap())
    }

    pub async fn check_out(&self, order: &Order, hand: Hand) -> Result<pb::Care, Status> {
        self.check_out_as(order, hand, order.provider).await
    }

    pub async fn check_out_as(
        &self,
        order: &Order,
        hand: Hand,
        by: Subject,
    ) -> Result<pb::Care, Status> {
        let request = pb::CheckOutRequest {
            order_id: order.id.clone(),
            child_id: hand.child,
            adult_id: hand.adult,
            code: hand.code,
            photo_id: hand.photo_id,
            handover: hand.n,
        };
        let request = because(request);
        Ok(self.care().check_out(request).by(by).await?.into_inner().care.unwrap())
    }

    /// The care as somebody reads it; operators say why.
    pub async fn read_care(&self, order: &Order, by: Subject) -> Result<pb::Care, Status> {
        let request = because(pb::GetCareRequest { order_id: order.id.clone() });
        Ok(self.care().get_care(request).by(by).await?.into_inner().care.unwrap())
    }

    pub async fn revoke(&self, adult: &str, by: Subject) -> Result<pb::AuthorizedAdult, Status> {
        let request = pb::RevokeAuthorizedAdultRequest { adult_id: adult.to_owned() };
        let answer = self.families().revoke_authorized_adult(request).by(by).await?;
        Ok(answer.into_inner().adult.unwrap())
    }

    /// Makes an account a guardian of a child.
    pub async fn make_guardian(
        &self,
        parent: Subject,
        child: &str,
        right: pb::GuardianRight,
    ) -> Subject {
        let guardian = somebody(&[Role::Customer]);
        self.invite(parent, child, right, guardian).await;
        guardian
    }

    /// Makes this account a guardian of a child.
    pub async fn invite(
        &self,
        parent: Subject,
        child: &str,
        right: pb::GuardianRight,
        guardian: Subject,
    ) {
        let token = self.invitation(parent, child, right).await;
        let request = pb::AcceptInvitationRequest { token };
        self.families().accept_invitation(request).by(guardian).await.unwrap();
    }

    /// The token of an invitation to be a guardian.
    pub async fn invitation(
        &self,
        parent: Subject,
        child: &str,
        right: pb::GuardianRight,
    ) -> String {
        let request = pb::InviteGuardianRequest { child_id: child.to_owned(), right: right.into() };
        let invited = self.families().invite_guardian(request).by(parent).await.unwrap();
        invited.into_inner().invitation.unwrap().token
    }

    /// Takes away the rights of a guardian.
    pub async fn remove_guardian(
        &self,
        child: &str,
        guardian: Subject,
        by: Subject,
    ) -> Result<(), Status> {
        let request = pb::RemoveGuardianRequest {
            child_id: child.to_owned(),
            user_id: guardian.user_id.to_string(),
        };
        self.families().remove_guardian(request).by(by).await.map(|_| ())
    }

    /// A connection to the tables of the service.
    pub async fn db(&self) -> kit::Db {
        let host = self.world.host.of("child_assistance");
        kit::Db::connect(&host.database_config(), self.world.clock.clone()).await.unwrap()
    }

    /// The texts that a query returns.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let db = self.db().await;
        let backend = db.connection().get_database_backend();
        let rows = db.connection().query_all_raw(Statement::from_string(backend, sql)).await;
        let rows = rows.unwrap();
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }

    /// Does something to the tables.
    pub async fn execute(&self, sql: &str) -> Result<(), sea_orm::DbErr> {
        let db = self.db().await;
        db.connection().execute_unprepared(sql).await.map(|_| ())
    }

    pub async fn is_sqlite(&self) -> bool {
        self.db().await.connection().get_database_backend() == DbBackend::Sqlite
    }
}

/// What is told of a child of this birth date.
pub fn profile(born_on: &str) -> pb::ChildProfile {
    pb::ChildProfile {
        name: NAME.to_owned(),
        born_on: born_on.to_owned(),
        allergies: ALLERGY.to_owned(),
        notes: NOTE.to_owned(),
        contacts: vec![pb::EmergencyContact {
            name: "Grandma Canari".to_owned(),
            phone: "+33655443322".to_owned(),
        }],
    }
}

/// The state of a child in the care of an order.
pub fn state_of(care: &pb::Care, child: &str) -> pb::CareChildState {
    care.children.iter().find(|it| it.child_id == child).unwrap().state()
}

pub use vertical::testing::totals;

/// The states that follow the work.
pub const TO_END: [OrderState; 2] = [OrderState::Delivered, OrderState::Completed];
