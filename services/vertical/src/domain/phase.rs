//! The phases of an order, as far as the work minds.

/// Where an order stands, in the eyes of those who do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The provider has not set out.
    Booked,
    /// The provider is on the way.
    EnRoute,
    /// The provider is at the door.
    AtTheDoor,
    /// The work is going on.
    Working,
    /// The customer asked for rework.
    Rework,
    /// The provider says the work is done.
    Delivered,
    /// The order ended without the work.
    Ended,
}

impl Phase {
    /// The name of the phase in contracts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Booked => "BOOKED",
            Self::EnRoute => "EN_ROUTE",
            Self::AtTheDoor => "AT_THE_DOOR",
            Self::Working => "WORKING",
            Self::Rework => "REWORK",
            Self::Delivered => "DELIVERED",
            Self::Ended => "ENDED",
        }
    }

    /// Whether work is going on.
    pub const fn is_working(self) -> bool {
        matches!(self, Self::Working | Self::Rework)
    }
}
