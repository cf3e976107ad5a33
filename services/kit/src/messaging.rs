//! Events from one service to others, delivered at least once and acted on once, and timers kept as rows.
//!
//! | file | what |
//! |---|---|
//! | [`outbox`] | an event is written in the transaction of the change it tells of |
//! | [`relay`] | takes events out of the outbox and publishes them |
//! | [`bus`] | carries an event to every consumer that wants it, within the process |
//! | [`streams`] | the same between processes, over Redis |
//! | `lease` | which process of a service takes which part of the streams |
//! | [`subscription`] | one consumer: what it cannot take waits in its own database, in order, or is parked |
//! | [`inbox`] | a consumer acts once on an event that comes twice |
//! | [`timers`] | what falls due later |
//! | [`wake_ups`] | wakes those who wait for something new, in all processes |
//! | [`queue`] | rows that wait for a worker: leases and back-off, the same for all of these |

pub mod bus;
pub mod event;
mod failure;
pub mod inbox;
mod lease;
pub mod maintenance;
pub mod outbox;
pub mod parked;
pub mod queue;
pub mod relay;
pub mod streams;
pub mod subscription;
pub mod timers;
pub mod wake_ups;
