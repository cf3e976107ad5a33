//! Dates and amounts as readers of a language write them.

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use kit::Money;
use serde::Deserialize;

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// French, which is also for accounts without a language.
    #[default]
    Fr,
    En,
}

const WEEKDAYS_FR: [&str; 7] =
    ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const WEEKDAYS_EN: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Currencies without minor unit (ISO 4217).
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
/// Currencies with a thousandth as minor unit (ISO 4217).
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

impl Locale {
    pub const ALL: [Self; 2] = [Self::Fr, Self::En];

    /// The first of these wishes that names a language.
    pub fn first_of(wishes: [&str; 2]) -> Self {
        wishes
            .into_iter()
            .find_map(|wish| Self::ALL.into_iter().find(|locale| locale.tag() == wish))
            .unwrap_or_default()
    }

    /// Its language tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }

    /// A moment on the wall clock of a zone.
    pub fn moment(self, at: DateTime<Utc>, zone: Tz) -> String {
        let at = at.with_timezone(&zone);
        let (weekdays, months) = match self {
            Self::Fr => (&WEEKDAYS_FR, &MONTHS_FR),
            Self::En => (&WEEKDAYS_EN, &MONTHS_EN),
        };
        let weekday = month_name(weekdays, at.weekday().num_days_from_monday());
        let month = month_name(months, at.month0());
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::Fr => {
                let first = if day == 1 { "er" } else { "" };
                format!("{weekday} {day}{first} {month} {year} à {hour} h {minute:02}")
            }
            Self::En => format!("{weekday} {day} {month} {year} at {hour}:{minute:02}"),
        }
    }

    /// An amount of money.
    pub fn money(self, money: Money) -> String {
        let code = money.currency.code();
        let digits = if WHOLE.contains(&code) {
            0
        } else if THOUSANDTHS.contains(&code) {
            3
        } else {
            2
        };
        let unit = 10_u64.pow(digits);
        let amount = money.minor_units.unsigned_abs();
        let sign = if money.minor_units < 0 { "-" } else { "" };
        let whole = group_digits(amount / unit, if self == Self::Fr { "\u{202f}" } else { "," });
        let point = if self == Self::Fr { "," } else { "." };
        let rest = match digits {
            0 => String::new(),
            _ => format!("{point}{:0width$}", amount % unit, width = digits as usize),
        };
        let symbol = match code {
            "EUR" => "€",
            "GBP" => "£",
            "USD" => "$",
            _ => "",
        };
        match (self, symbol) {
            (Self::Fr, "") => format!("{sign}{whole}{rest}\u{a0}{code}"),
            (Self::Fr, symbol) => format!("{sign}{whole}{rest}\u{a0}{symbol}"),
            (Self::En, "") => format!("{sign}{code}\u{a0}{whole}{rest}"),
            (Self::En, symbol) => format!("{sign}{symbol}{whole}{rest}"),
        }
    }
}

fn month_name<const N: usize>(names: &[&'static str; N], index: u32) -> &'static str {
    names.get(index as usize).copied().unwrap_or_default()
}

fn group_digits(number: u64, separator: &str) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{}{separator}{:03}", group_digits(number / 1000, separator), number % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::values::money::Currency;

    #[test]
    fn moments_are_written_as_at_the_place() {
        let at = "2027-05-01T07:05:00Z".parse().unwrap();
        let zone = chrono_tz::Europe::Paris;
        assert_eq!(Locale::Fr.moment(at, zone), "samedi 1er mai 2027 à 9 h 05");
        assert_eq!(Locale::En.moment(at, zone), "Saturday 1 May 2027 at 9:05");
    }

    #[test]
    fn amounts_are_written_as_their_readers_do() {
        for (code, units, french, english) in [
            ("EUR", 12_050, "120,50\u{a0}€", "€120.50"),
            ("EUR", 123_456_789, "1\u{202f}234\u{202f}567,89\u{a0}€", "€1,234,567.89"),
            ("EUR", -5, "-0,05\u{a0}€", "-€0.05"),
            ("JPY", 1_200, "1\u{202f}200\u{a0}JPY", "JPY\u{a0}1,200"),
            ("TND", 1_005, "1,005\u{a0}TND", "TND\u{a0}1.005"),
            (
                "EUR",
                i64::MIN,
                "-92\u{202f}233\u{202f}720\u{202f}368\u{202f}547\u{202f}758,08\u{a0}€",
                "-€92,233,720,368,547,758.08",
            ),
        ] {
            let money = Money::new(Currency::parse("currency", code).unwrap(), units);
            assert_eq!(Locale::Fr.money(money), french);
            assert_eq!(Locale::En.money(money), english);
        }
    }

    #[test]
    fn the_first_language_named_is_taken() {
        assert_eq!(Locale::first_of(["", "en"]), Locale::En);
        assert_eq!(Locale::first_of(["fr", "en"]), Locale::Fr);
        assert_eq!(Locale::first_of(["", "tlh"]), Locale::Fr);
    }
}
