//! Addresses that an account keeps.

use super::{Address, Error, mask};
use crate::domain::records::address::PostalAddress;

/// Most addresses of an account.
pub const MOST: u64 = 50;

/// Whether an account with `count` addresses may keep one more.
pub fn check_room(count: u64) -> Result<(), Error> {
    if count < MOST { Ok(()) } else { Err(Error::AddressLimit(MOST)) }
}

/// Refuses an address whose position lies in another country than it says. `field` is where the request has it.
pub fn check_country(place: &PostalAddress, field: &'static str) -> Result<(), Error> {
    match kit::values::place::lies_in(&place.country, place.lat, place.lng) {
        true => Ok(()),
        false => Err(Error::Invalid { field, problem: "must be the country of the position" }),
    }
}

/// What the owner changes of an address.
pub struct Changes {
    /// What to call it.
    pub label: String,
    /// The address, whole.
    pub place: Option<PostalAddress>,
}

impl Changes {
    const FIELDS: [&'static str; 9] = [
        "label",
        "address",
        "address.lines",
        "address.postcode",
        "address.city",
        "address.country",
        "address.lat",
        "address.lng",
        "address.access_notes",
    ];

    /// Writes the fields that `paths` names into `address`.
    pub fn apply(self, paths: &[String], address: &mut Address) -> Result<(), Error> {
        let fields = if paths.is_empty() {
            let label = (!self.label.is_empty()).then_some("label");
            label.into_iter().chain(self.place.is_some().then_some("address")).collect()
        } else {
            mask::known_fields(paths, &Self::FIELDS)?
        };
        let asks_for_place = fields.iter().any(|field| *field != "label");
        let place = match self.place {
            Some(place) => place,
            None if asks_for_place => {
                return Err(Error::Invalid { field: "changes.address", problem: "must be given" });
            }
            None => address.address.clone(),
        };
        for field in fields {
            let kept = &mut address.address;
            match field {
                "label" => address.label.clone_from(&self.label),
                "address" => kept.clone_from(&place),
                "address.lines" => kept.lines.clone_from(&place.lines),
                "address.postcode" => kept.postcode.clone_from(&place.postcode),
                "address.city" => kept.city.clone_from(&place.city),
                "address.country" => kept.country.clone_from(&place.country),
                "address.lat" => kept.lat = place.lat,
                "address.lng" => kept.lng = place.lng,
                "address.access_notes" => kept.access_notes.clone_from(&place.access_notes),
                _ => {}
            }
        }
        // What was saved before there was a map may still be called otherwise.
        if asks_for_place {
            check_country(&address.address, "changes.address.country")
        } else {
            Ok(())
        }
    }
}
