//! What is asked for, as the rules read it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vertical::Error;

/// What kind of repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Plumbing,
    Electrics,
    Appliance,
    Heating,
    Locksmith,
    Handyman,
}

impl Category {
    pub const ALL: [Self; 6] = [
        Self::Plumbing,
        Self::Electrics,
        Self::Appliance,
        Self::Heating,
        Self::Locksmith,
        Self::Handyman,
    ];

    /// Reads a category.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|category| category.code() == text);
        found.ok_or_else(|| Error::invalid("details.category", "is not a category of repairs"))
    }

    /// Its name in contracts and skills.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Plumbing => "plumbing",
            Self::Electrics => "electrics",
            Self::Appliance => "appliance",
            Self::Heating => "heating",
            Self::Locksmith => "locksmith",
            Self::Handyman => "handyman",
        }
    }
}

/// How soon the repairer is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    Normal,
    Today,
    Urgent,
}

impl Urgency {
    pub const ALL: [Self; 3] = [Self::Normal, Self::Today, Self::Urgent];

    /// Reads an urgency; none is the normal one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "normal" => Ok(Self::Normal),
            "today" => Ok(Self::Today),
            "urgent" => Ok(Self::Urgent),
            _ => Err(Error::invalid("details.urgency", "is not an urgency of repairs")),
        }
    }
}

/// What is to be repaired, as far as the customer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairedItem {
    /// One of the customer's own appliances.
    Owned(Uuid),
    /// An appliance that is described.
    Described { brand: String, model: String, serial: String },
    /// Something without a name, such as a tap.
    Unnamed,
}

/// How a request describes what is to be repaired; all of it may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedItem<'a> {
    pub appliance_id: Option<Uuid>,
    pub brand: &'a str,
    pub model: &'a str,
    pub serial: &'a str,
}

impl RepairedItem {
    /// Reads what is to be repaired. An appliance has a name.
    pub fn parse(category: Category, given: NamedItem<'_>) -> Result<Self, Error> {
        let NamedItem { appliance_id, brand, model, serial } = given;
        if let Some(id) = appliance_id {
            let described = [("brand", brand), ("model", model), ("serial", serial)];
            return match described.into_iter().find(|(_, text)| !text.is_empty()) {
                None => Ok(Self::Owned(id)),
                Some((field, _)) => {
                    let problem = "must be left out where there is an appliance_id";
                    Err(Error::invalid(format!("details.{field}"), problem))
                }
            };
        }
        if !brand.is_empty() {
            let [brand, model, serial] = [brand, model, serial].map(str::to_owned);
            return Ok(Self::Described { brand, model, serial });
        }
        if category == Category::Appliance {
            let problem = "or the brand of the appliance must be given";
            return Err(Error::invalid("details.appliance_id", problem));
        }
        match [("model", model), ("serial", serial)].into_iter().find(|(_, text)| !text.is_empty())
        {
            None => Ok(Self::Unnamed),
            Some((field, _)) => {
                Err(Error::invalid(format!("details.{field}"), "must come with a brand"))
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairInputs {
    pub category: Category,
    pub item: RepairedItem,
    pub urgency: Urgency,
}

impl RepairInputs {
    /// Whether both are about the same thing of the customer's.
    pub fn repairs_same_item(&self, other: &Self) -> bool {
        self.category == other.category && self.item == other.item
    }
}

/// The skill of those who carry parts of a brand: `repair.brand.de_longhi`. None where the brand has no letter or digit of
/// the Latin alphabet, of which skills are made.
pub fn brand_skill(brand: &str) -> Option<String> {
    let words: Vec<String> = brand
        .to_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    (!words.is_empty()).then(|| format!("repair.brand.{}", words.join("_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described<'a>(brand: &'a str, model: &'a str, serial: &'a str) -> NamedItem<'a> {
        NamedItem { appliance_id: None, brand, model, serial }
    }

    #[test]
    fn an_appliance_is_owned_or_described_and_a_tap_needs_no_name() {
        let id = Uuid::from_u128(7);
        let owned = NamedItem { appliance_id: Some(id), ..NamedItem::default() };
        assert_eq!(
            RepairedItem::parse(Category::Appliance, owned).unwrap(),
            RepairedItem::Owned(id)
        );
        let bosch =
            RepairedItem::parse(Category::Appliance, described("Bosch", "WAN28", "")).unwrap();
        let (brand, model) = ("Bosch".to_owned(), "WAN28".to_owned());
        assert_eq!(bosch, RepairedItem::Described { brand, model, serial: String::new() });
        let tap = RepairedItem::parse(Category::Plumbing, NamedItem::default()).unwrap();
        assert_eq!(tap, RepairedItem::Unnamed);
        for (category, given, field) in [
            (Category::Appliance, NamedItem::default(), "details.appliance_id"),
            (Category::Plumbing, described("", "WAN28", ""), "details.model"),
            (Category::Plumbing, described("", "", "S-1"), "details.serial"),
            (Category::Appliance, NamedItem { brand: "Bosch", ..owned }, "details.brand"),
            (Category::Appliance, NamedItem { serial: "S-1", ..owned }, "details.serial"),
        ] {
            let error = RepairedItem::parse(category, given).unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }

    #[test]
    fn the_same_item_is_of_the_same_category_too() {
        let inputs = |category, item| RepairInputs { category, item, urgency: Urgency::Normal };
        let owned = |id| RepairedItem::Owned(Uuid::from_u128(id));
        let washer = inputs(Category::Appliance, owned(1));
        let again = RepairInputs { urgency: Urgency::Urgent, ..washer.clone() };
        assert!(washer.repairs_same_item(&again));
        assert!(!washer.repairs_same_item(&inputs(Category::Appliance, owned(2))));
        assert!(!washer.repairs_same_item(&inputs(Category::Electrics, owned(1))));
    }

    #[test]
    fn a_brand_makes_a_skill() {
        for (brand, skill) in [
            ("Bosch", Some("repair.brand.bosch")),
            ("De'Longhi", Some("repair.brand.de_longhi")),
            ("AEG / Electrolux", Some("repair.brand.aeg_electrolux")),
            ("ÉÈ", None),
        ] {
            assert_eq!(brand_skill(brand).as_deref(), skill, "{brand}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for category in Category::ALL {
            assert_eq!(Category::parse(category.code()).unwrap(), category);
        }
        assert!(Category::parse("painting").is_err());
        assert_eq!(Urgency::parse("").unwrap(), Urgency::Normal);
        assert!(Urgency::parse("yesterday").is_err());
    }
}
