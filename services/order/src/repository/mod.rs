//! Every query, by noun.

pub mod bookings;
pub mod erasure;
pub mod favourites;
pub mod offers;
pub mod orders;
pub mod quotes;
pub mod records;
pub mod side_effects;
pub mod visits;

/// The timer of a state that ends by itself.
pub const DEADLINE: &str = "deadline";
/// The timer of a method on file that is to be authorised.
pub const AUTHORIZE: &str = "authorize";
/// The timer of side effects that are to be run.
pub const SIDE_EFFECTS: &str = "effects";
/// The timer of a move that was begun.
pub const MOVE: &str = "move";
/// The timer of a visit whose booking was begun. Its aggregate is the visit.
pub const VISIT: &str = "visit";
/// The timer of an offer whose acceptance was begun. Its aggregate is the offer.
pub const OFFER: &str = "offer";
