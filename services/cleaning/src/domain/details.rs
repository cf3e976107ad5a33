//! Details: what is asked for, checked as a whole.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use vertical::Error;

/// What kind of cleaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleaningType {
    /// What one does every week.
    Standard,
    /// What one does every year.
    Deep,
    /// Before the keys are handed over.
    MoveOut,
    /// Where people work.
    Office,
}

impl CleaningType {
    pub const ALL: [Self; 4] = [Self::Standard, Self::Deep, Self::MoveOut, Self::Office];

    /// Reads a type; empty means the ordinary one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "standard" => Ok(Self::Standard),
            "deep" => Ok(Self::Deep),
            "move_out" => Ok(Self::MoveOut),
            "office" => Ok(Self::Office),
            _ => Err(Error::invalid("details.type", "must be standard, deep, move_out or office")),
        }
    }
}

/// How often a place shall be cleaned, the most often first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    Weekly,
    /// Every other week.
    Biweekly,
    Monthly,
    /// This time only.
    Once,
}

impl Frequency {
    /// Reads a frequency; empty means once.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "weekly" => Ok(Self::Weekly),
            "biweekly" => Ok(Self::Biweekly),
            "monthly" => Ok(Self::Monthly),
            "" | "once" => Ok(Self::Once),
            _ => {
                let problem = "must be once, weekly, biweekly or monthly";
                Err(Error::invalid("details.frequency", problem))
            }
        }
    }
}

/// How large the place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// By its floor, in square metres.
    Area(i64),
    /// By its rooms.
    Rooms {
        /// Rooms, kitchen included.
        rooms: i64,
        bathrooms: i64,
    },
}

impl Size {
    /// Reads what was given: the area, or rooms and bathrooms.
    pub fn parse(
        area_m2: Option<i32>,
        rooms: Option<i32>,
        bathrooms: Option<i32>,
    ) -> Result<Self, Error> {
        match (area_m2, rooms, bathrooms) {
            (Some(area), None, None) => Ok(Self::Area(area.into())),
            (None, Some(rooms), bathrooms) => {
                let bathrooms = bathrooms.unwrap_or_default().into();
                Ok(Self::Rooms { rooms: rooms.into(), bathrooms })
            }
            (None, None, None) => {
                Err(Error::invalid("details.area_m2", "must be given, or else rooms"))
            }
            (Some(_), Some(_), _) => {
                Err(Error::invalid("details.rooms", "must not come with area_m2"))
            }
            (Some(_), None, Some(_)) => {
                Err(Error::invalid("details.bathrooms", "must not come with area_m2"))
            }
            (None, None, Some(_)) => {
                Err(Error::invalid("details.bathrooms", "must come with rooms"))
            }
        }
    }

    /// The field that says how large the place is.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Area(_) => "details.area_m2",
            Self::Rooms { .. } => "details.rooms",
        }
    }
}

/// When the customer says the place was cleaned before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastVisit {
    pub on: Option<NaiveDate>,
    /// The days from then to this visit.
    pub days_ago: Option<i64>,
}

/// Work beyond the ordinary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    pub code: String,
    pub quantity: i64,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// What kind of cleaning.
    pub kind: CleaningType,
    /// How large the place is.
    pub size: Size,
    /// Work beyond the ordinary, each once.
    pub extras: Vec<Extra>,
    pub frequency: Frequency,
    /// When it was cleaned before.
    pub last_visit: LastVisit,
    /// Whether the provider brings the supplies.
    pub bring_supplies: bool,
}

/// Reads extras: none comes twice, and a quantity that is not given is one.
pub fn parse_extras(given: impl Iterator<Item = (String, i32)>) -> Result<Vec<Extra>, Error> {
    let mut extras: Vec<Extra> = Vec::new();
    for (index, (code, quantity)) in given.enumerate() {
        if extras.iter().any(|extra| extra.code == code) {
            let field = format!("details.extras[{index}].code");
            return Err(Error::invalid(field, "is there twice"));
        }
        extras.push(Extra { code, quantity: i64::from(quantity.max(1)) });
    }
    Ok(extras)
}
