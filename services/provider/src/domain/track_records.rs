//! The tables of tracks as rows; their columns are documented where they are migrated.

pub mod track {
    use crate::domain::{ProviderId, track::TrackState};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "tracks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: Uuid,
        pub customer_id: Uuid,
        pub provider_id: Option<ProviderId>,
        pub provider_user_id: Option<Uuid>,
        pub leg: i32,
        pub state: TrackState,
        pub is_open: bool,
        pub lat: Option<f64>,
        pub lng: Option<f64>,
        pub last_at_ms: i64,
        pub arriving_told: bool,
        pub stale_told: bool,
        pub order_seq: i64,
        pub event_seq: i64,
        pub departed_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
        pub purge_at: Option<DateTimeUtc>,
        pub disputed: bool,
        pub metres: Option<i64>,
        pub seconds: Option<i64>,
        pub gaps: Option<i32>,
        pub covered_percent: Option<i32>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod point {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "track_points")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub at_ms: i64,
        pub leg: i32,
        pub lat: f64,
        pub lng: f64,
        pub accuracy_m: f64,
        pub heading: Option<f64>,
        pub eta_s: Option<i32>,
        pub gap: bool,
    }

    /// Where people are is in no log.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("TrackPoint").field("at_ms", &self.at_ms).finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
