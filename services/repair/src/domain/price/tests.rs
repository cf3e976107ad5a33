//! Prices that were worked by hand, to the cent.

use super::*;
use crate::domain::details::RepairedItem;
use chrono_tz::Europe::Paris;
use kit::testing::at;

fn inputs(category: Category, urgency: Urgency) -> RepairInputs {
    RepairInputs { category, item: RepairedItem::Unnamed, urgency }
}

fn visit(start: &str) -> Window {
    let start = at(start);
    Window { start, end: start + Duration::minutes(90), zone: Paris }
}

fn totals(lines: &[Line]) -> Vec<(&str, i64)> {
    lines.iter().map(|line| (line.code.as_str(), line.total.minor_units)).collect()
}

fn terms(category: Category) -> RepairTerms {
    RepairTables::default().terms("FR", category, false).unwrap()
}

fn work(minutes: i64, part_costs: &[i64]) -> EstimatedWork {
    EstimatedWork { minutes, part_costs: part_costs.to_vec() }
}

fn sum(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.total.minor_units).sum()
}

#[test]
fn a_visit_costs_the_callout_the_diagnosis_and_what_the_hour_adds() {
    let tables = RepairTables::default();
    let now = at("2027-05-24T07:00:00Z");
    // Monday morning, Monday night and Sunday noon in Paris.
    for (start, urgency, expected) in [
        ("2027-05-24T08:00:00Z", Urgency::Normal, 7_800),
        ("2027-05-24T08:00:00Z", Urgency::Today, 7_800),
        ("2027-05-24T08:00:00Z", Urgency::Urgent, 11_800),
        ("2027-05-24T20:30:00Z", Urgency::Today, 9_250),
        ("2027-05-30T10:00:00Z", Urgency::Normal, 9_250),
    ] {
        let inputs = inputs(Category::Plumbing, urgency);
        let quote = tables.quote("FR", &inputs, None, visit(start), now).unwrap();
        assert_eq!(sum(&quote.lines), expected, "{start} {urgency:?}");
        assert_eq!((quote.cap, quote.window), (None, None), "the price is binding");
    }
}

#[test]
fn an_urgent_visit_begins_soon() {
    let tables = RepairTables::default();
    let now = at("2027-05-24T07:00:00Z");
    for (urgency, start, soon) in [
        (Urgency::Urgent, "2027-05-24T11:00:00Z", true),
        (Urgency::Urgent, "2027-05-24T11:01:00Z", false),
        (Urgency::Today, "2027-05-25T07:00:00Z", true),
        (Urgency::Today, "2027-05-25T07:01:00Z", false),
        (Urgency::Normal, "2027-07-25T07:01:00Z", true),
    ] {
        let inputs = inputs(Category::Locksmith, urgency);
        let quote = tables.quote("FR", &inputs, None, visit(start), now);
        assert_eq!(quote.is_ok(), soon, "{urgency:?} {start}");
        if let Err(error) = quote {
            assert!(error.to_string().contains("details.urgency"), "{error}");
        }
    }
}

#[test]
fn a_repair_takes_a_skill_a_qualification_and_waves_as_urgent_as_it_is() {
    let tables = RepairTables::default();
    let (now, window) = (at("2027-05-24T07:00:00Z"), visit("2027-05-24T08:00:00Z"));
    for (urgency, wave_size, answer_s, search_m) in [
        (Urgency::Normal, 3, 600, 1_440),
        (Urgency::Today, 3, 300, 240),
        (Urgency::Urgent, 5, 60, 15),
    ] {
        let inputs = inputs(Category::Heating, urgency);
        let quote = tables.quote("FR", &inputs, Some("Saunier Duval"), window, now).unwrap();
        let needs = quote.requirements;
        assert_eq!(needs.skills, ["repair.heating"]);
        assert_eq!(needs.preferred_skills, ["repair.brand.saunier_duval"]);
        assert_eq!(needs.documents, ["insurance", "gas_qualification"]);
        let dispatch = needs.dispatch.unwrap();
        assert!(!dispatch.live && dispatch.wave_size == wave_size);
        assert_eq!(
            (dispatch.answer.num_seconds(), dispatch.search.num_minutes()),
            (answer_s, search_m)
        );
    }
    let abroad = tables.quote("US", &inputs(Category::Heating, Urgency::Normal), None, window, now);
    assert!(abroad.unwrap_err().to_string().contains("address.country"));
}

#[test]
fn estimates_come_to_the_cent_with_the_diagnosis_credited_once() {
    let appliance = terms(Category::Appliance);
    let lines = appliance.estimate_lines(&work(70, &[8_000]), true);
    let expected = [
        ("repair.labour", 7_250),
        ("repair.part", 8_000),
        ("repair.part_margin", 1_200),
        ("repair.diagnosis_credit", -4_900),
    ];
    assert_eq!(totals(&lines), expected);
    assert_eq!(sum(&lines), 11_550);
    assert!(lines[1].pass_through && !lines[2].pass_through, "the cost carries no commission");
    assert!((lines[0].quantity - 1.25).abs() < f64::EPSILON);
    assert_eq!(sum(&appliance.estimate_lines(&work(70, &[8_000]), false)), 16_450);

    let handyman = terms(Category::Handyman);
    let lines = handyman.estimate_lines(&work(25, &[1_999]), true);
    let expected = [
        ("repair.labour", 2_400),
        ("repair.part", 1_999),
        ("repair.part_margin", 300),
        ("repair.diagnosis_credit", -4_699),
    ];
    assert_eq!(totals(&lines), expected);
    assert_eq!(sum(&lines), 0);
}

#[test]
fn labour_is_by_quarters_of_an_hour_of_all_tasks_together() {
    for (category, minutes, labour) in [
        (Category::Plumbing, 1, 1_625),
        (Category::Electrics, 15, 1_625),
        (Category::Appliance, 16, 2_900),
        (Category::Heating, 60, 7_200),
        (Category::Locksmith, 61, 8_750),
        (Category::Handyman, 0, 0),
    ] {
        let price = terms(category).price_work(&work(minutes, &[]), false);
        assert_eq!((price.labour, price.total()), (labour, labour), "{category:?} {minutes}");
    }
}

#[test]
fn a_recall_costs_nothing_and_has_nothing_to_credit() {
    let tables = RepairTables::default();
    let inputs = inputs(Category::Appliance, Urgency::Urgent);
    let quote = tables.quote_recall("FR", &inputs).unwrap();
    assert_eq!(totals(&quote.lines), [("repair.callout", 0), ("repair.diagnosis", 0)]);
    let terms = tables.terms("FR", Category::Appliance, true).unwrap();
    assert_eq!(sum(&terms.free_lines(&work(70, &[8_000]))), 0);
    // Another fault costs what it costs, and no diagnosis was paid.
    assert_eq!(sum(&terms.estimate_lines(&work(70, &[8_000]), true)), 16_450);
    assert_eq!(tables.terms("US", Category::Appliance, false), None);
}

#[test]
fn returned_parts_come_off_and_the_credit_follows() {
    let appliance = terms(Category::Appliance);
    let lines = appliance.return_lines(&work(70, &[8_000, 1_000]), &[true, false], true);
    assert_eq!(totals(&lines), [("repair.part_returned", -8_000), ("repair.part_margin", -1_200)]);
    // Without its part the estimate is worth 24 euros, and only that can be credited.
    let handyman = terms(Category::Handyman);
    let lines = handyman.return_lines(&work(25, &[1_999]), &[true], true);
    let expected = [
        ("repair.part_returned", -1_999),
        ("repair.part_margin", -300),
        ("repair.diagnosis_credit", 2_299),
    ];
    assert_eq!(totals(&lines), expected);
    assert_eq!(sum(&lines), 0);
    assert_eq!(sum(&handyman.return_lines(&work(25, &[1_999]), &[true], false)), -2_299);
    assert_eq!(handyman.return_lines(&work(25, &[1_999]), &[false], true), []);
}
