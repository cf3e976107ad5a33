//! Appliances of customers.

use crate::fixture::{Workshop, customer};
use kit::{
    Event, Subject,
    messaging::bus::Bus,
    testing::{ActingAs, Backend, eventually, refusal, refused_field},
};
use prost::Message;
use proto::quickserve::{
    repair::v1::{self as pb, Appliance},
    user::v1::UserEvent,
};
use serde_json::json;
use tonic::Status;
use uuid::Uuid;
use yare::parameterized;

fn boiler() -> pb::CreateApplianceRequest {
    pb::CreateApplianceRequest {
        brand: "Saunier Duval".to_owned(),
        model: "Thelia 25".to_owned(),
        serial: "21-0099".to_owned(),
        warranty_until: "2028-05-24".to_owned(),
    }
}

impl Workshop {
    async fn add_appliance(
        &self,
        owner: Subject,
        request: pb::CreateApplianceRequest,
    ) -> Result<Appliance, Status> {
        let answer = self.appliances().create_appliance(request).by(owner).await?;
        Ok(answer.into_inner().appliance.unwrap())
    }

    async fn list_appliances(&self, owner: Subject) -> Vec<Appliance> {
        let request = pb::ListAppliancesRequest { page_size: 100, page_token: String::new() };
        let answer = self.appliances().list_appliances(request).by(owner).await;
        answer.unwrap().into_inner().appliances
    }

    async fn delete_appliance(&self, owner: Subject, id: &str) -> Result<(), Status> {
        let request = pb::DeleteApplianceRequest { appliance_id: id.to_owned() };
        self.appliances().delete_appliance(request).by(owner).await.map(drop)
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_keeps_appliances_and_has_them_repaired(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (owner, stranger) = (customer(), customer());
    let kept = workshop.add_appliance(owner, boiler()).await.unwrap();
    assert_eq!(
        (kept.brand.as_str(), kept.warranty_until.as_str()),
        ("Saunier Duval", "2028-05-24")
    );
    assert_eq!(workshop.list_appliances(owner).await, std::slice::from_ref(&kept));
    assert_eq!(workshop.list_appliances(stranger).await, []);
    let details = json!({ "category": "heating", "appliance_id": kept.id });
    let foreign = workshop.quote(&details, stranger).await;
    assert_eq!(refused_field(foreign), "details.appliance_id");
    let quote = workshop.quote(&details, owner).await.unwrap();
    assert_eq!(quote.requirements.unwrap().preferred_skills, ["repair.brand.saunier_duval"]);

    let mut order = vertical::testing::Order::new(details);
    order.customer = owner;
    workshop.go_through(&mut order, &vertical::testing::TO_WORK).await;
    let seen = workshop.repair_by(&order, order.provider).await.unwrap().appliance.unwrap();
    assert_eq!(seen, kept, "the repairer sees what it is");
    assert_eq!(refusal(workshop.delete_appliance(stranger, &kept.id).await), "APPLIANCE_NOT_FOUND");
    workshop.delete_appliance(owner, &kept.id).await.unwrap();
    assert_eq!(refusal(workshop.delete_appliance(owner, &kept.id).await), "APPLIANCE_NOT_FOUND");
    assert_eq!(workshop.repair(&order).await.appliance, None);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn appliances_are_checked_and_limited(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let owner = customer();
    for (request, field) in [
        (pb::CreateApplianceRequest { brand: String::new(), ..boiler() }, "brand"),
        (pb::CreateApplianceRequest { model: "<b>".to_owned(), ..boiler() }, "model"),
        (pb::CreateApplianceRequest { serial: "x".repeat(61), ..boiler() }, "serial"),
        (
            pb::CreateApplianceRequest { warranty_until: "soon".to_owned(), ..boiler() },
            "warranty_until",
        ),
        (
            pb::CreateApplianceRequest { warranty_until: "2028-02-30".to_owned(), ..boiler() },
            "warranty_until",
        ),
    ] {
        assert_eq!(refused_field(workshop.add_appliance(owner, request).await), field);
    }
    let bare = pb::CreateApplianceRequest { brand: "AEG".to_owned(), ..Default::default() };
    for _ in 0..100 {
        workshop.add_appliance(owner, bare.clone()).await.unwrap();
    }
    assert_eq!(refusal(workshop.add_appliance(owner, bare).await), "APPLIANCE_LIMIT");
    let request = pb::ListAppliancesRequest { page_size: 60, page_token: String::new() };
    let page = workshop.appliances().list_appliances(request).by(owner).await.unwrap().into_inner();
    assert_eq!(page.appliances.len(), 60);
    let request = pb::ListAppliancesRequest { page_size: 60, page_token: page.next_page_token };
    let page = workshop.appliances().list_appliances(request).by(owner).await.unwrap().into_inner();
    assert_eq!((page.appliances.len(), page.next_page_token.as_str()), (40, ""));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_account_leaves_no_appliance(backend: Backend) {
    let workshop = Workshop::open(backend).await;
    let (owner, other) = (customer(), customer());
    workshop.add_appliance(owner, boiler()).await.unwrap();
    workshop.add_appliance(other, boiler()).await.unwrap();
    let erased = Event {
        id: Uuid::new_v4(),
        source: "user".to_owned(),
        kind: "user.erased".to_owned(),
        aggregate: owner.user_id,
        seq: 1,
        occurred_at: workshop.world.clock.now(),
        actor: String::new(),
        traceparent: String::new(),
        data: UserEvent { user_id: owner.user_id.to_string() }.encode_to_vec(),
        only_for: None,
    };
    workshop.world.bus.publish(&erased).await.unwrap();
    let left = async || workshop.list_appliances(owner).await;
    eventually("the appliances are gone", left, Vec::is_empty).await;
    assert_eq!(workshop.list_appliances(other).await.len(), 1);
}
