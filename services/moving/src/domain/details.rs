//! Details: what is asked for, checked as a whole.

use super::{
    inventory::{InventoryLine, PackedBy},
    tables::{GoodsClass, MoveTables},
};
use serde::{Deserialize, Serialize};
use vertical::{Error, Place};

/// The code of goods that the tables do not know.
pub const OTHER: &str = "other";

/// What the price of a move rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceBasis {
    /// The price is what was quoted, whatever is there in the end.
    Binding,
    /// The price follows what was loaded, up to the cap at the door.
    Estimate,
}

impl PriceBasis {
    /// Reads a basis; empty means a binding price.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "binding" => Ok(Self::Binding),
            "estimate" => Ok(Self::Estimate),
            _ => Err(Error::invalid("details.basis", "must be binding or estimate")),
        }
    }

    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binding => "binding",
            Self::Estimate => "estimate",
        }
    }
}

/// Who packs the goods of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// The customer packs everything.
    Eco,
    /// The crew packs what is fragile.
    Standard,
    /// The crew packs everything.
    Full,
}

impl Packing {
    /// Reads a formula; empty leaves the packing to the customer.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "eco" => Ok(Self::Eco),
            "standard" => Ok(Self::Standard),
            "full" => Ok(Self::Full),
            _ => Err(Error::invalid("details.packing", "must be eco, standard or full")),
        }
    }
}

/// How goods get into a home or out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeAccess {
    /// The floor; 0 is the ground floor.
    pub floor: i64,
    pub lift: bool,
    /// Metres between the truck and the door.
    pub carry_m: i64,
    /// Whether the street has to be kept free by a permit.
    pub permit: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct MoveInputs {
    pub lines: Vec<InventoryLine>,
    pub basis: PriceBasis,
    /// The home that the goods leave.
    pub from: HomeAccess,
    /// The home that they go to.
    pub to: HomeAccess,
    pub destination: Place,
    pub packing: Packing,
    /// What the goods are worth, in minor units.
    pub declared_value: i64,
}

/// Goods of one kind as they were given.
#[derive(Clone, Debug)]
pub struct GivenItem<'a> {
    pub code: &'a str,
    pub quantity: i32,
    pub volume_l: i32,
    pub weight_kg: i32,
    pub stackable: bool,
    pub fragile: bool,
    pub packed_by: &'a str,
    pub label: &'a str,
}

impl MoveTables {
    /// The line number `n` of what was given in `field`. Litres and kilograms of known codes are those of the tables.
    pub fn read_item(
        &self,
        field: &str,
        n: u32,
        given: &GivenItem<'_>,
    ) -> Result<InventoryLine, Error> {
        let class = self.class_of(field, given)?;
        Ok(line_of(n, given, class, PackedBy::parse(field, given.packed_by)?))
    }

    /// As [`MoveTables::read_item`] for what was accepted before: goods that the tables do not know any more are as they
    /// were given.
    pub fn accept_item(&self, n: u32, given: &GivenItem<'_>) -> InventoryLine {
        let known = self.goods.get(given.code).copied();
        let packed_by = PackedBy::parse("packed_by", given.packed_by).unwrap_or(PackedBy::Owner);
        line_of(n, given, known.unwrap_or_else(|| given.own_class()), packed_by)
    }

    fn class_of(&self, field: &str, given: &GivenItem<'_>) -> Result<GoodsClass, Error> {
        if given.code == OTHER {
            if given.volume_l == 0 {
                let problem = "must be given for what has no code";
                return Err(Error::invalid(format!("{field}.volume_l"), problem));
            }
            return Ok(given.own_class());
        }
        let Some(class) = self.goods.get(given.code) else {
            let problem = "is not known: take `other`, with volume_l and weight_kg";
            return Err(Error::invalid(format!("{field}.code"), problem));
        };
        let superfluous = match given {
            GivenItem { volume_l: 1.., .. } => "volume_l",
            GivenItem { weight_kg: 1.., .. } => "weight_kg",
            GivenItem { stackable: true, .. } => "stackable",
            _ => return Ok(*class),
        };
        let problem = "follows from the code: leave it out, or take `other`";
        Err(Error::invalid(format!("{field}.{superfluous}"), problem))
    }
}

impl GivenItem<'_> {
    /// What the goods take, as their owner says.
    fn own_class(&self) -> GoodsClass {
        GoodsClass {
            volume_l: self.volume_l.into(),
            weight_kg: self.weight_kg.into(),
            stackable: self.stackable,
        }
    }
}

fn line_of(n: u32, given: &GivenItem<'_>, class: GoodsClass, packed_by: PackedBy) -> InventoryLine {
    InventoryLine {
        n,
        code: given.code.to_owned(),
        quantity: given.quantity.into(),
        volume_l: class.volume_l,
        weight_kg: class.weight_kg,
        stackable: class.stackable,
        fragile: given.fragile,
        packed_by,
        condition: None,
        loaded: None,
        label: given.label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(code: &'static str, volume_l: i32) -> GivenItem<'static> {
        GivenItem {
            code,
            quantity: 2,
            volume_l,
            weight_kg: 0,
            stackable: false,
            fragile: false,
            packed_by: "",
            label: "",
        }
    }

    #[test]
    fn what_goods_take_follows_from_their_code() {
        let tables = MoveTables::default();
        let sofa = tables.read_item("details.items[0]", 1, &given("sofa", 0)).unwrap();
        assert_eq!((sofa.n, sofa.quantity, sofa.stackable), (1, 2, false));
        assert_eq!(sofa.volume_l, tables.goods["sofa"].volume_l);
        let own = tables.read_item("details.items[0]", 2, &given("other", 400)).unwrap();
        assert_eq!((own.n, own.volume_l, own.weight_kg), (2, 400, 0));
        assert_eq!(tables.accept_item(3, &given("throne", 700)).volume_l, 700);
        assert_eq!(tables.accept_item(3, &given("sofa", 0)).volume_l, sofa.volume_l);
    }

    #[test]
    fn goods_that_do_not_fit_the_tables_name_their_field() {
        let tables = MoveTables::default();
        let heavy = GivenItem { weight_kg: 9, ..given("sofa", 0) };
        let flat = GivenItem { stackable: true, ..given("sofa", 0) };
        let packed = GivenItem { packed_by: "thieves", ..given("sofa", 0) };
        for (item, field) in [
            (given("throne", 0), "code"),
            (given("other", 0), "volume_l"),
            (given("sofa", 5), "volume_l"),
            (heavy, "weight_kg"),
            (flat, "stackable"),
            (packed, "packed_by"),
        ] {
            let error = tables.read_item("details.items[7]", 8, &item).unwrap_err().to_string();
            assert!(error.contains(&format!("details.items[7].{field}")), "{error}");
        }
    }

    #[test]
    fn words_are_read_and_others_refused() {
        assert_eq!(PriceBasis::parse("").unwrap(), PriceBasis::Binding);
        for basis in [PriceBasis::Binding, PriceBasis::Estimate] {
            assert_eq!(PriceBasis::parse(basis.name()).unwrap(), basis);
        }
        assert!(PriceBasis::parse("guess").unwrap_err().to_string().contains("details.basis"));
        for (text, packing) in [
            ("", Packing::Eco),
            ("eco", Packing::Eco),
            ("standard", Packing::Standard),
            ("full", Packing::Full),
        ] {
            assert_eq!(Packing::parse(text).unwrap(), packing);
        }
        assert!(Packing::parse("none").unwrap_err().to_string().contains("details.packing"));
    }
}
