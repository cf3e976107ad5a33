//! Prices: lines that add up, and what the job requires of its provider.

use kit::{Money, values::money::Currency};

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Stable code, which begins with the key of the vertical.
    pub code: String,
    /// How many units.
    pub quantity: i64,
    /// The unit that is counted, for example `room`.
    pub unit: &'static str,
    /// Price of all units together; negative for a discount.
    pub total: Money,
}

/// The lines of a price in one currency, in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Lines {
    vertical: &'static str,
    currency: Currency,
    lines: Vec<Line>,
}

/// What a job requires of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequirements {
    /// Skills that the provider must offer.
    pub skills: Vec<String>,
    /// Documents that must be valid on the date.
    pub documents: Vec<String>,
    /// How many people it takes.
    pub crew_size: i32,
    /// Minutes of work.
    pub minutes: i64,
    /// Minutes kept free on each side.
    pub buffer_minutes: i64,
}

/// A price and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Lines that add up to the price.
    pub lines: Vec<Line>,
    /// What the job requires.
    pub requirements: JobRequirements,
}

impl Lines {
    /// No lines yet, of `vertical`.
    pub const fn new(vertical: &'static str, currency: Currency) -> Self {
        Self { vertical, currency, lines: Vec::new() }
    }

    /// Adds `quantity` units that cost `each` minor units.
    pub fn add_line(&mut self, code: &str, quantity: i64, unit: &'static str, each: i64) {
        self.lines.push(Line {
            code: format!("{}.{code}", self.vertical),
            quantity,
            unit,
            total: Money::new(self.currency, quantity * each),
        });
    }

    /// The sum so far, in minor units.
    pub fn sum(&self) -> i64 {
        self.lines.iter().map(|line| line.total.minor_units).sum()
    }

    /// Hands over the lines.
    pub fn into_vec(self) -> Vec<Line> {
        self.lines
    }
}

/// `percent` of an amount, half a unit rounded up.
pub const fn share_of(amount: i64, percent: i64) -> i64 {
    (amount * percent + 50).div_euclid(100)
}

/// Minutes rounded up to quarters of an hour.
pub const fn round_up_to_quarters(minutes: i64) -> i64 {
    (minutes + 14) / 15 * 15
}

/// The countries that are served by default, with their currency and the level of their prices in hundredths of the
/// French one. Each vertical turns them into its own tables.
pub fn default_countries() -> [(&'static str, Currency, i64); 6] {
    [
        ("FR", Currency::EUR, 100),
        ("BE", Currency::EUR, 100),
        ("LU", Currency::EUR, 115),
        ("DE", Currency::EUR, 100),
        ("CH", currency_of("CHF"), 165),
        ("GB", currency_of("GBP"), 90),
    ]
}

fn currency_of(code: &str) -> Currency {
    Currency::parse("currency", code).unwrap_or(Currency::EUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_the_vertical_and_add_up() {
        let mut lines = Lines::new("cleaning", Currency::EUR);
        lines.add_line("rooms", 3, "room", 900);
        lines.add_line("frequency", 1, "visit", -100);
        assert_eq!(lines.sum(), 2600);
        let codes: Vec<_> = lines.into_vec().into_iter().map(|line| line.code).collect();
        assert_eq!(codes, ["cleaning.rooms", "cleaning.frequency"]);
    }

    #[test]
    fn shares_and_times_are_rounded() {
        for (amount, percent, expected) in [(101, 50, 51), (99, 50, 50), (-101, 50, -50), (0, 7, 0)]
        {
            assert_eq!(share_of(amount, percent), expected, "{percent} % of {amount}");
        }
        for (minutes, expected) in [(0, 0), (1, 15), (15, 15), (16, 30)] {
            assert_eq!(round_up_to_quarters(minutes), expected);
        }
    }
}
