//! What cancelling costs: a versioned matrix, kept with the quote. The first row that matches decides.

use super::{Actor, State};
use chrono::Duration;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Whose fault a cancellation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiableParty {
    Customer,
    Provider,
    Shared,
    /// No one is liable.
    None,
}

impl LiableParty {
    pub const ALL: [Self; 4] = [Self::Customer, Self::Provider, Self::Shared, Self::None];

    /// The fault's name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Shared => "shared",
            Self::None => "none",
        }
    }

    /// The fault of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// One row of the matrix. A criterion that is absent matches everything; amounts in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyRule {
    /// Only this vertical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical: Option<String>,
    /// Only this side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Only this fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<LiableParty>,
    /// Only these states; `NO_SHOW` stands for a customer who is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// Only when fewer hours than this are left to the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_hours: Option<i64>,
    /// Only when a provider took the order fewer minutes ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_minutes_of_assignment: Option<i64>,
    /// Percent of the price.
    #[serde(skip_serializing_if = "is_default")]
    pub percent: i64,
    /// On top of the percentage.
    #[serde(skip_serializing_if = "is_default")]
    pub flat: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub least: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<i64>,
    /// Percent of the fee that the provider earns.
    #[serde(skip_serializing_if = "is_default")]
    pub provider_share: i64,
    /// Whether an operator may waive the fee.
    #[serde(skip_serializing_if = "is_default")]
    pub waivable: bool,
}

/// Leaves out of the stored terms of every order what says nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub version: String,
    /// Its rows, in the order in which they are tried.
    pub rules: Vec<PolicyRule>,
}

/// The case to decide.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Key of the vertical.
    pub vertical: &'a str,
    pub actor: Actor,
    /// Whose fault it is.
    pub fault: LiableParty,
    /// Where the order stands, or `NO_SHOW`.
    pub state: State,
    /// Time left to the start; negative after it.
    pub until_start: Duration,
    /// Time since a provider took the order.
    pub since_assignment: Option<Duration>,
}

/// What a cancellation costs, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancellationCharge {
    /// What the customer pays.
    pub fee: i64,
    /// What the provider earns of it before commission.
    pub provider_gross: i64,
    /// Whether an operator may waive it.
    pub waivable: bool,
}

impl Default for Policy {
    /// Free before a provider has taken the order and when the fault is not the customer's; half the price within a
    /// day of the start; the whole price when the customer is absent.
    fn default() -> Self {
        let rule = PolicyRule::default;
        let taken = vec![State::Assigned, State::EnRoute, State::Arrived];
        let rules = vec![
            PolicyRule { fault: Some(LiableParty::Provider), ..rule() },
            PolicyRule { fault: Some(LiableParty::None), ..rule() },
            PolicyRule {
                states: vec![State::PendingPayment, State::Requested, State::Searching],
                ..rule()
            },
            PolicyRule {
                vertical: Some("transport".to_owned()),
                within_minutes_of_assignment: Some(2),
                ..rule()
            },
            PolicyRule { states: vec![State::NoShow], percent: 100, provider_share: 100, ..rule() },
            PolicyRule {
                fault: Some(LiableParty::Shared),
                states: taken.clone(),
                within_hours: Some(24),
                percent: 25,
                provider_share: 100,
                waivable: true,
                ..rule()
            },
            PolicyRule {
                fault: Some(LiableParty::Customer),
                states: taken,
                within_hours: Some(24),
                percent: 50,
                provider_share: 100,
                waivable: true,
                ..rule()
            },
        ];
        Self { version: "2027-05".to_owned(), rules }
    }
}

impl Policy {
    /// The rows that can concern a vertical: what its quotes keep.
    #[must_use]
    pub fn of_vertical(&self, vertical: &str) -> Self {
        let concerns =
            |rule: &&PolicyRule| rule.vertical.as_deref().is_none_or(|it| it == vertical);
        let rules = self.rules.iter().filter(concerns).cloned().collect();
        Self { version: self.version.clone(), rules }
    }

    /// What the case costs. No row, no fee; never more than the price.
    pub fn charge(&self, case: &Case<'_>, total: i64) -> CancellationCharge {
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(case)) else {
            return CancellationCharge::default();
        };
        let percentage = i128::from(total) * i128::from(rule.percent.clamp(0, 100)) / 100;
        let percentage = i64::try_from(percentage).unwrap_or(total);
        let most = rule.most.unwrap_or(total).min(total).max(0);
        let fee = percentage.saturating_add(rule.flat).max(rule.least).clamp(0, most);
        let share = i128::from(fee) * i128::from(rule.provider_share.clamp(0, 100)) / 100;
        let provider_gross = i64::try_from(share).unwrap_or(fee);
        CancellationCharge { fee, provider_gross, waivable: rule.waivable }
    }
}

impl PolicyRule {
    fn matches(&self, case: &Case<'_>) -> bool {
        self.vertical.as_deref().is_none_or(|it| it == case.vertical)
            && self.actor.is_none_or(|it| it == case.actor)
            && self.fault.is_none_or(|it| it == case.fault)
            && (self.states.is_empty() || self.states.contains(&case.state))
            && self.is_near_start(case.until_start)
            && self.is_soon_after_assignment(case.since_assignment)
    }

    /// A rule with hours too many for a clock concerns no case.
    fn is_near_start(&self, until_start: Duration) -> bool {
        let Some(hours) = self.within_hours else { return true };
        Duration::try_hours(hours).is_some_and(|limit| until_start < limit)
    }

    /// A rule with minutes concerns only orders that are assigned.
    fn is_soon_after_assignment(&self, since_assignment: Option<Duration>) -> bool {
        let Some(minutes) = self.within_minutes_of_assignment else { return true };
        let limit = Duration::try_minutes(minutes);
        since_assignment.zip(limit).is_some_and(|(since, limit)| since < limit)
    }
}
