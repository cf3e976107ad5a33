//! Facts from one service to others, delivered at least once and acted on once, and timers kept as rows.

pub mod bus;
pub mod event;
pub mod inbox;
pub mod outbox;
pub mod timers;
