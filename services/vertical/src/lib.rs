//! What is the same in every vertical: the record of an order, its phases, prices and requirements, checklists and proofs,
//! access attempts, and the server of `VerticalService` by which order meets them all.
//!
//! A vertical is a service that implements [`Vertical`] and serves its own contract beside it. Start reading there.

#![warn(missing_docs)]

pub mod convert;
mod domain;
pub mod repository;
mod server;
pub mod signals;
#[cfg(feature = "testing")]
pub mod testing;
mod vertical;

pub use domain::{
    access::{Attempts, ContactAttempt},
    checklist,
    error::Error,
    facts::{self, OrderFacts},
    job::{Job, News, OrderSnapshot},
    phase::Phase,
    place::Place,
    price,
    record::Model as OrderRecord,
};
pub use server::Server;
pub use vertical::{
    ChangeInputs, Description, QuoteInputs, RecalledOrder, SeriesPlace, Side, Vertical,
};
