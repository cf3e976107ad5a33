//! The tables, documented where they are migrated.

/// The row of a price.
pub mod quote {
    use crate::domain::{AccountId, JobDetails, ProviderId, QuoteId, Terms};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "quotes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: QuoteId,
        pub customer_id: AccountId,
        pub vertical: String,
        pub details: JobDetails,
        pub terms: Terms,
        pub window_start: DateTimeUtc,
        pub window_end: DateTimeUtc,
        pub time_zone: String,
        pub provider_id: Option<ProviderId>,
        pub total: i64,
        pub currency: String,
        pub inputs_hash: Vec<u8>,
        pub expires_at: DateTimeUtc,
        pub version: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of an order.
pub mod order {
    use crate::domain::{
        AccountId, JobDetails, OrderId, Payment, Private, Progress, ProviderId, QuoteId, State,
        Terms,
    };
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: OrderId,
        pub customer_id: AccountId,
        pub quote_id: QuoteId,
        pub request_id: Option<Uuid>,
        pub vertical: String,
        pub state: State,
        pub disputed: bool,
        pub booking: bool,
        pub joined: bool,
        pub given_up: bool,
        pub provider_id: Option<ProviderId>,
        pub provider_user_id: Option<AccountId>,
        pub provider_name: String,
        pub window_start: DateTimeUtc,
        pub window_end: DateTimeUtc,
        pub time_zone: String,
        pub details: JobDetails,
        pub terms: Terms,
        pub notes: Private,
        pub search_if_declined: bool,
        pub total: i64,
        pub currency: String,
        pub payment: Payment,
        pub progress: Progress,
        pub hold_expires_at: DateTimeUtc,
        pub version: i64,
        pub event_seq: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of an offer.
pub mod offer {
    use crate::domain::{AccountId, OfferId, OfferState, OrderId, ProviderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "offers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: OfferId,
        pub order_id: OrderId,
        pub provider_id: ProviderId,
        pub provider_user_id: AccountId,
        pub provider_name: String,
        pub round: i32,
        pub wave: i32,
        pub state: OfferState,
        pub tried: bool,
        pub live: bool,
        pub travel_s: i64,
        pub valid_till: DateTimeUtc,
        pub created_at: DateTimeUtc,
        pub tried_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a provider whom a customer likes to have again.
pub mod favourite {
    use crate::domain::{AccountId, ProviderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "favourites")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub customer_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub provider_id: ProviderId,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a further visit.
pub mod visit {
    use crate::domain::{OrderId, ProviderId, VisitId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "visits")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: VisitId,
        pub order_id: OrderId,
        pub provider_id: ProviderId,
        pub starts_at: DateTimeUtc,
        pub ends_at: DateTimeUtc,
        pub booked: bool,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of something owed to another service.
pub mod effect {
    use crate::domain::{OrderId, SideEffect};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "effects")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: OrderId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub effect: SideEffect,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of something that happened.
pub mod timeline {
    use crate::domain::{Actor, OrderId, State};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "timeline")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub order_id: OrderId,
        pub action: String,
        pub from_state: State,
        pub to_state: State,
        pub actor: Actor,
        pub actor_id: Option<Uuid>,
        pub note: String,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a message.
pub mod message {
    use crate::domain::{AccountId, Actor, OrderId, Private};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub order_id: OrderId,
        pub author_id: AccountId,
        pub side: Actor,
        pub body: Private,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a proof.
pub mod proof {
    use crate::domain::{AccountId, OrderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "proofs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub order_id: OrderId,
        pub kind: String,
        pub sha256: String,
        pub lat: Option<f64>,
        pub lng: Option<f64>,
        pub taken_at: DateTimeUtc,
        pub added_by: AccountId,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a change order.
pub mod change_order {
    use crate::domain::{Actor, ChangeId, ChangeLines, ChangeState, OrderId, PriceLines};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "change_orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ChangeId,
        pub order_id: OrderId,
        pub lines: ChangeLines,
        pub price_lines: Option<PriceLines>,
        pub reason: String,
        pub amount: i64,
        pub state: ChangeState,
        pub proposed_by: Actor,
        pub valid_till: DateTimeUtc,
        pub created_at: DateTimeUtc,
        pub decided_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a review.
pub mod review {
    use crate::domain::{Actor, OrderId, ProviderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reviews")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub order_id: OrderId,
        pub side: Actor,
        pub provider_id: Option<ProviderId>,
        pub stars: i32,
        pub body: String,
        pub created_at: DateTimeUtc,
        pub published_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a dispute.
pub mod dispute {
    use crate::domain::{Actor, DisputeState, OrderId, Private};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "disputes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub order_id: OrderId,
        pub opened_by: Actor,
        pub reason: String,
        pub body: Private,
        pub state: DisputeState,
        pub refund: Option<i64>,
        pub created_at: DateTimeUtc,
        pub resolved_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The row of a raise that is asked for before its change is written.
pub mod change_raise {
    use crate::domain::{ChangeId, OrderId};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "change_raises")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub change_id: ChangeId,
        pub order_id: OrderId,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
