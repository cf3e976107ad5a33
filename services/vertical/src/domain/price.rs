//! Prices: lines that add up, and what the job requires of its provider.

use chrono::Duration;
use kit::{Money, Window, values::money::Currency};

/// One line of a price.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Stable code, which begins with the key of the vertical.
    pub code: String,
    /// How many units.
    pub quantity: f64,
    /// The unit that is counted, for example `room`.
    pub unit: &'static str,
    /// Price of all units together; negative for a discount.
    pub total: Money,
    /// Whether it only passes through, as tolls do, and carries no commission.
    pub pass_through: bool,
}

/// The lines of a price in one currency, in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Lines {
    vertical: &'static str,
    currency: Currency,
    lines: Vec<Line>,
}

/// What a job requires of its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobRequirements {
    /// Skills that the provider must offer.
    pub skills: Vec<String>,
    /// Skills that put those who offer one before the others.
    pub preferred_skills: Vec<String>,
    /// Documents that must be valid on the date.
    pub documents: Vec<String>,
    /// How many people it takes, where all bring the same.
    pub crew_size: i32,
    /// Minutes of work.
    pub minutes: i64,
    /// Minutes kept free on each side.
    pub buffer_minutes: i64,
    /// People by role, each reserved for the job.
    pub crew: Vec<CrewMember>,
    /// Vehicles, each reserved for the job.
    pub assets: Vec<Asset>,
    /// How providers are looked for; none where the usual waves do.
    pub dispatch: Option<Dispatch>,
    /// Whether who does the job does no other one meanwhile.
    pub exclusive: bool,
}

/// People that a job requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrewMember {
    /// What they do, for example `lead`.
    pub role: String,
    /// Skills that each of them has.
    pub skills: Vec<String>,
    /// Documents that must be valid for each of them on the date.
    pub documents: Vec<String>,
    /// How many of them.
    pub count: i32,
}

/// Vehicles that a job requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// Kinds that do, for example `van`.
    pub kinds: Vec<String>,
    /// Seats for passengers that each has at least.
    pub seats: i32,
    /// Litres that each loads at least.
    pub volume_l: i32,
    /// Kilograms that each carries at least.
    pub payload_kg: i32,
    /// How many of them.
    pub count: i32,
}

/// How providers are looked for, in waves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Whether only those who are online are asked, the nearest first.
    pub live: bool,
    /// How many are asked at a time.
    pub wave_size: i32,
    /// How long an offer can be accepted.
    pub answer: Duration,
    /// How far from the place the first wave reaches, in metres; each following one reaches twice as far.
    pub radius_m: i32,
    /// How far from the place the last wave reaches, in metres.
    pub max_radius_m: i32,
    /// How long is searched in all.
    pub search: Duration,
    /// Whether the customer's favourites are asked alone before others.
    pub favourites_first: bool,
}

/// A price and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// Lines that add up to the price.
    pub lines: Vec<Line>,
    /// What the job requires.
    pub requirements: JobRequirements,
    /// The most that the customer pays unasked; none where the price is binding.
    pub cap: Option<Money>,
    /// Whether only people accept the work, never a timer.
    pub manual_acceptance: bool,
    /// When the work happens, for a job as soon as possible.
    pub window: Option<Window>,
}

/// What a delivery comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateAnswer {
    /// What is missing before the work can be delivered, as stable codes; nothing when it can.
    pub missing: Vec<String>,
    /// Lines beside those quoted and approved, within the cap; their sum may be negative.
    pub settlement: Vec<Line>,
    /// Lines beyond the cap, which the customer owes.
    pub due: Vec<Line>,
}

/// The price of what shall be added to an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeQuote {
    /// Lines that are added; none where the lines are as their author priced them.
    pub lines: Option<Vec<Line>>,
    /// How long the price holds; none leaves it to order.
    pub valid_for: Option<Duration>,
    /// What speaks against the change, as stable codes.
    pub denials: Vec<&'static str>,
}

impl Quote {
    /// A binding price, which a timer may accept.
    pub const fn binding(lines: Vec<Line>, requirements: JobRequirements) -> Self {
        Self { lines, requirements, cap: None, manual_acceptance: false, window: None }
    }
}

impl GateAnswer {
    /// A delivery that costs what was agreed.
    pub fn as_agreed(missing: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let missing = missing.into_iter().map(Into::into).collect();
        Self { missing, settlement: Vec::new(), due: Vec::new() }
    }
}

impl Lines {
    /// No lines yet, of `vertical`.
    pub const fn new(vertical: &'static str, currency: Currency) -> Self {
        Self { vertical, currency, lines: Vec::new() }
    }

    /// Adds `quantity` units that cost `each` minor units.
    pub fn add_line(&mut self, code: &str, quantity: i64, unit: &'static str, each: i64) {
        #[expect(clippy::cast_precision_loss, reason = "quantities are small")]
        self.add_total(code, quantity as f64, unit, quantity * each);
    }

    /// Adds `quantity` units that cost `total` minor units together.
    pub fn add_total(&mut self, code: &str, quantity: f64, unit: &'static str, total: i64) {
        self.lines.push(Line {
            code: format!("{}.{code}", self.vertical),
            quantity,
            unit,
            total: Money::new(self.currency, total),
            pass_through: false,
        });
    }

    /// Adds what only passes through the provider's hands, as tolls do.
    pub fn add_pass_through(&mut self, code: &str, unit: &'static str, total: i64) {
        self.add_total(code, 1.0, unit, total);
        if let Some(line) = self.lines.last_mut() {
            line.pass_through = true;
        }
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
