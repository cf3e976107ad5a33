//! Details: what is asked for, checked as a whole.

use serde::{Deserialize, Serialize};
use vertical::{Error, Place};

/// What kind of vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RideTier {
    Standard,
    Comfort,
    Van,
    Bike,
}

impl RideTier {
    pub const ALL: [Self; 4] = [Self::Standard, Self::Comfort, Self::Van, Self::Bike];

    /// Reads a tier; empty means the ordinary one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "standard" => Ok(Self::Standard),
            "comfort" => Ok(Self::Comfort),
            "van" => Ok(Self::Van),
            "bike" => Ok(Self::Bike),
            _ => Err(Error::invalid("details.tier", "must be standard, comfort, van or bike")),
        }
    }
}

/// What happens to a parcel that no one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undeliverable {
    /// It comes back to the pick-up.
    Return,
    /// It is left at the stop.
    Leave,
}

impl Undeliverable {
    /// Reads what shall happen; empty means that the parcel comes back.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "return" => Ok(Self::Return),
            "leave" => Ok(Self::Leave),
            _ => Err(Error::invalid("details.parcel.undeliverable", "must be return or leave")),
        }
    }
}

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// People and what they have with them.
    People(Passengers),
    /// A parcel, with no one to watch over it.
    Parcel(ParcelSize),
}

/// The people of a ride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passengers {
    /// How many seats they take.
    pub seats: i32,
    /// How many bags they have.
    pub bags: i64,
}

/// A parcel, as far as vehicles mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParcelSize {
    /// Its weight in kilograms, rounded up.
    pub kg: i32,
    pub longest_cm: i32,
    /// What happens when no one takes it.
    pub undeliverable: Undeliverable,
}

/// The fields of a ride that a parcel has no use for, as they were given.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenPassengers {
    pub passengers: i32,
    pub luggage: i32,
    pub child_seats: i32,
    pub pet: bool,
}

/// A parcel as it was given.
#[derive(Clone, Copy, Debug)]
pub struct GivenParcel<'a> {
    pub kg: f64,
    pub longest_cm: i32,
    /// What shall happen when no one takes it.
    pub undeliverable: &'a str,
}

impl Load {
    /// Reads what is carried: the fields must be those of its kind.
    pub fn parse(
        kind: &str,
        people: GivenPassengers,
        parcel: Option<GivenParcel<'_>>,
    ) -> Result<Self, Error> {
        match (kind, parcel) {
            ("ride", None) => Passengers::parse(people).map(Self::People),
            ("ride", Some(_)) => Err(Error::invalid("details.parcel", "must not come with a ride")),
            ("parcel", Some(parcel)) => {
                people.refuse_for_parcel()?;
                ParcelSize::parse(parcel).map(Self::Parcel)
            }
            ("parcel", None) => Err(Error::invalid("details.parcel", "must be given")),
            _ => Err(Error::invalid("details.kind", "must be ride or parcel")),
        }
    }

    /// What happens to it when no one takes it; none for people.
    pub const fn undeliverable(self) -> Option<Undeliverable> {
        match self {
            Self::People(_) => None,
            Self::Parcel(parcel) => Some(parcel.undeliverable),
        }
    }
}

impl GivenPassengers {
    fn refuse_for_parcel(self) -> Result<(), Error> {
        let field = match self {
            Self { passengers: 1.., .. } => "details.passengers",
            Self { luggage: 1.., .. } => "details.luggage",
            Self { child_seats: 1.., .. } => "details.child_seats",
            Self { pet: true, .. } => "details.pet",
            _ => return Ok(()),
        };
        Err(Error::invalid(field, "must not come with a parcel"))
    }
}

impl Passengers {
    fn parse(given: GivenPassengers) -> Result<Self, Error> {
        let seats = given.passengers.max(1);
        if given.child_seats > seats {
            let problem = format!("must not be more than the {seats} who ride");
            return Err(Error::invalid("details.child_seats", problem));
        }
        Ok(Self { seats, bags: given.luggage.into() })
    }
}

impl ParcelSize {
    fn parse(given: GivenParcel<'_>) -> Result<Self, Error> {
        #[expect(clippy::cast_possible_truncation, reason = "the contract allows 50 at most")]
        let kg = given.kg.ceil() as i32;
        Ok(Self {
            kg,
            longest_cm: given.longest_cm,
            undeliverable: Undeliverable::parse(given.undeliverable)?,
        })
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RideInputs {
    /// What is carried.
    pub load: Load,
    /// What kind of vehicle.
    pub tier: RideTier,
    /// Where to go from the pick-up on, in this order.
    pub stops: Vec<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(undeliverable: &str) -> Option<GivenParcel<'_>> {
        Some(GivenParcel { kg: 2.2, longest_cm: 60, undeliverable })
    }

    fn given(passengers: i32, child_seats: i32) -> GivenPassengers {
        GivenPassengers { passengers, child_seats, ..GivenPassengers::default() }
    }

    #[test]
    fn a_load_has_the_fields_of_its_kind() {
        let one = Load::parse("ride", given(0, 1), None).unwrap();
        assert_eq!(one, Load::People(Passengers { seats: 1, bags: 0 }));
        assert_eq!(one.undeliverable(), None);
        let size = ParcelSize { kg: 3, longest_cm: 60, undeliverable: Undeliverable::Return };
        let box_of_wine = Load::parse("parcel", GivenPassengers::default(), parcel("")).unwrap();
        assert_eq!(box_of_wine, Load::Parcel(size));
        let left = Load::parse("parcel", GivenPassengers::default(), parcel("leave")).unwrap();
        assert_eq!(left.undeliverable(), Some(Undeliverable::Leave));
    }

    #[test]
    fn a_field_of_the_other_kind_is_refused() {
        let bags = GivenPassengers { luggage: 1, ..GivenPassengers::default() };
        let pet = GivenPassengers { pet: true, ..GivenPassengers::default() };
        let none = GivenPassengers::default();
        for (kind, people, parcel, field) in [
            ("ride", none, parcel(""), "details.parcel"),
            ("parcel", none, None, "details.parcel"),
            ("parcel", given(1, 0), parcel(""), "details.passengers"),
            ("parcel", given(0, 1), parcel(""), "details.child_seats"),
            ("parcel", bags, parcel(""), "details.luggage"),
            ("parcel", pet, parcel(""), "details.pet"),
            ("parcel", none, parcel("burn"), "details.parcel.undeliverable"),
            ("ride", given(2, 3), None, "details.child_seats"),
            ("walk", none, None, "details.kind"),
        ] {
            let error = Load::parse(kind, people, parcel).unwrap_err().to_string();
            assert!(error.contains(field), "{kind}: {error}");
        }
    }
}
