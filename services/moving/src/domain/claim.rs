//! Claims: what the customer says was damaged or lost. The row of the table, and what may become of it.

use chrono::{DateTime, Duration, Utc};
use kit::{Money, values::money::Currency};
use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};
use vertical::Error;

/// What is wrong with goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    #[sea_orm(string_value = "damaged")]
    Damaged,
    #[sea_orm(string_value = "missing")]
    Missing,
}

impl ClaimKind {
    /// Reads what is wrong.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        match text {
            "damaged" => Ok(Self::Damaged),
            "missing" => Ok(Self::Missing),
            _ => Err(Error::invalid(field, "must be damaged or missing")),
        }
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        }
    }
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ClaimState {
    /// Neither the provider nor an operator has decided.
    #[sea_orm(string_value = "OPEN")]
    Open,
    /// The provider pays.
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// The customer has taken it back.
    #[sea_orm(string_value = "WITHDRAWN")]
    Withdrawn,
    /// An operator has decided.
    #[sea_orm(string_value = "SETTLED")]
    Settled,
}

/// The photos that show what is wrong, each by its SHA-256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Photos(pub Vec<String>);

/// A claim for goods that were damaged or lost.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "claims")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    /// Number of the line of the inventory.
    pub line: i32,
    pub kind: ClaimKind,
    /// What is claimed, in minor units.
    pub amount: i64,
    pub currency: String,
    pub state: ClaimState,
    /// What goes back to the customer; none while the claim is open.
    pub refund: Option<i64>,
    pub photos: Photos,
    pub opened_at: DateTimeUtc,
    pub resolved_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimDecision {
    /// The provider pays what is claimed.
    Accept,
    /// The customer takes it back.
    Withdraw,
    /// An operator gives so much back.
    Settle(Money),
}

impl Model {
    /// A claim that is opened.
    pub fn open(
        id: Uuid,
        order_id: Uuid,
        (line, kind): (u32, ClaimKind),
        amount: Money,
        photos: Vec<String>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            order_id,
            line: i32::try_from(line).unwrap_or(i32::MAX),
            kind,
            amount: amount.minor_units,
            currency: amount.currency.code().to_owned(),
            state: ClaimState::Open,
            refund: None,
            photos: Photos(photos),
            opened_at: now,
            resolved_at: None,
        }
    }

    /// An amount in the currency of the claim.
    pub fn money(&self, minor_units: i64) -> Money {
        let currency = Currency::parse("currency", &self.currency).unwrap_or(Currency::EUR);
        Money::new(currency, minor_units)
    }

    /// Decides the claim. False when it was decided in the same way before.
    pub fn decide(&mut self, decision: ClaimDecision, now: DateTime<Utc>) -> Result<bool, Error> {
        let (state, refund) = match decision {
            ClaimDecision::Accept => (ClaimState::Accepted, self.amount),
            ClaimDecision::Withdraw => (ClaimState::Withdrawn, 0),
            ClaimDecision::Settle(refund) => (ClaimState::Settled, self.check_refund(refund)?),
        };
        if (self.state, self.refund) == (state, Some(refund)) {
            return Ok(false);
        }
        if self.state != ClaimState::Open {
            let problem = "the claim is decided: its state and its refund do not change any more";
            return Err(Error::Refused("CLAIM_STATE", problem.to_owned()));
        }
        self.state = state;
        self.refund = Some(refund);
        self.resolved_at = Some(now);
        Ok(true)
    }

    fn check_refund(&self, refund: Money) -> Result<i64, Error> {
        if refund.currency.code() != self.currency {
            let problem = format!("must be {}, as the claim", self.currency);
            return Err(Error::invalid("refund.currency", problem));
        }
        if !(0..=self.amount).contains(&refund.minor_units) {
            let problem = format!("must be 0 to {}, which is claimed", self.amount);
            return Err(Error::invalid("refund.minor_units", problem));
        }
        Ok(refund.minor_units)
    }
}

/// Refuses a claim about goods that were delivered too long ago.
pub fn check_claim_window(
    delivered_at: Option<DateTime<Utc>>,
    days: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match delivered_at {
        Some(at) if now > at + Duration::days(days) => {
            let problem = format!("claims are taken for {days} days after the delivery");
            Err(Error::Refused("CLAIMS_CLOSED", problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::testing::at;

    fn open() -> Model {
        let (now, amount) = (at("2027-05-24T18:00:00Z"), Money::new(Currency::EUR, 5_000));
        let (id, order) = (Uuid::from_u128(1), Uuid::from_u128(2));
        Model::open(id, order, (3, ClaimKind::Damaged), amount, Vec::new(), now)
    }

    fn euros(cents: i64) -> Money {
        Money::new(Currency::EUR, cents)
    }

    #[test]
    fn an_open_claim_is_decided_once() {
        use ClaimDecision::{Accept, Settle, Withdraw};
        let now = at("2027-05-25T18:00:00Z");
        let decisions = [
            (Accept, ClaimState::Accepted, 5_000),
            (Withdraw, ClaimState::Withdrawn, 0),
            (Settle(euros(1_200)), ClaimState::Settled, 1_200),
            (Settle(euros(0)), ClaimState::Settled, 0),
        ];
        for (decision, state, refund) in decisions {
            let mut claim = open();
            assert!(claim.decide(decision, now).unwrap());
            assert_eq!((claim.state, claim.refund), (state, Some(refund)));
            assert_eq!(claim.resolved_at, Some(now));
            for (again, ..) in decisions {
                let answer = claim.decide(again, now);
                match again == decision {
                    true => assert!(!answer.unwrap(), "repeating {again:?} changes nothing"),
                    false => {
                        let refused = matches!(answer, Err(Error::Refused("CLAIM_STATE", _)));
                        assert!(refused, "{again:?} after {decision:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_refund_is_part_of_what_is_claimed() {
        let pounds = Money::new(Currency::parse("currency", "GBP").unwrap(), 100);
        for (refund, field) in [
            (euros(5_001), "refund.minor_units"),
            (euros(-1), "refund.minor_units"),
            (pounds, "refund.currency"),
        ] {
            let answer = open().decide(ClaimDecision::Settle(refund), at("2027-05-25T18:00:00Z"));
            assert!(answer.unwrap_err().to_string().contains(field), "{refund}");
        }
    }

    #[test]
    fn claims_are_taken_for_ten_days() {
        let delivered = Some(at("2027-05-24T18:00:00Z"));
        check_claim_window(delivered, 10, at("2027-06-03T18:00:00Z")).unwrap();
        let late = check_claim_window(delivered, 10, at("2027-06-03T18:00:01Z"));
        assert!(matches!(late, Err(Error::Refused("CLAIMS_CLOSED", _))));
        check_claim_window(None, 10, at("2027-06-03T18:00:01Z")).unwrap();
    }
}
