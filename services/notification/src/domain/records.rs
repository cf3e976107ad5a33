//! The tables as rows; their columns are documented where they are migrated.

pub mod message {
    use crate::domain::{
        MessageId,
        catalogue::{Addressee, ContactChannel, Importance},
        message::{Particulars, State},
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MessageId,
        pub event_id: Uuid,
        pub addressee: Addressee,
        pub channel: ContactChannel,
        pub user_id: Uuid,
        pub template: String,
        pub importance: Importance,
        pub particulars: Particulars,
        pub order_id: Option<Uuid>,
        pub order_seq: i64,
        pub fades: bool,
        pub stale: bool,
        pub state: State,
        pub attempts: i32,
        pub failure: String,
        pub due_at: Option<DateTimeUtc>,
        pub claimed_by: Option<Uuid>,
        pub lease_until: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub read_at: Option<DateTimeUtc>,
    }

    impl kit::messaging::queue::Queue for Entity {
        const DUE_AT: Column = Column::DueAt;
        const CLAIMED_BY: Column = Column::ClaimedBy;
        const LEASE_UNTIL: Column = Column::LeaseUntil;
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod settings {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        pub email: bool,
        pub locale: String,
        pub preferences_version: i64,
        pub quiet: bool,
        pub quiet_from: i16,
        pub quiet_to: i16,
        pub time_zone: String,
        pub quiet_version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
