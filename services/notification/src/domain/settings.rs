//! How an account wants to be told.

use super::{
    Error, Settings,
    quiet::{QuietTimes, minutes_of},
};
use kit::storage::version;
use uuid::Uuid;

/// Preferences, as a request asks for them.
pub struct Preferences {
    /// Whether routine e-mail is wanted.
    pub email: bool,
    /// Language, or empty to follow the account.
    pub locale: String,
    /// The version that the caller saw; 0 for any.
    pub version: i64,
}

/// Quiet hours, as a request asks for them.
pub struct QuietHours {
    /// The hours, or none.
    pub hours: Option<QuietTimes>,
    /// Their zone, or empty to follow the account.
    pub time_zone: String,
    /// The version that the caller saw; 0 for any.
    pub version: i64,
}

/// Reads a time of the day in minutes since midnight.
fn parse_time(field: &str, text: &str) -> Result<i16, kit::Error> {
    minutes_of(text).ok_or_else(|| kit::Error::invalid(field, "must be a time such as 22:00"))
}

impl QuietHours {
    /// Reads quiet hours; those that are off may leave their times out.
    pub fn parse(
        enabled: bool,
        from: &str,
        to: &str,
        time_zone: String,
        version: i64,
    ) -> Result<Self, Error> {
        if !time_zone.is_empty() {
            kit::values::time::zone("quiet_hours.time_zone", &time_zone)?;
        }
        let mut hours = None;
        if enabled {
            let given = QuietTimes {
                from: parse_time("quiet_hours.from", from)?,
                to: parse_time("quiet_hours.to", to)?,
            };
            if given.from == given.to {
                let problem = "must differ from the beginning";
                return Err(kit::Error::invalid("quiet_hours.to", problem).into());
            }
            hours = Some(given);
        }
        Ok(Self { hours, time_zone, version })
    }
}

impl Settings {
    /// What holds for an account that has said nothing.
    pub const fn of(user_id: Uuid) -> Self {
        Self {
            user_id,
            email: true,
            locale: String::new(),
            preferences_version: 1,
            quiet: false,
            quiet_from: 0,
            quiet_to: 0,
            time_zone: String::new(),
            quiet_version: 1,
        }
    }

    /// The quiet hours, if there are any.
    pub const fn quiet_hours(&self) -> Option<QuietTimes> {
        if self.quiet {
            Some(QuietTimes { from: self.quiet_from, to: self.quiet_to })
        } else {
            None
        }
    }

    /// Replaces the quiet hours. The times of those that are off are forgotten.
    pub fn set_quiet_hours(&mut self, hours: Option<QuietTimes>) {
        self.quiet = hours.is_some();
        let QuietTimes { from, to } = hours.unwrap_or(QuietTimes { from: 0, to: 0 });
        (self.quiet_from, self.quiet_to) = (from, to);
    }

    /// Takes over preferences as a new version.
    pub fn replace_preferences(&mut self, new: Preferences) -> Result<(), Error> {
        let Preferences { email, locale, version } = new;
        version::expect_version(version, self.preferences_version)?;
        (self.email, self.locale) = (email, locale);
        self.preferences_version += 1;
        Ok(())
    }

    /// Takes over quiet hours as a new version.
    pub fn replace_quiet_hours(&mut self, new: QuietHours) -> Result<(), Error> {
        let QuietHours { hours, time_zone, version } = new;
        version::expect_version(version, self.quiet_version)?;
        self.set_quiet_hours(hours);
        self.time_zone = time_zone;
        self.quiet_version += 1;
        Ok(())
    }
}
