//! What contracts and options compile to, and the route of one request in it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::buffer::BufferBudget;
use crate::error_body::ErrorWriter;
use crate::limits::JsonOptions;
use crate::metadata::Forwarding;
use crate::options::Options;
use crate::router::Router;
use crate::rule::Binding;
use crate::schema::{Method, Schema};

/// A compiled set of contracts: everything that its calls share.
pub(crate) struct Compiled {
    pub schema: Schema,
    pub options: Options,
    pub json: JsonOptions,
    pub forwarding: Forwarding,
    pub budget: BufferBudget,
    /// Permits to convert a long content: half of the processors at most do that at a time.
    pub long_conversions: Arc<Semaphore>,
    pub router: Router<Arc<Binding>>,
    /// The number of routes.
    pub routes: usize,
}

/// A request's method, found in the table, with the values of its path.
#[derive(Clone)]
pub struct Route {
    pub(crate) inner: Arc<Compiled>,
    pub(crate) binding: Arc<Binding>,
    /// The decoded values of the template's variables, in its order.
    pub(crate) values: Vec<String>,
}

impl Compiled {
    pub fn errors(&self) -> ErrorWriter<'_> {
        ErrorWriter { schema: &self.schema, options: &self.options, json: &self.json }
    }
}

impl Route {
    /// The gRPC method, with its path and its options.
    pub fn method(&self) -> &Method {
        &self.binding.method
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("method", &self.method().path()).finish_non_exhaustive()
    }
}
