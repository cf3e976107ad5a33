//! What follows from where an order's work happens: the clock that counts there, and the country.

use super::{Address, Error};
use chrono_tz::Tz;
use kit::values::place;

impl Address {
    /// The zone of the clocks at this place.
    pub fn zone(&self) -> Tz {
        place::zone_at(self.lat, self.lng)
    }

    /// Refuses an address whose position lies in another country than it says: prices and taxes follow the country.
    pub fn check_country(&self) -> Result<(), Error> {
        if place::lies_in(&self.country, self.lat, self.lng) {
            return Ok(());
        }
        let problem = match place::country_at(self.lat, self.lng) {
            Some(country) => format!("must be {country}, where the position of the address lies"),
            None => "does not fit the position of the address, which lies in no country".to_owned(),
        };
        Err(kit::Error::invalid("address.country", problem).into())
    }
}
