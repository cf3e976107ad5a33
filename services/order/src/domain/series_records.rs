//! The tables of series and of calendar links, documented where they are migrated.

/// The row of a series.
pub mod series {
    use crate::domain::{
        AccountId, Address, Private, ProviderId, ProviderMode, SeriesId, SeriesState,
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "series")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SeriesId,
        pub customer_id: AccountId,
        pub vertical: String,
        pub place: Address,
        pub time_zone: String,
        pub provider_id: Option<ProviderId>,
        pub provider_user_id: Option<AccountId>,
        pub mode: ProviderMode,
        pub method_id: Option<Uuid>,
        pub notes: Private,
        pub state: SeriesState,
        pub paused_from: Option<Date>,
        pub paused_until: Option<Date>,
        pub ended_on: Option<Date>,
        pub standing_since: Option<DateTimeUtc>,
        pub version: i64,
        pub event_seq: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a rule of a series.
pub mod revision {
    use crate::domain::{JobDetails, SeriesId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "series_revisions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub series_id: SeriesId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub from_on: Date,
        pub rrule: String,
        pub start_minute: i32,
        pub minutes: i32,
        pub details: JobDetails,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a date of a series.
pub mod occurrence {
    use crate::domain::{JobDetails, OccurrenceState, OrderId, SeriesId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "series_occurrences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub series_id: SeriesId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub on_date: Date,
        pub state: OccurrenceState,
        pub reason: String,
        pub moved_to: Option<DateTime>,
        pub minutes: Option<i32>,
        pub details: Option<JobDetails>,
        pub round: i32,
        pub order_id: Option<OrderId>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a secret link to a calendar.
pub mod calendar_link {
    use crate::domain::AccountId;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "calendar_links")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: AccountId,
        pub secret_sha256: Vec<u8>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
