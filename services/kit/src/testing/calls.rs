//! Calls on behalf of people, and what is said when they are refused.

use crate::{
    rpc::caller::{Role, Roles, Subject},
    rpc::context::Context,
    rpc::error::reason_of,
};
use std::{fmt::Debug, future::Future};
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

/// A signed-in account with these roles.
pub fn somebody(roles: &[Role]) -> Subject {
    Subject {
        user_id: Uuid::new_v4(),
        session_id: Uuid::new_v4(),
        roles: roles.iter().copied().collect::<Roles>(),
    }
}

/// Makes a call after so many steps of the runtime: of two calls that are made at once, either can be first.
pub async fn set_off_after<T>(steps: u32, call: impl Future<Output = T>) -> T {
    for _ in 0..steps {
        tokio::task::yield_now().await;
    }
    call.await
}

/// Makes the calls of `work` on behalf of `subject`.
pub async fn acting_as<F: Future>(subject: Subject, work: F) -> F::Output {
    Context { subject: Some(subject), ..Context::default() }.scope(work).await
}

/// `call.by(subject)`: as [`acting_as`], for one call.
pub trait ActingAs: Future + Sized {
    /// Makes the call on behalf of `subject`.
    fn by(self, subject: Subject) -> impl Future<Output = Self::Output> {
        acting_as(subject, self)
    }
}

impl<F: Future> ActingAs for F {}

/// The stable reason why a call was refused.
#[track_caller]
pub fn refusal<T: Debug>(answer: Result<T, Status>) -> String {
    reason_of(&answer.unwrap_err())
}

/// The first field that a refusal names.
#[track_caller]
pub fn refused_field<T: Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    let request = status.get_details_bad_request();
    let named = request.and_then(|it| it.field_violations.into_iter().next());
    named.unwrap_or_else(|| panic!("no field is named: {status:?}")).field
}
