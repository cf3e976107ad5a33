//! What cleanings cost.

use super::*;
use crate::domain::details::{CleaningType, Extra, LastVisit};

/// Two rooms and a bathroom, once: 2500 + 2 × 900 + 1300.
fn flat() -> Details {
    Details {
        kind: CleaningType::Standard,
        size: Size::Rooms { rooms: 2, bathrooms: 1 },
        extras: Vec::new(),
        frequency: Frequency::Once,
        last_visit: LastVisit::default(),
        bring_supplies: false,
    }
}

fn total(quote: &Quote) -> i64 {
    quote.lines.iter().map(|line| line.total.minor_units).sum()
}

fn price(details: &Details, gap: Option<i64>) -> i64 {
    total(&Tables::default().quote("FR", details, gap).unwrap())
}

#[test]
fn the_formula_row_by_row() {
    let extra = |code: &str, quantity| Extra { code: code.to_owned(), quantity };
    let rooms = |rooms, bathrooms| Size::Rooms { rooms, bathrooms };
    let table = [
        (flat(), 5600),
        (Details { size: rooms(1, 0), ..flat() }, 3400),
        (Details { size: Size::Area(60), ..flat() }, 2500 + 60 * 80),
        (Details { kind: CleaningType::Deep, ..flat() }, 4500 + 2 * 1600 + 2200),
        (Details { kind: CleaningType::MoveOut, size: Size::Area(40), ..flat() }, 5500 + 40 * 180),
        (Details { kind: CleaningType::Office, size: Size::Area(100), ..flat() }, 3500 + 100 * 70),
        (
            Details { extras: vec![extra("oven", 1), extra("windows", 4)], ..flat() },
            5600 + 1800 + 4 * 600,
        ),
        (Details { bring_supplies: true, ..flat() }, 5600 + 800),
    ];
    for (details, expected) in table {
        assert_eq!(price(&details, None), expected, "{details:?}");
    }
}

#[test]
fn the_gap_makes_the_factor_and_not_the_intention() {
    use Frequency::{Biweekly, Monthly, Once, Weekly};
    // Of 5600: 80 % = 4480, 85 % = 4760, 92 % = 5152; a first clean costs 2500.
    for (frequency, gap, expected) in [
        (Once, None, 5600),
        (Once, Some(7), 5600),
        (Weekly, None, 5600 + 2500),
        (Weekly, Some(0), 4480),
        (Weekly, Some(7), 4480),
        (Weekly, Some(10), 4480),
        (Weekly, Some(11), 4760),
        (Weekly, Some(18), 4760),
        (Weekly, Some(19), 5152),
        (Weekly, Some(38), 5152),
        (Weekly, Some(39), 5600),
        (Weekly, Some(60), 5600),
        (Weekly, Some(61), 5600 + 2500),
        (Biweekly, Some(7), 4760),
        (Biweekly, Some(14), 4760),
        (Biweekly, Some(30), 5152),
        (Biweekly, Some(45), 5600),
        (Monthly, Some(7), 5152),
        (Monthly, Some(31), 5152),
        (Monthly, Some(39), 5600),
        (Monthly, None, 5600 + 2500),
    ] {
        let details = Details { frequency, ..flat() };
        assert_eq!(price(&details, gap), expected, "{frequency:?} {gap:?}");
    }
}

#[test]
fn extras_and_supplies_get_no_discount() {
    let details = Details {
        frequency: Frequency::Weekly,
        extras: vec![Extra { code: "fridge".to_owned(), quantity: 2 }],
        bring_supplies: true,
        ..flat()
    };
    assert_eq!(price(&details, Some(7)), 4480 + 2 * 1500 + 800);
    let quote = Tables::default().quote("FR", &details, Some(7)).unwrap();
    let codes: Vec<&str> = quote.lines.iter().map(|line| line.code.as_str()).collect();
    let expected = ["base", "rooms", "bathrooms", "frequency", "extra.fridge", "supplies"];
    assert_eq!(codes, expected.map(|code| format!("cleaning.{code}")));
}

#[test]
fn half_a_cent_is_rounded_up() {
    for (amount, percent, expected) in [(5550, 85, 4718), (5549, 85, 4717), (1, 50, 1), (0, 80, 0)]
    {
        assert_eq!(share_of(amount, percent), expected, "{amount} {percent}");
    }
}

#[test]
fn each_country_has_its_currency() {
    let tables = Tables::default();
    for (country, code, expected) in [
        ("FR", "EUR", 5600),
        ("CH", "CHF", 4125 + 2 * 1485 + 2145),
        ("GB", "GBP", 2250 + 2 * 810 + 1170),
    ] {
        let quote = tables.quote(country, &flat(), None).unwrap();
        assert!(quote.lines.iter().all(|line| line.total.currency.code() == code));
        assert_eq!(total(&quote), expected, "{country}");
    }
    let error = tables.quote("US", &flat(), None).unwrap_err().to_string();
    assert!(error.starts_with("address.country"), "{error}");
}

#[test]
fn the_work_takes_quarters_of_an_hour() {
    let takes =
        |details: &Details, gap| Tables::default().quote("FR", details, gap).unwrap().requirements;
    // 30 + 2 × 25 + 30 = 110 minutes, a first clean 45 more.
    assert_eq!(takes(&flat(), None).minutes, 120);
    let weekly = Details { frequency: Frequency::Weekly, ..flat() };
    assert_eq!(takes(&weekly, None).minutes, 165);
    assert_eq!(takes(&Details { size: Size::Area(61), ..flat() }, None).minutes, 135);
    let deep = takes(&Details { kind: CleaningType::Deep, ..flat() }, None);
    assert_eq!(deep.skills, ["cleaning.deep"]);
    assert_eq!(deep.documents, ["insurance"]);
    let palace = Details { size: Size::Area(2000), ..flat() };
    let error = Tables::default().quote("FR", &palace, None).unwrap_err().to_string();
    assert!(error.starts_with("details.area_m2"), "{error}");
}

#[test]
fn an_unknown_extra_is_named() {
    let extras = vec![Extra { code: "roof".to_owned(), quantity: 1 }];
    let details = Details { extras, ..flat() };
    let error = Tables::default().quote("FR", &details, None).unwrap_err().to_string();
    assert!(error.starts_with("details.extras[0].code"), "{error}");
}
