//! What a vertical says of its own.

use crate::domain::{
    error::Error,
    job::Job,
    phase::Phase,
    price::{JobRequirements, Quote},
};
use kit::Window;
use prost::Message;
use proto::{quickserve::common::v1::Address, validate::Validate};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use uuid::Uuid;

/// A vertical: how it prices a job, what it keeps of its own about one, and what it wants before the work is delivered.
/// [`crate::Server`] does the rest.
pub trait Vertical: Send + Sync + 'static {
    /// The message that the details of its orders fit.
    type Details: Message + Default + Clone + Validate + Send + Sync;
    /// What it keeps about an order beyond what every vertical keeps. It is stored as JSON: fields that are added later
    /// need a default.
    type Own: Serialize + DeserializeOwned + Send + Sync;

    /// The key of the vertical, for example `cleaning`.
    const KEY: &'static str;
    /// The full name of its details message, for example `quickserve.cleaning.v1.CleaningDetails`.
    const DETAILS: &'static str;

    /// What every job requires, whatever its details: documents, crew and buffers.
    fn base_requirements(&self) -> JobRequirements;

    /// Prices a job and says what it requires.
    fn quote(
        &self,
        inputs: QuoteInputs<Self::Details>,
    ) -> impl Future<Output = Result<Quote, Error>> + Send;

    /// What it keeps of its own about an order that it meets for the first time.
    fn begin_job(&self, details: &Self::Details) -> Result<Self::Own, Error>;

    /// The order was priced on other details.
    fn change_details(&self, own: &mut Self::Own, details: &Self::Details) -> Result<(), Error>;

    /// The order has entered a phase: what the vertical keeps of its own follows. Rework is entered anew each time that
    /// the customer asks for it.
    fn enter_phase(&self, own: &mut Self::Own, phase: Phase);

    /// The order is erased: nothing that people wrote is kept.
    fn forget_texts(&self, own: &mut Self::Own);

    /// What speaks against the order's entering a phase, as stable codes.
    fn denials(&self, job: &Job<Self::Own>, to: Phase) -> Vec<&'static str>;

    /// What is missing before the work can be delivered, as stable codes, given the kinds of proof on file.
    fn missing(&self, job: &Job<Self::Own>, proof_kinds: &[String]) -> Vec<&'static str>;
}

/// What a job is priced on.
#[derive(Clone, Debug)]
pub struct QuoteInputs<D> {
    /// Inputs in the vertical's own shape.
    pub details: D,
    /// When the work shall happen.
    pub window: Window,
    /// Where the work shall happen.
    pub address: Address,
    /// The account that asks.
    pub customer_id: Uuid,
}
