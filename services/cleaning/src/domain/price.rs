//! Prices: (base + rooms or area) × the factor of the gap since the visit before, extras, first clean and supplies.

use super::{
    Details,
    details::{Frequency, Size},
    table::{Effort, PriceTable, Rates, Tables},
};
use vertical::{
    Error,
    price::{JobRequirements, Line, Lines, Quote, round_up_to_quarters, share_of},
};

impl Tables {
    /// Prices `details` in `country`, the visit before `gap` days ago.
    pub fn quote(
        &self,
        country: &str,
        details: &Details,
        gap: Option<i64>,
    ) -> Result<Quote, Error> {
        let table = self
            .prices
            .get(country)
            .ok_or_else(|| Error::invalid("address.country", "is not served yet"))?;
        let (Some(rates), Some(effort)) =
            (table.rates.get(&details.kind), self.effort.get(&details.kind))
        else {
            return Err(kit::Error::internal("the tables lack a type of cleaning").into());
        };
        let first = self.is_first(details, gap);
        let lines = price_lines(table, rates, details, gap, first)?;
        Ok(Quote::binding(lines, self.requirements(effort, details, first)?))
    }

    /// What every cleaning requires.
    pub fn base_requirements(&self) -> JobRequirements {
        JobRequirements {
            documents: self.documents.clone(),
            crew_size: 1,
            buffer_minutes: self.buffer_minutes,
            ..JobRequirements::default()
        }
    }

    /// Whether a regular visit counts as the first: there was none before, or long ago.
    fn is_first(&self, details: &Details, gap: Option<i64>) -> bool {
        details.frequency != Frequency::Once
            && gap.is_none_or(|days| days > self.first_clean_after_days)
    }

    fn requirements(
        &self,
        effort: &Effort,
        details: &Details,
        first: bool,
    ) -> Result<JobRequirements, Error> {
        let size = match details.size {
            Size::Area(m2) => effort.ten_m2_minutes * ((m2 + 9) / 10),
            Size::Rooms { rooms, bathrooms } => {
                effort.room_minutes * rooms + effort.bathroom_minutes * bathrooms
            }
        };
        let extras = details.extras.iter().map(|extra| {
            self.extra_minutes.get(&extra.code).copied().unwrap_or_default() * extra.quantity
        });
        let first = if first { self.first_clean_minutes } else { 0 };
        let minutes = effort.base_minutes + size + extras.sum::<i64>() + first;
        if minutes > self.visit_minutes_most {
            return Err(Error::invalid(details.size.field(), "is more than one visit can clean"));
        }
        Ok(JobRequirements {
            skills: effort.skills.clone(),
            documents: self.documents.clone(),
            crew_size: 1,
            minutes: round_up_to_quarters(minutes),
            buffer_minutes: self.buffer_minutes,
            ..JobRequirements::default()
        })
    }
}

fn price_lines(
    table: &PriceTable,
    rates: &Rates,
    details: &Details,
    gap: Option<i64>,
    first: bool,
) -> Result<Vec<Line>, Error> {
    let mut lines = Lines::new("cleaning", table.currency);
    lines.add_line("base", 1, "visit", rates.base);
    match details.size {
        Size::Area(m2) => lines.add_line("area", m2, "m2", rates.m2),
        Size::Rooms { rooms, bathrooms } => {
            lines.add_line("rooms", rooms, "room", rates.room);
            if bathrooms > 0 {
                lines.add_line("bathrooms", bathrooms, "bathroom", rates.bathroom);
            }
        }
    }
    let regular = lines.sum();
    let discount = share_of(regular, percent_of(table, details.frequency, gap)) - regular;
    if discount != 0 {
        lines.add_line("frequency", 1, "visit", discount);
    }
    for (index, extra) in details.extras.iter().enumerate() {
        let each = table.extras.get(&extra.code).ok_or_else(|| {
            Error::invalid(format!("details.extras[{index}].code"), "is not an extra on offer")
        })?;
        lines.add_line(&format!("extra.{}", extra.code), extra.quantity, "piece", *each);
    }
    if first && rates.first_clean > 0 {
        lines.add_line("first_clean", 1, "visit", rates.first_clean);
    }
    if details.bring_supplies {
        lines.add_line("supplies", 1, "visit", table.supplies);
    }
    Ok(lines.into_vec())
}

/// The share of the price that a visit costs, in percent. The gap decides, not the intention: a broken series pays the
/// share of the frequency that it has kept, all of it when it has kept none; the price is never less than that of the frequency asked
/// for.
fn percent_of(table: &PriceTable, frequency: Frequency, gap: Option<i64>) -> i64 {
    let Some(gap) = gap.filter(|_| frequency != Frequency::Once) else { return 100 };
    let kept = table
        .frequencies
        .iter()
        .filter(|(tier, rule)| **tier >= frequency && gap <= rule.gap_days_most);
    kept.map(|(_, rule)| rule.percent).min().unwrap_or(100)
}

#[cfg(test)]
mod tests;
