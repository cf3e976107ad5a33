//! What the sandbox remembers.

pub mod charge {
    use sea_orm::entity::prelude::*;
    use std::fmt;

    /// The call was lost on its way.
    pub const LOST: &str = "LOST";
    /// The outcome comes later.
    pub const PENDING: &str = "PENDING";
    /// The customer must confirm.
    pub const CONFIRM: &str = "CONFIRM";
    /// The money is reserved.
    pub const AUTHORIZED: &str = "AUTHORIZED";
    /// The card was declined.
    pub const DECLINED: &str = "DECLINED";
    /// The money was taken.
    pub const CAPTURED: &str = "CAPTURED";
    /// Cancelled before anything was reserved.
    pub const CANCELLED: &str = "CANCELLED";
    /// Cancelled after money was reserved.
    pub const VOIDED: &str = "VOIDED";

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sandbox_charges")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub reference: Uuid,
        pub token: String,
        pub currency: String,
        pub amount: i64,
        pub captured: i64,
        pub refunded: i64,
        pub state: String,
        pub reason: String,
        pub settles_at: Option<DateTimeUtc>,
        pub expires_at: Option<DateTimeUtc>,
    }

    impl fmt::Debug for Model {
        /// Shows which charge it is, never the token.
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Charge({} {})", self.reference, self.state)
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod operation {
    use sea_orm::entity::prelude::*;

    /// A call that failed on purpose; the next one works.
    pub const FAILED_ONCE: &str = "FAILED_ONCE";
    /// It was done.
    pub const DONE: &str = "DONE";
    /// It was refused.
    pub const REFUSED: &str = "REFUSED";

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sandbox_operations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub reference: Uuid,
        pub kind: String,
        pub payee: Option<Uuid>,
        pub currency: String,
        pub amount: i64,
        pub state: String,
        pub reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sandbox_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub body: String,
        pub next_at: DateTimeUtc,
        pub tries: i32,
        pub claimed_by: Option<Uuid>,
        pub lease_until: Option<DateTimeUtc>,
    }

    impl kit::messaging::queue::Queue for Entity {
        const DUE_AT: Column = Column::NextAt;
        const CLAIMED_BY: Column = Column::ClaimedBy;
        const LEASE_UNTIL: Column = Column::LeaseUntil;
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
