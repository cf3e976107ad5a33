//! Prices: what a move costs by its work, and what it requires.

use super::{
    details::{HomeAccess, MoveInputs, Packing, PriceBasis},
    inventory::GoodsLoad,
    tables::{MoveRates, MoveTables, Pace},
};
use kit::{Money, values::money::Currency};
use serde::{Deserialize, Serialize};
use vertical::{
    Error, OrderFacts,
    price::{CrewMember, JobRequirements, Line, Lines, Quote},
};

/// The vertical in the codes of lines.
pub const KEY: &str = "moving";
/// Litres of a cubic metre.
const LITRES: i64 = 1_000;
/// Metres between truck and door of which the price is part of the work, and those of each step beyond them.
const CARRY_STEP_M: i64 = 10;

/// What a move is priced on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveWork {
    pub volume_l: i64,
    /// Hundreds of metres from one home to the other.
    pub hectometres: i64,
    pub from: HomeAccess,
    pub to: HomeAccess,
    pub packing: Packing,
    /// What the goods are worth, in minor units.
    pub declared_value: i64,
}

/// The terms of a move, as they were when it was booked: they price what it comes to, and other work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTerms {
    pub currency: Currency,
    pub rates: MoveRates,
    pub pace: Pace,
    pub basis: PriceBasis,
    /// The people who were booked.
    pub crew: i64,
    /// What was booked.
    pub booked: MoveWork,
}

impl MoveWork {
    /// What is asked for, over so many metres.
    pub fn of(inputs: &MoveInputs, metres: i64) -> Self {
        Self {
            volume_l: GoodsLoad::of(&inputs.lines).volume_l(),
            hectometres: Self::hectometres_of(metres),
            from: inputs.from,
            to: inputs.to,
            packing: inputs.packing,
            declared_value: inputs.declared_value,
        }
    }

    /// Hundreds of metres as prices count them: the nearest.
    pub const fn hectometres_of(metres: i64) -> i64 {
        (metres + 50).div_euclid(100)
    }
}

impl Pace {
    /// Half hours of work for a crew: the carrying and the drive, rounded up.
    pub fn half_hours(&self, work: &MoveWork, crew: i64) -> i64 {
        let carrying = ceil_div(self.minutes_a_m3 * work.volume_l, LITRES * crew.max(1));
        let is_near = work.hectometres <= self.near_km * 10;
        let speed_kmh = if is_near { self.near_kmh } else { self.far_kmh };
        let driving = ceil_div(work.hectometres * 60, 10 * speed_kmh.max(1));
        ceil_div(carrying + driving, 30).max(ceil_div(self.min_minutes, 30))
    }
}

impl MoveRates {
    /// The lines of a price for a crew that works so many half hours.
    fn lines(&self, work: &MoveWork, crew: i64, half_hours: i64) -> Lines {
        let mut lines = Lines::new(KEY, self.currency);
        let person_half_hours = crew * half_hours;
        let labour = (person_half_hours * self.person_hour + 1).div_euclid(2);
        lines.add_total("labour", to_f64(person_half_hours) / 2.0, "person_hour", labour);
        let cubic_metres = to_f64(work.volume_l) / to_f64(LITRES);
        let volume = per_cubic_metre(work.volume_l, self.m3);
        lines.add_total("volume", cubic_metres, "m3", volume);
        let distance = (work.hectometres * self.km + 5).div_euclid(10);
        lines.add_total("distance", to_f64(work.hectometres) / 10.0, "km", distance);
        let floors = work.from.floors_to_climb() + work.to.floors_to_climb();
        let stairs = per_cubic_metre(work.volume_l, floors * self.m3_floor);
        add_unless_free(&mut lines, "stairs", floors, "floor", stairs);
        let steps = self.carry_steps(work.from) + self.carry_steps(work.to);
        let carry = per_cubic_metre(work.volume_l, steps * self.m3_carry);
        add_unless_free(&mut lines, "carry", steps * CARRY_STEP_M, "m", carry);
        let permits = i64::from(work.from.permit) + i64::from(work.to.permit);
        add_unless_free(&mut lines, "permit", permits, "permit", permits * self.permit);
        let packing = per_cubic_metre(work.volume_l, self.packing(work.packing));
        if packing != 0 {
            lines.add_total("packing", cubic_metres, "m3", packing);
        }
        let insurance = (work.declared_value * self.insurance_permille + 500).div_euclid(1_000);
        add_unless_free(&mut lines, "insurance", 1, "policy", insurance);
        lines
    }

    /// Steps of ten metres, each one begun, beyond those that cost nothing.
    fn carry_steps(&self, access: HomeAccess) -> i64 {
        ceil_div((access.carry_m - self.free_carry_m).max(0), CARRY_STEP_M)
    }

    /// What packing costs, a cubic metre.
    const fn packing(&self, packing: Packing) -> i64 {
        match packing {
            Packing::Eco => self.packing_eco_m3,
            Packing::Standard => self.packing_standard_m3,
            Packing::Full => self.packing_full_m3,
        }
    }
}

impl HomeAccess {
    /// Floors over which the goods are carried.
    const fn floors_to_climb(self) -> i64 {
        if self.lift { 0 } else { self.floor }
    }
}

impl MoveTerms {
    /// What work costs by these terms.
    pub fn price(&self, work: &MoveWork) -> Vec<Line> {
        let half_hours = self.pace.half_hours(work, self.crew);
        self.rates.lines(work, self.crew, half_hours).into_vec()
    }

    /// Whether the terms are those of the quote.
    pub fn explain(&self, facts: &OrderFacts) -> bool {
        sum_of(&self.price(&self.booked)) == facts.quoted_total()
    }

    /// Whether work takes longer than one move may.
    pub fn is_too_long(&self, work: &MoveWork) -> bool {
        self.pace.half_hours(work, self.crew) * 30 > self.pace.max_minutes
    }

    /// The lines by which other work changes what was agreed, code by code. A binding price never falls.
    pub fn change_lines(&self, facts: &OrderFacts, work: &MoveWork) -> Vec<Line> {
        let mut changed = Vec::new();
        let then = self.price(work);
        let mut gone: Vec<(String, f64, i64)> = agreed_by_code(facts);
        for line in then {
            let agreed = gone.iter().position(|(code, ..)| *code == line.code);
            let (_, quantity, total) =
                agreed.map_or((String::new(), 0.0, 0), |index| gone.remove(index));
            let minor_units = line.total.minor_units - total;
            if minor_units != 0 {
                let total = Money { minor_units, ..line.total };
                changed.push(Line { quantity: line.quantity - quantity, total, ..line });
            }
        }
        for (code, quantity, total) in gone.into_iter().filter(|(.., total)| *total != 0) {
            let total = Money::new(self.currency, -total);
            let quantity = -quantity;
            changed.push(Line { code, quantity, unit: "change", total, pass_through: false });
        }
        let falls = sum_of(&changed) < 0;
        if falls && self.basis == PriceBasis::Binding { Vec::new() } else { changed }
    }
}

/// What was agreed by the terms of a move: quoted, and changed since, code by code.
fn agreed_by_code(facts: &OrderFacts) -> Vec<(String, f64, i64)> {
    let mut agreed: Vec<(String, f64, i64)> = Vec::new();
    for line in facts.quoted.iter().chain(&facts.changed).filter(|it| is_by_terms(&it.code)) {
        match agreed.iter_mut().find(|(code, ..)| *code == line.code) {
            Some((_, quantity, total)) => {
                *quantity += line.quantity;
                *total += line.total.minor_units;
            }
            None => agreed.push((line.code.clone(), line.quantity, line.total.minor_units)),
        }
    }
    agreed
}

/// Whether a line was priced by the terms of a move, and not by its provider.
pub fn is_by_terms(code: &str) -> bool {
    code.strip_prefix(KEY).is_some_and(|rest| rest.starts_with('.'))
}

/// The sum of lines, in minor units.
pub fn sum_of(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.total.minor_units).sum()
}

impl MoveTables {
    /// Prices a move in `country` over so many metres.
    pub fn quote(&self, country: &str, inputs: &MoveInputs, metres: i64) -> Result<Quote, Error> {
        let rates = self.country(country)?;
        let terms = self.terms_of(rates, inputs, metres);
        self.check_size(&terms)?;
        let lines = terms.price(&terms.booked);
        let cap = match inputs.basis {
            PriceBasis::Binding => None,
            PriceBasis::Estimate => {
                Some(Money::new(rates.currency, sum_of(&lines) * rates.cap_percent / 100))
            }
        };
        let mut requirements = self.requirements(terms.crew, inputs)?;
        requirements.minutes = terms.pace.half_hours(&terms.booked, terms.crew) * 30;
        Ok(Quote { cap, ..Quote::binding(lines, requirements) })
    }

    /// The terms of a move, as it is booked now.
    pub fn terms_of(&self, rates: &MoveRates, inputs: &MoveInputs, metres: i64) -> MoveTerms {
        let booked = MoveWork::of(inputs, metres);
        MoveTerms {
            currency: rates.currency,
            rates: rates.clone(),
            pace: self.pace,
            basis: inputs.basis,
            crew: self.crew_for(booked.volume_l),
            booked,
        }
    }

    /// The prices of a country.
    pub fn country(&self, country: &str) -> Result<&MoveRates, Error> {
        self.prices
            .get(country)
            .ok_or_else(|| Error::invalid("address.country", "is not served yet"))
    }

    /// Refuses a move that takes too long, or too many people.
    fn check_size(&self, terms: &MoveTerms) -> Result<(), Error> {
        let hours = self.pace.max_minutes / 60;
        let drive = MoveWork { volume_l: 0, ..terms.booked.clone() };
        if terms.is_too_long(&drive) {
            let problem = format!("is further away than a move of {hours} hours goes");
            return Err(Error::invalid("details.to.lat", problem));
        }
        if terms.is_too_long(&terms.booked) {
            let problem = format!("take more than {hours} hours: make two moves of them");
            return Err(Error::invalid("details.items", problem));
        }
        if terms.crew > self.max_crew {
            let problem =
                format!("take more than {} people: make two moves of them", self.max_crew);
            return Err(Error::invalid("details.items", problem));
        }
        Ok(())
    }

    /// What every move requires.
    pub fn base_requirements(&self) -> JobRequirements {
        JobRequirements {
            documents: self.documents.clone(),
            buffer_minutes: self.buffer_minutes,
            ..JobRequirements::default()
        }
    }

    fn requirements(&self, crew: i64, inputs: &MoveInputs) -> Result<JobRequirements, Error> {
        let truck = self.choose_trucks(GoodsLoad::of(&inputs.lines)).ok_or_else(|| {
            let problem =
                "take more room or weigh more than our trucks carry: make two moves of them";
            Error::invalid("details.items", problem)
        })?;
        let movers = i32::try_from(crew - 1).unwrap_or_default();
        let mut people = vec![crew_member("lead", 1)];
        if movers > 0 {
            people.push(crew_member("mover", movers));
        }
        Ok(JobRequirements {
            skills: vec!["moving.mover".to_owned()],
            crew: people,
            assets: vec![truck],
            ..self.base_requirements()
        })
    }
}

fn crew_member(role: &str, count: i32) -> CrewMember {
    CrewMember {
        role: role.to_owned(),
        skills: vec![format!("{KEY}.{role}")],
        documents: Vec::new(),
        count,
    }
}

/// What so many litres cost at a price for a cubic metre, half a unit rounded up.
const fn per_cubic_metre(litres: i64, each: i64) -> i64 {
    (litres * each + LITRES / 2).div_euclid(LITRES)
}

/// A quotient rounded up, of a number that is not negative.
pub const fn ceil_div(number: i64, by: i64) -> i64 {
    (number + by - 1).div_euclid(by)
}

fn add_unless_free(lines: &mut Lines, code: &str, quantity: i64, unit: &'static str, total: i64) {
    if total != 0 {
        lines.add_total(code, to_f64(quantity), unit, total);
    }
}

/// A quantity of a line.
#[expect(clippy::cast_precision_loss, reason = "quantities are small")]
pub const fn to_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
