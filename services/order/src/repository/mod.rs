//! Every query, by noun.

pub mod bookings;
pub mod calendar_links;
pub mod change_raises;
pub mod erasure;
pub mod favourites;
pub mod offers;
pub mod orders;
pub mod quotes;
pub mod records;
pub mod series;
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
/// The timer of a raise whose change is not written. Its aggregate is the change.
pub const RAISE: &str = "raise";
/// The timer of a series whose visits come near. Its aggregate is the series.
pub const SERIES: &str = "series";
/// The timer of a series that has news: an act, or an order of it that came to an end. Its aggregate is the series.
pub const SERIES_NEWS: &str = "series_news";
/// The timer of a visit of a series that is to be priced by the time since the visit before. Its aggregate is the order.
pub const REPRICE: &str = "reprice";
