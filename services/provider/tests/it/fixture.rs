//! A marketplace in small: the service, clients of it, and providers ready to be booked.

use crate::copies::copy_provider;
use kit::{
    Db, Role, Subject,
    rpc::client::Channel,
    testing::{ActingAs, Backend, World, acting_as, at, paris, somebody, window},
    values::time::timestamp,
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::Requirements,
    provider::v1::{
        self as pb, asset_service_client::AssetServiceClient,
        availability_service_client::AvailabilityServiceClient,
        offering_service_client::OfferingServiceClient,
        presence_service_client::PresenceServiceClient,
        provider_service_client::ProviderServiceClient,
        reservation_service_client::ReservationServiceClient,
        tracking_service_client::TrackingServiceClient,
        vetting_service_client::VettingServiceClient,
    },
};
use uuid::Uuid;

/// The service in a world of its own.
pub struct Shop {
    pub world: World,
    pub operator: Subject,
}

/// A provider that may be booked.
#[derive(Clone)]
pub struct Provider {
    pub id: String,
    pub owner: Subject,
}

impl Shop {
    /// Starts the service on `backend`.
    pub async fn open(backend: Backend) -> Self {
        Self::open_in(World::new(backend).await).await
    }

    /// Starts the service on what is in `world` already.
    pub async fn open_in(world: World) -> Self {
        let host = world.host.of("provider");
        host.migrate().await.unwrap();
        let routes = provider::start(&host).await.unwrap();
        host.install(routes);
        Self { world, operator: somebody(&[Role::Operator]) }
    }

    /// Makes so many copies of Ana.
    pub async fn copy(&self, provider: &Provider, count: usize) {
        let config = self.world.host.of("provider").database_config();
        let db = Db::connect(&config, self.world.clock.clone()).await.unwrap();
        copy_provider(&db, &provider.id, count).await;
        db.close().await.unwrap();
    }

    pub fn profiles(&self) -> ProviderServiceClient<Channel> {
        ProviderServiceClient::new(self.world.outside("provider"))
    }

    pub fn vetting(&self) -> VettingServiceClient<Channel> {
        VettingServiceClient::new(self.world.outside("provider"))
    }

    pub fn offerings(&self) -> OfferingServiceClient<Channel> {
        OfferingServiceClient::new(self.world.outside("provider"))
    }

    pub fn availability(&self) -> AvailabilityServiceClient<Channel> {
        AvailabilityServiceClient::new(self.world.outside("provider"))
    }

    pub fn tracking(&self) -> TrackingServiceClient<Channel> {
        TrackingServiceClient::new(self.world.outside("provider"))
    }

    /// As order calls.
    pub fn reservations(&self) -> ReservationServiceClient<Channel> {
        ReservationServiceClient::new(self.world.host.of("order").channel("provider"))
    }

    pub fn assets(&self) -> AssetServiceClient<Channel> {
        AssetServiceClient::new(self.world.outside("provider"))
    }

    pub fn presence(&self) -> PresenceServiceClient<Channel> {
        PresenceServiceClient::new(self.world.outside("provider"))
    }

    /// Somebody who has applied.
    pub async fn applicant(&self, name: &str) -> Provider {
        self.apply(application(name)).await
    }

    /// Somebody who applies so.
    pub async fn apply(&self, application: pb::CreateProviderRequest) -> Provider {
        let owner = somebody(&[Role::Provider]);
        let applied = acting_as(owner, self.profiles().create_provider(application)).await;
        Provider { id: applied.unwrap().into_inner().provider.unwrap().id, owner }
    }

    /// An applicant who offers cleanings in Paris from 8 to 20 o'clock, insured for all of 2027.
    pub async fn ready(&self, name: &str) -> Provider {
        let provider = self.applicant(name).await;
        acting_as(provider.owner, self.offerings().create_offering(offering(&provider.id)))
            .await
            .unwrap();
        acting_as(provider.owner, self.availability().replace_availability(hours(&provider.id)))
            .await
            .unwrap();
        self.verified(&provider, "2027-01-01", "2027-12-31").await;
        provider
    }

    /// A provider that may be booked.
    pub async fn vetted(&self, name: &str) -> Provider {
        let provider = self.ready(name).await;
        self.approve(&provider).await;
        provider
    }

    /// Lets an applicant be booked.
    pub async fn approve(&self, provider: &Provider) {
        let id = provider.id.clone();
        let mut vetting = self.vetting();
        acting_as(self.operator, async {
            let check = pb::BackgroundCheck::Clear.into();
            vetting.start_review(pb::StartReviewRequest { provider_id: id.clone() }).await.unwrap();
            vetting
                .set_background_check(pb::SetBackgroundCheckRequest {
                    provider_id: id.clone(),
                    background_check: check,
                })
                .await
                .unwrap();
            vetting.approve_provider(pb::ApproveProviderRequest { provider_id: id }).await.unwrap();
        })
        .await;
    }

    /// Hands in an insurance and has it verified.
    pub async fn verified(&self, provider: &Provider, issued: &str, expires: &str) -> String {
        let submitted = self
            .vetting()
            .submit_document(insurance(&provider.id, issued, expires))
            .by(provider.owner)
            .await;
        self.verify(provider, submitted).await
    }

    /// Has a document verified that was handed in.
    pub async fn verify(
        &self,
        provider: &Provider,
        submitted: Result<tonic::Response<pb::SubmitDocumentResponse>, tonic::Status>,
    ) -> String {
        let document_id = submitted.unwrap().into_inner().document.unwrap().id;
        let request = pb::VerifyDocumentRequest {
            provider_id: provider.id.clone(),
            document_id: document_id.clone(),
        };
        acting_as(self.operator, self.vetting().verify_document(request)).await.unwrap();
        document_id
    }

    /// The profile as its owner sees it.
    pub async fn profile(&self, provider: &Provider) -> pb::Provider {
        let mine =
            self.profiles().get_my_provider(pb::GetMyProviderRequest {}).by(provider.owner).await;
        mine.unwrap().into_inner().provider.unwrap()
    }
}

pub fn application(name: &str) -> pb::CreateProviderRequest {
    pb::CreateProviderRequest {
        kind: pb::ProviderKind::Solo.into(),
        name: name.to_owned(),
        bio: "Twenty years of clean windows".to_owned(),
        city: "Paris".to_owned(),
        country: "FR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
    }
}

pub fn offering(provider_id: &str) -> pb::CreateOfferingRequest {
    pb::CreateOfferingRequest {
        provider_id: provider_id.to_owned(),
        vertical: "cleaning".to_owned(),
        skills: vec!["cleaning.standard".to_owned()],
        rate_card: vec![pb::Rate {
            code: "hour".to_owned(),
            unit: "hour".to_owned(),
            price: Some(Money { currency: "EUR".to_owned(), minor_units: 2500 }),
        }],
        area: Some(pb::ServiceArea { lat: Some(48.8566), lng: Some(2.3522), radius_km: 10.0 }),
    }
}

pub fn hours(provider_id: &str) -> pb::ReplaceAvailabilityRequest {
    let rule = |day| pb::WeeklyRule {
        weekday: day,
        hours: Some(pb::LocalHours { start: "08:00".to_owned(), end: "20:00".to_owned() }),
    };
    pb::ReplaceAvailabilityRequest {
        provider_id: provider_id.to_owned(),
        time_zone: String::new(),
        weekly: (1..=7).map(rule).collect(),
        version: 0,
    }
}

pub fn insurance(provider_id: &str, issued: &str, expires: &str) -> pb::SubmitDocumentRequest {
    pb::SubmitDocumentRequest {
        provider_id: provider_id.to_owned(),
        kind: "insurance".to_owned(),
        number: "P-1234".to_owned(),
        issued_on: issued.to_owned(),
        expires_on: expires.to_owned(),
        file_sha256: String::new(),
        member_id: String::new(),
    }
}

pub fn requirements(buffer_minutes: i64) -> Requirements {
    let buffer = Some(prost_types::Duration { seconds: buffer_minutes * 60, nanos: 0 });
    Requirements {
        skills: vec!["cleaning.standard".to_owned()],
        documents: vec!["insurance".to_owned()],
        crew_size: 1,
        duration: None,
        buffer_before: buffer,
        buffer_after: buffer,
        ..Requirements::default()
    }
}

/// A hold of a fresh order.
pub fn hold(
    provider: &Provider,
    start: &str,
    hours: i64,
    expires: &str,
) -> pb::HoldReservationRequest {
    pb::HoldReservationRequest {
        order_id: Uuid::new_v4().to_string(),
        provider_id: provider.id.clone(),
        vertical: "cleaning".to_owned(),
        window: Some(window(start, hours)),
        address: Some(paris()),
        requirements: Some(requirements(0)),
        hold_expires_at: Some(timestamp(at(expires))),
        customer_id: Uuid::new_v4().to_string(),
        round: 0,
        booked: false,
        begin: false,
    }
}
