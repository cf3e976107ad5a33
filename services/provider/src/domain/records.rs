//! The tables of provider as rows; their columns are documented where they are migrated.

pub mod provider {
    use crate::domain::{
        ProviderId,
        block::Blocks,
        calendar::{Exceptions, Weekly},
        profile::{BackgroundCheck, ProviderKind, State},
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "providers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ProviderId,
        pub user_id: Uuid,
        pub kind: ProviderKind,
        pub name: String,
        pub bio: String,
        pub city: String,
        pub city_key: String,
        pub country: String,
        pub time_zone: String,
        pub state: State,
        pub before_block: Option<State>,
        pub blocks: Blocks,
        pub background_check: BackgroundCheck,
        pub weekly: Weekly,
        pub exceptions: Exceptions,
        pub stars_sum: i32,
        pub reviews: i32,
        pub accepted: i32,
        pub declined: i32,
        pub cancelled: i32,
        pub arrivals: i32,
        pub on_time: i32,
        pub completed: i32,
        pub score: i32,
        pub standing: i64,
        pub version: i64,
        pub event_seq: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod offering {
    use crate::domain::{
        OfferingId, ProviderId,
        offering::{RateCard, Skills},
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "offerings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: OfferingId,
        pub provider_id: ProviderId,
        pub vertical: String,
        pub skills: Skills,
        pub rate_card: RateCard,
        pub lat: f64,
        pub lng: f64,
        pub radius_km: f64,
        pub lat_min: f64,
        pub lat_max: f64,
        pub lng_min: f64,
        pub lng_max: f64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod document {
    use crate::domain::{DocumentId, MemberId, ProviderId, document::State};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: DocumentId,
        pub provider_id: ProviderId,
        pub kind: String,
        pub number: String,
        pub issued_on: Date,
        pub expires_on: Option<Date>,
        pub file_sha256: String,
        pub state: State,
        pub reason: String,
        pub reviewed_by: Option<Uuid>,
        pub version: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub member_id: Option<MemberId>,
    }

    /// Says which document it is, not what is on it.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Document").field("id", &self.id).finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod time_off {
    use crate::domain::{MemberId, ProviderId, TimeOffId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "time_off")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: TimeOffId,
        pub provider_id: ProviderId,
        pub start_local: DateTime,
        pub end_local: DateTime,
        pub note: String,
        pub created_at: DateTimeUtc,
        pub member_id: Option<MemberId>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod member {
    use crate::domain::{MemberId, ProviderId, offering::Skills};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MemberId,
        pub provider_id: ProviderId,
        pub name: String,
        pub role: String,
        pub created_at: DateTimeUtc,
        pub skills: Skills,
        pub user_id: Option<Uuid>,
        pub active: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod asset {
    use crate::domain::{AssetId, ProviderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "assets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: AssetId,
        pub provider_id: ProviderId,
        pub kind: String,
        pub seats: i32,
        pub volume_l: i32,
        pub payload_kg: i32,
        pub plate: String,
        pub active: bool,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    /// Says which vehicle it is, not its plate.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Asset").field("id", &self.id).finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod presence {
    use crate::domain::{AssetId, ProviderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "presences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub provider_id: ProviderId,
        pub online: bool,
        pub asset_id: Option<AssetId>,
        pub idle_since: DateTimeUtc,
        pub seen_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod reservation {
    use crate::domain::{
        ProviderId, ReservationId,
        reservation::{JobRequest, ResourceKind, State},
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "reservations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ReservationId,
        pub provider_id: ProviderId,
        pub order_id: Uuid,
        pub round: i32,
        pub reservation_id: ReservationId,
        pub resource_id: Uuid,
        pub resource_kind: ResourceKind,
        pub role: String,
        pub running: bool,
        pub state: State,
        pub lapsed: bool,
        pub starts_at: DateTimeUtc,
        pub ends_at: DateTimeUtc,
        pub hold_expires_at: DateTimeUtc,
        pub job: JobRequest,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
