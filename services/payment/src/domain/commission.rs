//! Commission: how a capture is split between the provider, the platform and the tax office.

use super::Error;
use kit::values::money::split_amount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One hundred percent in basis points.
const WHOLE_BP: u64 = 10_000;

/// What the platform takes of a provider's gross, value added tax included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommissionRule {
    /// Share of the gross in basis points: 2000 is 20 %.
    pub percent_bp: u32,
    /// Added to the share, in minor units.
    pub fixed: i64,
    /// The least it takes, in minor units, as far as the gross reaches.
    pub min: i64,
    /// The most it takes, in minor units; none means no limit.
    pub max: Option<i64>,
    /// Rate of value added tax on what it takes, in basis points.
    pub vat_bp: u32,
}

impl Default for CommissionRule {
    fn default() -> Self {
        Self { percent_bp: 2_000, fixed: 0, min: 0, max: None, vat_bp: 2_000 }
    }
}

/// The rules: one for each vertical that has its own, and one for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// For verticals without their own rule.
    pub default: CommissionRule,
    /// By the vertical's key.
    pub verticals: BTreeMap<String, CommissionRule>,
}

/// The parts of an amount. They add up to it exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// What the provider earns.
    pub payable: i64,
    /// What the platform earns, net of tax.
    pub commission: i64,
    /// The tax on it.
    pub vat: i64,
}

impl Split {
    /// The sum of the parts.
    pub const fn total(self) -> i64 {
        self.payable + self.commission + self.vat
    }

    /// The same parts taken back.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { payable: -self.payable, commission: -self.commission, vat: -self.vat }
    }

    /// Splits `amount` in proportion to these parts. No part of it exceeds its own here while `amount` does not exceed
    /// the total.
    #[must_use]
    pub fn share(self, amount: i64) -> Self {
        let weights = [self.payable, self.commission, self.vat];
        let weights = weights.map(|part| u64::try_from(part).unwrap_or_default());
        match split_amount(amount, &weights).as_slice() {
            [payable, commission, vat] => {
                Self { payable: *payable, commission: *commission, vat: *vat }
            }
            _ => Self::default(),
        }
    }
}

impl Rules {
    /// Splits a capture of `amount`, of which the provider's share before commission is `gross`. Of that `base` carries
    /// commission; the rest only passes through.
    pub fn split(
        &self,
        vertical: &str,
        amount: i64,
        gross: i64,
        base: i64,
    ) -> Result<Split, Error> {
        if gross < 0 || gross > amount {
            return Err(Error::invalid("provider_gross", "must be between zero and the amount"));
        }
        if base < 0 || base > gross {
            return Err(Error::invalid(
                "commission_base",
                "must be between zero and provider_gross",
            ));
        }
        let rule = self.verticals.get(vertical).unwrap_or(&self.default);
        let platform = amount - gross + rule.take(base);
        let tax = split_amount(platform, &[WHOLE_BP, u64::from(rule.vat_bp)]);
        let vat = tax.get(1).copied().unwrap_or_default();
        Ok(Split { payable: amount - platform, commission: platform - vat, vat })
    }

    /// Refuses rules that make no sense, before anything is charged by them.
    pub fn check(&self) -> anyhow::Result<()> {
        for rule in self.verticals.values().chain([&self.default]) {
            let sound = rule.percent_bp <= 10_000
                && rule.vat_bp <= 10_000
                && rule.fixed >= 0
                && rule.min >= 0
                && rule.max.is_none_or(|max| max >= rule.min);
            anyhow::ensure!(sound, "a commission rule of payment is out of range: {rule:?}");
        }
        Ok(())
    }
}

impl CommissionRule {
    fn take(&self, base: i64) -> i64 {
        let percent = u64::from(self.percent_bp).min(WHOLE_BP);
        let share = split_amount(base, &[percent, WHOLE_BP - percent]).first().copied();
        let share = share.unwrap_or_default().saturating_add(self.fixed).max(self.min);
        share.min(self.max.unwrap_or(i64::MAX)).min(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(payable: i64, commission: i64, vat: i64) -> Split {
        Split { payable, commission, vat }
    }

    #[test]
    fn rules_split_to_the_last_cent() {
        let free = CommissionRule { percent_bp: 0, vat_bp: 2_000, ..CommissionRule::default() };
        let fixed = CommissionRule { percent_bp: 1_000, fixed: 100, ..CommissionRule::default() };
        let bounded = CommissionRule {
            percent_bp: 1_500,
            min: 300,
            max: Some(900),
            ..CommissionRule::default()
        };
        let untaxed = CommissionRule { vat_bp: 0, ..CommissionRule::default() };
        for (rule, amount, gross, expected) in [
            (CommissionRule::default(), 12_000, 12_000, parts(9_600, 2_000, 400)),
            (CommissionRule::default(), 9_999, 9_999, parts(7_999, 1_667, 333)),
            (CommissionRule::default(), 1, 1, parts(1, 0, 0)),
            (CommissionRule::default(), 0, 0, parts(0, 0, 0)),
            (CommissionRule::default(), 12_000, 10_000, parts(8_000, 3_333, 667)),
            (CommissionRule::default(), 5_000, 0, parts(0, 4_167, 833)),
            (free, 12_000, 12_000, parts(12_000, 0, 0)),
            (fixed, 10_000, 10_000, parts(8_900, 917, 183)),
            (bounded, 1_000, 1_000, parts(700, 250, 50)),
            (bounded, 100_000, 100_000, parts(99_100, 750, 150)),
            (bounded, 200, 200, parts(0, 167, 33)),
            (untaxed, 10_000, 10_000, parts(8_000, 2_000, 0)),
        ] {
            let rules =
                Rules { verticals: [("cleaning".to_owned(), rule)].into(), ..Rules::default() };
            let split = rules.split("cleaning", amount, gross, gross).unwrap();
            assert_eq!(split, expected, "{rule:?} {amount} {gross}");
            assert_eq!(split.total(), amount);
        }
    }

    #[test]
    fn a_vertical_without_a_rule_takes_the_default_one() {
        let special = CommissionRule { percent_bp: 0, ..CommissionRule::default() };
        let rules =
            Rules { verticals: [("moving".to_owned(), special)].into(), ..Rules::default() };
        assert_eq!(rules.split("repair", 100, 100, 100).unwrap().payable, 80);
        assert_eq!(rules.split("moving", 100, 100, 100).unwrap().payable, 100);
        assert!(rules.split("moving", 100, 101, 101).is_err());
        assert!(rules.split("moving", 100, -1, -1).is_err());
    }

    #[test]
    fn what_passes_through_carries_no_commission() {
        let split = |amount, gross, base| Rules::default().split("repair", amount, gross, base);
        // 120.00 with 20.00 passed through, then as much with a fee of the platform's.
        assert_eq!(split(12_000, 12_000, 10_000).unwrap(), parts(10_000, 1_667, 333));
        assert_eq!(split(13_000, 12_000, 10_000).unwrap(), parts(10_000, 2_500, 500));
        assert_eq!(split(2_000, 2_000, 0).unwrap(), parts(2_000, 0, 0));
        for base in [-1, 12_001] {
            assert!(split(12_000, 12_000, base).is_err(), "{base}");
        }
    }

    #[test]
    fn refunds_in_pieces_add_up_to_the_parts() {
        let whole = parts(7_999, 1_667, 333);
        for pieces in [vec![9_999], vec![1; 9_999], vec![3_333, 3_333, 3_333], vec![9_998, 1]] {
            let mut left = whole;
            for piece in pieces {
                let share = left.share(piece);
                assert_eq!(share.total(), piece);
                left.payable -= share.payable;
                left.commission -= share.commission;
                left.vat -= share.vat;
                assert!(left.payable >= 0 && left.commission >= 0 && left.vat >= 0, "{left:?}");
            }
            assert_eq!(left, Split::default());
        }
    }

    #[test]
    fn senseless_rules_are_refused() {
        let check = |rule| Rules { default: rule, ..Rules::default() }.check().is_ok();
        assert!(check(CommissionRule::default()));
        assert!(!check(CommissionRule { percent_bp: 10_001, ..CommissionRule::default() }));
        assert!(!check(CommissionRule { fixed: -1, ..CommissionRule::default() }));
        assert!(!check(CommissionRule { min: 5, max: Some(4), ..CommissionRule::default() }));
    }
}
