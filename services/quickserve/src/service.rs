//! The services this program can run. A new one adds a variant and its arms.

use clap::ValueEnum;
use kit::{Host, Routes};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// Accounts and sign-in.
    User,
    /// Providers and their time.
    Provider,
    Payment,
    /// Messages to people.
    Notification,
    /// The cleaning vertical.
    Cleaning,
    /// The transport vertical: rides and parcels.
    Transport,
    /// The moving vertical: homes that move, with inventory and waybill.
    Moving,
    /// The repair vertical.
    Repair,
    /// The child_assistance vertical: care of children.
    #[value(name = "child_assistance")]
    ChildAssistance,
    /// Quotes, orders and the booking saga.
    Order,
}

impl Service {
    /// Every service, in the order in which a process starts them.
    pub const ALL: [Self; 10] = [
        Self::User,
        Self::Provider,
        Self::Payment,
        Self::Notification,
        Self::Cleaning,
        Self::Transport,
        Self::Moving,
        Self::Repair,
        Self::ChildAssistance,
        Self::Order,
    ];

    /// Those that order books.
    pub const VERTICALS: [Self; 5] =
        [Self::Cleaning, Self::Transport, Self::Moving, Self::Repair, Self::ChildAssistance];

    /// Its name: package segment, database schema, section of the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Provider => "provider",
            Self::Payment => "payment",
            Self::Notification => "notification",
            Self::Cleaning => "cleaning",
            Self::Transport => "transport",
            Self::Moving => "moving",
            Self::Repair => "repair",
            Self::ChildAssistance => "child_assistance",
            Self::Order => "order",
        }
    }

    /// Starts it on `host`.
    pub async fn start(self, host: &Host) -> anyhow::Result<Routes> {
        match self {
            Self::User => user::start(host).await,
            Self::Provider => provider::start(host).await,
            Self::Payment => payment::start(host).await,
            Self::Notification => notification::start(host).await,
            Self::Cleaning => cleaning::start(host).await,
            Self::Transport => transport::start(host).await,
            Self::Moving => moving::start(host).await,
            Self::Repair => repair::start(host).await,
            Self::ChildAssistance => child_assistance::start(host).await,
            Self::Order => order::start(host).await,
        }
    }
}
