//! Who calls: an account, a service, or both when a service acts for an account.

use crate::rpc::error::Error;
use std::{fmt, sync::Arc};
use tonic::Request;
use uuid::Uuid;

/// What an account may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Books and pays for work.
    Customer = 1,
    /// Offers and does work.
    Provider = 2,
    /// Runs the marketplace.
    Operator = 4,
}

impl Role {
    /// Every role, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Provider, Self::Operator];

    /// The role's name in tokens and contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Operator => "operator",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether the set has `role`.
    pub const fn has(self, role: Role) -> bool {
        self.0 & role as u8 != 0
    }

    /// The set with `role`.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | role as u8)
    }

    /// The roles of the set.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

/// A signed-in account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The account that is signed in.
    pub user_id: Uuid,
    /// The session it signed in with.
    pub session_id: Uuid,
    /// Its roles when the token was issued.
    pub roles: Roles,
}

/// Whose objects a caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all accounts.
    All,
    /// Those of this account.
    Account(Uuid),
}

/// The sender of a request. The guard puts it on each request before a handler sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The service that sent the request; `edge` for requests from outside, none for a direct call.
    pub service: Option<Arc<str>>,
    /// The account on whose behalf it was sent.
    pub subject: Option<Subject>,
}

impl Caller {
    /// The account that calls.
    pub fn subject(&self) -> Result<Subject, Error> {
        self.subject.ok_or(Error::Unauthenticated)
    }

    /// Whether the account that calls runs the marketplace.
    pub fn is_operator(&self) -> bool {
        self.has_role(Role::Operator)
    }

    /// Whether the account that calls has this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.subject.is_some_and(|subject| subject.roles.has(role))
    }

    /// Whose objects the account that calls reaches: operators those of all accounts, others their own.
    pub fn scope(&self) -> Result<Scope, Error> {
        if self.is_operator() {
            return Ok(Scope::All);
        }
        Ok(Scope::Account(self.subject()?.user_id))
    }

    /// Whether a service of the mesh calls on its own account.
    pub fn is_service(&self) -> bool {
        self.service.as_deref().is_some_and(|service| service != EDGE)
    }

    /// Whether the caller is the account `user`.
    pub fn is(&self, user: Uuid) -> bool {
        self.subject.is_some_and(|subject| subject.user_id == user)
    }
}

impl fmt::Display for Caller {
    /// Names the actor of an event: `user:{id}`, `service:{name}` or `anonymous`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.subject, self.service.as_deref()) {
            (Some(subject), _) => write!(f, "user:{}", subject.user_id),
            (None, Some(service)) if service != EDGE => write!(f, "service:{service}"),
            (None, _) => f.write_str("anonymous"),
        }
    }
}

/// The name under which the edge calls services.
pub const EDGE: &str = "edge";

/// Who sent the request.
pub fn caller_of<T>(request: &Request<T>) -> Caller {
    request.extensions().get::<Caller>().cloned().unwrap_or_default()
}
