//! The inventory: what is moved, line by line. Sums are always made from the lines.

use super::{
    details::GivenItem,
    state::{MoveState, MoveStep},
    tables::MoveTables,
    waybill::Move,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use vertical::Error;

/// Who packs goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackedBy {
    Owner,
    Crew,
}

impl PackedBy {
    /// Reads who packs what is given in `field`; empty means the owner.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        match text {
            "" | "owner" => Ok(Self::Owner),
            "crew" => Ok(Self::Crew),
            _ => Err(Error::invalid(format!("{field}.packed_by"), "must be owner or crew")),
        }
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Crew => "crew",
        }
    }
}

/// How goods are before they are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodsCondition {
    Good,
    /// Used, with traces of that.
    Worn,
    /// Damaged before the mover touched them: that is no claim later.
    Damaged,
}

impl GoodsCondition {
    /// Reads a condition.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        match text {
            "good" => Ok(Self::Good),
            "worn" => Ok(Self::Worn),
            "damaged" => Ok(Self::Damaged),
            _ => {
                let field = format!("{field}.condition");
                Err(Error::invalid(field, "must be good, worn or damaged"))
            }
        }
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Worn => "worn",
            Self::Damaged => "damaged",
        }
    }
}

/// Goods of one kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryLine {
    /// Its number, from 1.
    pub n: u32,
    pub code: String,
    /// How many there are.
    pub quantity: i64,
    /// Litres that each takes.
    pub volume_l: i64,
    /// Kilograms that each weighs.
    pub weight_kg: i64,
    pub stackable: bool,
    pub fragile: bool,
    pub packed_by: PackedBy,
    /// How they were before they were loaded; none while the mover has not said.
    pub condition: Option<GoodsCondition>,
    /// How many were loaded: 0 for a line that was struck out, none while that is open.
    pub loaded: Option<i64>,
    /// What people call them.
    pub label: String,
}

/// Says what the line is, not what people call it.
impl fmt::Debug for InventoryLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InventoryLine")
            .field("n", &self.n)
            .field("code", &self.code)
            .field("quantity", &self.quantity)
            .field("loaded", &self.loaded)
            .finish_non_exhaustive()
    }
}

impl InventoryLine {
    /// How many count: those that were loaded, or else those that are there.
    pub fn counted(&self) -> i64 {
        self.loaded.unwrap_or(self.quantity)
    }
}

/// What lines take in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoodsLoad {
    /// Litres on which other goods may stand.
    pub stackable_l: i64,
    /// Litres of all others.
    pub other_l: i64,
    pub weight_kg: i64,
}

impl GoodsLoad {
    /// Adds up the lines.
    pub fn of(lines: &[InventoryLine]) -> Self {
        let mut load = Self::default();
        for line in lines {
            let litres = line.counted() * line.volume_l;
            match line.stackable {
                true => load.stackable_l += litres,
                false => load.other_l += litres,
            }
            load.weight_kg += line.counted() * line.weight_kg;
        }
        load
    }

    /// Litres in all.
    pub const fn volume_l(&self) -> i64 {
        self.stackable_l + self.other_l
    }
}

/// What is noted of one line, or a line more.
#[derive(Clone, Debug, Default)]
pub struct LineChange {
    /// Number of the line; the next one after the last adds a line.
    pub n: u32,
    /// What the goods of a new line are; empty for a line that is there.
    pub code: String,
    pub quantity: Option<i32>,
    pub volume_l: i32,
    pub weight_kg: i32,
    pub stackable: bool,
    pub fragile: Option<bool>,
    /// Who packs them; empty keeps what is there.
    pub packed_by: String,
    /// How they are; empty keeps what is there.
    pub condition: String,
    pub loaded: Option<i32>,
    /// What people call them; empty keeps what is there.
    pub label: String,
}

impl Move {
    /// Notes what is really there. False when that is noted already.
    pub fn change_inventory(
        &mut self,
        changes: &[LineChange],
        tables: &MoveTables,
    ) -> Result<bool, Error> {
        let changed_state = match self.state {
            MoveState::Loading => self.state,
            state => state.next(MoveStep::Change)?,
        };
        let mut lines = self.lines.clone();
        for (index, change) in changes.iter().enumerate() {
            let field = format!("items[{index}]");
            match self.state {
                MoveState::Loading => note_loading(&field, &mut lines, change)?,
                _ => survey_line(&field, &mut lines, change, tables)?,
            }
        }
        let is_new = lines != self.lines;
        if is_new {
            self.lines = lines;
            self.state = changed_state;
        }
        Ok(is_new)
    }

    /// The numbers of the lines of which it is open whether they were loaded.
    pub fn open_lines(&self) -> Vec<u32> {
        self.lines.iter().filter(|line| line.loaded.is_none()).map(|line| line.n).collect()
    }
}

/// The index of a line by its number.
fn index_of(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1)
}

/// Notes what the mover finds before the loading.
fn survey_line(
    field: &str,
    lines: &mut Vec<InventoryLine>,
    change: &LineChange,
    tables: &MoveTables,
) -> Result<(), Error> {
    if change.loaded.is_some() {
        let problem = "is noted once the loading has begun";
        return Err(Error::invalid(format!("{field}.loaded"), problem));
    }
    let next = lines.len() + 1;
    if index_of(change.n) + 1 > next {
        let problem = format!("must be {next} at most: that adds a line");
        return Err(Error::invalid(format!("{field}.line"), problem));
    }
    let Some(line) = lines.get_mut(index_of(change.n)) else {
        lines.push(new_line(field, change, tables)?);
        return Ok(());
    };
    if !change.code.is_empty() && change.code != line.code {
        let problem = format!("is {} on this line: add a line for other goods", line.code);
        return Err(Error::invalid(format!("{field}.code"), problem));
    }
    if let Some(quantity) = change.quantity {
        line.quantity = quantity.into();
    }
    describe_line(field, line, change)
}

/// Notes what was loaded of a line that was surveyed.
fn note_loading(
    field: &str,
    lines: &mut [InventoryLine],
    change: &LineChange,
) -> Result<(), Error> {
    let Some(line) = lines.get_mut(index_of(change.n)) else {
        return Err(Error::OrderState("the loading has begun: no lines are added any more"));
    };
    if change.quantity.is_some_and(|quantity| i64::from(quantity) != line.quantity) {
        return Err(Error::OrderState("the loading has begun: note what was loaded"));
    }
    if let Some(loaded) = change.loaded {
        let loaded = i64::from(loaded);
        if loaded > line.quantity {
            let problem = format!("must be {} at most, as surveyed", line.quantity);
            return Err(Error::invalid(format!("{field}.loaded"), problem));
        }
        line.loaded = Some(loaded);
    }
    describe_line(field, line, change)
}

fn describe_line(field: &str, line: &mut InventoryLine, change: &LineChange) -> Result<(), Error> {
    line.fragile = change.fragile.unwrap_or(line.fragile);
    if !change.packed_by.is_empty() {
        line.packed_by = PackedBy::parse(field, &change.packed_by)?;
    }
    if !change.condition.is_empty() {
        line.condition = Some(GoodsCondition::parse(field, &change.condition)?);
    }
    if !change.label.is_empty() {
        line.label.clone_from(&change.label);
    }
    Ok(())
}

fn new_line(field: &str, change: &LineChange, tables: &MoveTables) -> Result<InventoryLine, Error> {
    if change.code.is_empty() {
        let problem = "must be given for a new line";
        return Err(Error::invalid(format!("{field}.code"), problem));
    }
    let given = GivenItem {
        code: &change.code,
        quantity: change.quantity.unwrap_or(1),
        volume_l: change.volume_l,
        weight_kg: change.weight_kg,
        stackable: change.stackable,
        fragile: change.fragile.unwrap_or_default(),
        packed_by: &change.packed_by,
        label: &change.label,
    };
    let mut line = tables.read_item(field, change.n, &given)?;
    describe_line(field, &mut line, change)?;
    Ok(line)
}

#[cfg(test)]
mod tests;
