//! A firm of movers: members with their skills, trucks, and what moves take of them.

use crate::fixture::{Provider, Shop, application, hold, hours, offering};
use kit::{Db, testing::ActingAs};
use proto::quickserve::{
    fulfilment::v1::{Asset, CrewMember, Requirements},
    provider::v1 as pb,
};
use sea_orm::{
    ConnectionTrait, ExprTrait,
    sea_query::{Expr, Order, Query},
};
use uuid::Uuid;

/// Time kept free on each side of a move.
pub const BUFFER_MINUTES: i64 = 30;

/// A firm that may be booked for moves.
pub struct Firm {
    pub provider: Provider,
    /// The first of them leads.
    pub members: Vec<String>,
    pub trucks: Vec<String>,
}

impl Shop {
    /// A firm of `movers`, the first of whom can lead, with trucks that load so many litres.
    pub async fn firm(&self, movers: usize, trucks: &[i32]) -> Firm {
        let company = pb::ProviderKind::Company.into();
        let provider =
            self.apply(pb::CreateProviderRequest { kind: company, ..application("Firm") }).await;
        let offer = pb::CreateOfferingRequest {
            vertical: "moving".to_owned(),
            skills: vec!["moving".to_owned()],
            ..offering(&provider.id)
        };
        self.offerings().create_offering(offer).by(provider.owner).await.unwrap();
        let open = hours(&provider.id);
        self.availability().replace_availability(open).by(provider.owner).await.unwrap();
        self.verified(&provider, "2027-01-01", "2027-12-31").await;
        self.approve(&provider).await;
        let mut members = Vec::new();
        for index in 0..movers {
            let skills: &[&str] = if index == 0 { &["moving", "moving.lead"] } else { &["moving"] };
            members.push(self.member(&provider, skills).await);
        }
        let mut ids = Vec::new();
        for volume_l in trucks {
            ids.push(self.truck(&provider, *volume_l).await);
        }
        Firm { provider, members, trucks: ids }
    }

    /// A member with skills.
    pub async fn member(&self, provider: &Provider, skills: &[&str]) -> String {
        let request = pb::CreateMemberRequest {
            provider_id: provider.id.clone(),
            name: "Zoé".to_owned(),
            role: "mover".to_owned(),
            skills: skills.iter().map(ToString::to_string).collect(),
            user_id: String::new(),
        };
        let created = self.profiles().create_member(request).by(provider.owner).await;
        created.unwrap().into_inner().member.unwrap().id
    }

    /// A truck that loads so many litres.
    pub async fn truck(&self, provider: &Provider, volume_l: i32) -> String {
        let created =
            self.assets().create_asset(truck(&provider.id, volume_l)).by(provider.owner).await;
        created.unwrap().into_inner().asset.unwrap().id
    }

    /// The rows of an order's reservation that take time: what they take, in what state, and whether it runs.
    pub async fn rows(&self, order_id: &str) -> Vec<(Uuid, String, bool)> {
        let config = self.world.host.of("provider").database_config();
        let db = Db::connect(&config, self.world.clock.clone()).await.unwrap();
        let query = Query::select()
            .columns(["resource_id", "state", "running"])
            .from("reservations")
            .and_where(Expr::col("order_id").eq(order_id.parse::<Uuid>().unwrap()))
            .and_where(Expr::col("state").ne("RELEASED"))
            .order_by("resource_id", Order::Asc)
            .to_owned();
        let rows = db.connection().query_all(&query).await.unwrap();
        db.close().await.unwrap();
        let read = rows.iter().map(|row| {
            let state = row.try_get("", "state").unwrap();
            (row.try_get("", "resource_id").unwrap(), state, row.try_get("", "running").unwrap())
        });
        read.collect()
    }
}

pub fn truck(provider_id: &str, volume_l: i32) -> pb::CreateAssetRequest {
    pb::CreateAssetRequest {
        provider_id: provider_id.to_owned(),
        kind: "truck".to_owned(),
        seats: 3,
        volume_l,
        payload_kg: 3000,
        plate: "AB-123-CD".to_owned(),
    }
}

/// A move that takes a lead, so many others and one truck of a size.
pub fn move_of(movers: i32, volume_l: i32) -> Requirements {
    let role = |role: &str, skill: &str, count| CrewMember {
        role: role.to_owned(),
        skills: vec![skill.to_owned()],
        documents: Vec::new(),
        count,
    };
    let buffer = Some(prost_types::Duration { seconds: BUFFER_MINUTES * 60, nanos: 0 });
    let mut crew = vec![role("lead", "moving.lead", 1)];
    if movers > 1 {
        crew.push(role("mover", "moving", movers - 1));
    }
    Requirements {
        skills: vec!["moving".to_owned()],
        documents: vec!["insurance".to_owned()],
        buffer_before: buffer,
        buffer_after: buffer,
        crew,
        assets: vec![Asset {
            kinds: vec!["truck".to_owned()],
            volume_l,
            count: 1,
            ..Asset::default()
        }],
        ..Requirements::default()
    }
}

/// A hold of a fresh order that moves a home.
pub fn hold_move(
    provider: &Provider,
    requirements: Requirements,
    start: &str,
    expires: &str,
) -> pb::HoldReservationRequest {
    pb::HoldReservationRequest {
        vertical: "moving".to_owned(),
        requirements: Some(requirements),
        ..hold(provider, start, 2, expires)
    }
}

pub fn confirm(hold: &pb::HoldReservationRequest) -> pb::ConfirmReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::ConfirmReservationRequest { order_id, provider_id, round }
}

pub fn release(hold: &pb::HoldReservationRequest) -> pb::ReleaseReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::ReleaseReservationRequest { order_id, provider_id, round }
}

/// The causes of a refusal for lack of eligibility.
pub fn causes<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> String {
    let status = answer.unwrap_err();
    let details = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
    assert_eq!(details.reason, "PROVIDER_NOT_ELIGIBLE");
    details.metadata["causes"].clone()
}
