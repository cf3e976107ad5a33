//! Money: whole minor units of one currency, never a fraction.

use crate::rpc::error::Error;
use proto::quickserve::common::v1 as pb;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro, in which prices are where no country says otherwise.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code of three capital letters.
    pub fn parse(field: &str, code: &str) -> Result<Self, Error> {
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if bytes.iter().all(u8::is_ascii_uppercase) => Ok(Self(bytes)),
            _ => Err(Error::invalid(field, "must be an ISO 4217 code such as EUR")),
        }
    }

    /// The three letters of ISO 4217.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl TryFrom<String> for Currency {
    type Error = Error;
    fn try_from(code: String) -> Result<Self, Error> {
        Self::parse("currency", &code)
    }
}
impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The currency whose minor units are counted.
    pub currency: Currency,
    /// Its amount in minor units, for example cents.
    pub minor_units: i64,
}

impl Money {
    /// An amount of so many minor units, for example cents.
    pub const fn new(currency: Currency, minor_units: i64) -> Self {
        Self { currency, minor_units }
    }

    /// Reads the amount in `field` of a request.
    pub fn parse(field: &str, money: Option<&pb::Money>) -> Result<Self, Error> {
        let pb::Money { currency, minor_units } =
            money.ok_or_else(|| Error::invalid(field, "must be given"))?;
        let currency = Currency::parse(&format!("{field}.currency"), currency)?;
        Ok(Self { currency, minor_units: *minor_units })
    }

    /// The sum, or none when the currencies differ or the sum is out of range.
    pub fn plus(self, other: Self) -> Option<Self> {
        let minor_units = self.minor_units.checked_add(other.minor_units)?;
        (self.currency == other.currency).then_some(Self { minor_units, ..self })
    }

    /// The difference, or none when the currencies differ or it is out of range.
    pub fn minus(self, other: Self) -> Option<Self> {
        let minor_units = self.minor_units.checked_sub(other.minor_units)?;
        (self.currency == other.currency).then_some(Self { minor_units, ..self })
    }
}

impl From<Money> for pb::Money {
    fn from(money: Money) -> Self {
        Self { currency: money.currency.code().to_owned(), minor_units: money.minor_units }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.minor_units, self.currency)
    }
}

/// Splits `total` in proportion to `weights` so that the parts add up to it exactly: each gets its share rounded
/// towards zero, and what is left goes unit by unit to the largest remainders (Hamilton's method).
///
/// Weights must not be negative; when all are zero the first part gets everything.
pub fn split_amount(total: i64, weights: &[u64]) -> Vec<i64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let amount = u128::from(total.unsigned_abs());
    let mut parts: Vec<u64> = Vec::with_capacity(weights.len());
    let mut remainders: Vec<(u128, usize)> = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let product = amount * u128::from(*weight);
        let share = product.checked_div(sum).unwrap_or_default();
        parts.push(u64::try_from(share).unwrap_or(u64::MAX));
        remainders.push((product.checked_rem(sum).unwrap_or_default(), index));
    }
    let given: u128 = parts.iter().map(|part| u128::from(*part)).sum();
    let mut left = u64::try_from(amount - given).unwrap_or_default();
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    if sum == 0 {
        if let Some(first) = parts.first_mut() {
            *first = left;
        }
        left = 0;
    }
    for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        parts[index] += 1;
    }
    let sign = total.signum();
    parts.into_iter().map(|part| sign * i64::try_from(part).unwrap_or(i64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_split_always_add_up() {
        for total in [-101, -1, 0, 1, 2, 99, 100, 101, 12_345, i64::MAX] {
            for weights in [&[80, 20][..], &[1, 1, 1], &[0, 0], &[7], &[80, 17, 3]] {
                let parts = split_amount(total, weights);
                assert_eq!(parts.iter().sum::<i64>(), total, "{total} {weights:?}");
            }
        }
        assert_eq!(split_amount(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split_amount(5, &[80, 20]), [4, 1]);
    }

    #[test]
    fn currencies_do_not_mix() {
        let usd = Currency::parse("currency", "USD").unwrap();
        assert_eq!(Money::new(Currency::EUR, 1).plus(Money::new(usd, 1)), None);
        assert_eq!(Money::new(usd, i64::MAX).plus(Money::new(usd, 1)), None);
        assert!(Currency::parse("currency", "eur").is_err());
    }
}
