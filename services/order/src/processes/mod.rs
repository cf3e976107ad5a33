//! What orders do at other services, as tables of steps: [`booking`] and [`side_effects`]; what customers pay later
//! ([`payment`]), changes ([`changes`]), deliveries ([`delivery`]), waves of offers ([`offers`]), series ([`series`]) and moves ([`reschedule`]) go by the same rules. [`reconcile`] finds what a restore
//! tore apart.
//!
//! One mechanism carries them all. What is about to be done is written down, together with a timer, before it is done.
//! A step is named by its order at the service that it calls, so that repeating it finds what it did. A step that fails
//! for now leaves the timer in place, which fires again after growing pauses. A step that is refused for good is never
//! repeated: its process is undone, or ended. The timers are in [`crate::worker`].
//!
//! In tests the process can be made to die after each step ([`crash_points`]).

pub mod booking;
pub mod changes;
pub mod crew;
pub mod delivery;
pub mod eligibility;
pub mod offers;
pub mod payment;
pub mod reconcile;
pub mod reschedule;
pub mod series;
pub mod series_price;
pub mod side_effects;
pub mod visits;

use crate::domain::Error;
use std::{future::Future, pin::Pin};

/// The work of a step.
pub type StepFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The points at which a test can have the process die, in the order of the steps: `booking.hold` for one.
pub fn crash_points() -> Vec<String> {
    booking::crash_points()
        .chain(offers::crash_points())
        .chain(delivery::crash_points())
        .chain(side_effects::crash_points())
        .chain(series::crash_points())
        .collect()
}
