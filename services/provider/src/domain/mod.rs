//! The rules: who may be vetted, who may be booked when, whose time is taken.

pub mod block;
pub mod calendar;
pub mod crew;
pub mod document;
pub mod error;
pub mod fix;
pub mod geo;
pub mod offering;
pub mod presence;
pub mod profile;
pub mod records;
pub mod reservation;
pub mod score;
pub mod slots;
pub mod span;
pub mod standing;
pub mod track;
pub mod track_records;
pub mod trail;
pub mod way;

pub use error::Error;
pub use records::{
    asset::Model as Asset, document::Model as Document, member::Model as Member,
    offering::Model as Offering, presence::Model as Presence, provider::Model as Provider,
    reservation::Model as Reservation, time_off::Model as TimeOff,
};
pub use span::Span;
pub use track_records::{point::Model as TrackPoint, track::Model as Track};

/// Names a profile.
pub type ProviderId = kit::Id<Provider>;
/// Names a document.
pub type DocumentId = kit::Id<Document>;
/// Names an offering.
pub type OfferingId = kit::Id<Offering>;
/// Names time off.
pub type TimeOffId = kit::Id<TimeOff>;
/// Names a member.
pub type MemberId = kit::Id<Member>;
/// Names a vehicle.
pub type AssetId = kit::Id<Asset>;
/// Names a reservation.
pub type ReservationId = kit::Id<Reservation>;

/// How many entries of a kind (members, vehicles, documents …) a profile may have.
pub const MAX_ENTRIES: u64 = 200;
