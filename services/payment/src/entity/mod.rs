//! The tables as rows, and the names of their ids.

pub mod attempt;
pub mod capture;
pub mod intent;
pub mod ledger;
pub mod method;
pub mod payout;
pub mod psp_event;

pub use attempt::Model as Attempt;
pub use capture::Model as Capture;
pub use intent::Model as Intent;
pub use method::Model as Method;
pub use payout::Model as Payout;

/// An order of the order service.
pub struct Order;
/// An account of the user service.
pub struct User;
/// A profile of the provider service.
pub struct Provider;

/// Names an attempt; the reference under which the payment provider knows it.
pub type AttemptId = kit::Id<Attempt>;
/// Names an intent.
pub type IntentId = kit::Id<Intent>;
/// Names a saved payment method.
pub type MethodId = kit::Id<Method>;
/// Names an order.
pub type OrderId = kit::Id<Order>;
/// Names a payout.
pub type PayoutId = kit::Id<Payout>;
/// Names a provider profile.
pub type ProviderId = kit::Id<Provider>;
/// Names an account.
pub type UserId = kit::Id<User>;
