//! The life of a profile: vetted, booked, paused, blocked, gone.

use super::{Error, MAX_ENTRIES, Provider, ProviderId, block, calendar, geo::GeoPlace};
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Where a profile stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Waits for an operator.
    #[sea_orm(string_value = "APPLIED")]
    Applied,
    /// Is being vetted.
    #[sea_orm(string_value = "IN_REVIEW")]
    InReview,
    /// May be booked.
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    /// Takes no bookings by its own wish.
    #[sea_orm(string_value = "PAUSED")]
    Paused,
    /// Takes no bookings by an operator's decision.
    #[sea_orm(string_value = "BLOCKED")]
    Blocked,
    #[sea_orm(string_value = "OFFBOARDED")]
    Offboarded,
}

/// What can be done to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileAction {
    /// An operator takes up the application.
    StartReview,
    /// An operator lets it be booked.
    Approve,
    /// The owner takes no bookings.
    Pause,
    /// The owner takes bookings again.
    Resume,
    /// A reason keeps it from being booked, or another one or another end of it comes to it.
    Block,
    /// The last block ends: the profile goes back where it stood.
    Unblock {
        /// Where it stood.
        to: State,
    },
    /// The profile or what belongs to it is edited.
    Change,
    Offboard,
}

impl ProfileAction {
    /// The name under which clients know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartReview => "startReview",
            Self::Approve => "approve",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Block => "block",
            Self::Unblock { .. } => "unblock",
            Self::Change => "change",
            Self::Offboard => "offboard",
        }
    }
}

impl State {
    /// The whole life of a profile.
    pub fn transition(self, action: ProfileAction) -> Result<Self, Error> {
        use State::{Active, Applied, Blocked, InReview, Offboarded, Paused};
        match (self, action) {
            (Applied, ProfileAction::StartReview) => Ok(InReview),
            (InReview, ProfileAction::Approve) | (Paused, ProfileAction::Resume) => Ok(Active),
            (Active, ProfileAction::Pause) => Ok(Paused),
            (Applied | InReview | Active | Paused | Blocked, ProfileAction::Block) => Ok(Blocked),
            (Blocked, ProfileAction::Unblock { to }) => Ok(to),
            (Applied | InReview | Active | Paused | Blocked, ProfileAction::Change) => Ok(self),
            (Applied | InReview | Active | Paused | Blocked, ProfileAction::Offboard) => {
                Ok(Offboarded)
            }
            (Applied | InReview | Active | Paused | Blocked | Offboarded, action) => {
                Err(Error::ProviderState { state: self, action })
            }
        }
    }

    /// Names of the actions that the state allows.
    pub fn allowed_actions(self) -> Vec<&'static str> {
        let actions = [
            ProfileAction::StartReview,
            ProfileAction::Approve,
            ProfileAction::Pause,
            ProfileAction::Resume,
            ProfileAction::Block,
            ProfileAction::Unblock { to: Self::Active },
            ProfileAction::Offboard,
        ];
        let allowed = actions.into_iter().filter(|action| self.transition(*action).is_ok());
        allowed.map(ProfileAction::name).collect()
    }
}

/// Who renders the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ProviderKind {
    #[sea_orm(string_value = "SOLO")]
    Solo,
    #[sea_orm(string_value = "COMPANY")]
    Company,
}

/// Outcome of a background check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum BackgroundCheck {
    /// Has no outcome yet.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "CLEAR")]
    Clear,
    /// Found something to weigh.
    #[sea_orm(string_value = "CONSIDER")]
    Consider,
    #[sea_orm(string_value = "SUSPENDED")]
    Suspended,
    #[sea_orm(string_value = "DISPUTED")]
    Disputed,
}

#[derive(Clone, Debug)]
pub struct Application {
    /// Who renders the services.
    pub kind: ProviderKind,
    /// Name that customers see.
    pub name: String,
    /// What the provider says of itself.
    pub bio: String,
    pub city: String,
    pub country: String,
    /// Zone of the working hours.
    pub zone: Tz,
}

/// A change of what a profile says; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Name that customers see.
    pub name: Option<String>,
    /// What the provider says of itself.
    pub bio: Option<String>,
    pub city: Option<String>,
    /// Zone of the working hours.
    pub zone: Option<Tz>,
}

/// The form in which towns are compared: in lower case and composed (NFC), however they are typed.
pub fn city_key(city: &str) -> String {
    city.trim().nfc().collect::<String>().to_lowercase()
}

/// The zone that a profile's row names; UTC for a name that is not known any more.
pub fn zone_named(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

impl Provider {
    /// The profile of a new application.
    pub fn apply(id: ProviderId, user_id: Uuid, new: Application, now: DateTime<Utc>) -> Self {
        let mut provider = Self {
            id,
            user_id,
            kind: new.kind,
            name: new.name,
            bio: new.bio,
            city_key: city_key(&new.city),
            city: new.city,
            country: new.country,
            time_zone: new.zone.name().to_owned(),
            state: State::Applied,
            before_block: None,
            blocks: block::Blocks::default(),
            background_check: BackgroundCheck::Pending,
            weekly: calendar::Weekly::default(),
            exceptions: calendar::Exceptions::default(),
            stars_sum: 0,
            reviews: 0,
            accepted: 0,
            declined: 0,
            cancelled: 0,
            arrivals: 0,
            on_time: 0,
            completed: 0,
            score: 0,
            standing: 1,
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        };
        provider.rescore();
        provider
    }

    /// The zone of its working hours.
    pub fn zone(&self) -> Tz {
        zone_named(&self.time_zone)
    }

    /// When it works, but for its time off.
    pub fn usual_calendar(&self) -> calendar::Calendar {
        calendar::Calendar {
            zone: self.zone(),
            weekly: self.weekly.clone(),
            exceptions: self.exceptions.clone(),
            time_off: Vec::new(),
        }
    }

    /// Whether strangers may see it.
    pub fn is_public(&self) -> bool {
        matches!(self.state, State::Active | State::Paused)
    }

    /// Moves it along.
    pub fn act(&mut self, action: ProfileAction) -> Result<(), Error> {
        if action == ProfileAction::Approve && self.background_check != BackgroundCheck::Clear {
            self.state.transition(action)?;
            return Err(Error::BackgroundCheckNotClear);
        }
        self.state = self.state.transition(action)?;
        Ok(())
    }

    /// Notes the outcome of its background check. True when it was clear and is so no more.
    pub fn set_background_check(&mut self, check: BackgroundCheck) -> bool {
        let was_clear = self.background_check == BackgroundCheck::Clear;
        self.background_check = check;
        was_clear && check != BackgroundCheck::Clear
    }

    /// Changes what it says.
    pub fn change(&mut self, change: Change) -> Result<(), Error> {
        self.act(ProfileAction::Change)?;
        let Change { name, bio, city, zone } = change;
        if let Some(name) = name {
            self.name = name;
        }
        if let Some(bio) = bio {
            self.bio = bio;
        }
        if let Some(city) = city {
            self.city_key = city_key(&city);
            self.city = city;
        }
        if let Some(zone) = zone {
            self.time_zone = zone.name().to_owned();
        }
        Ok(())
    }

    /// Refuses to change what belongs to a provider who has left.
    pub fn check_changeable(&self) -> Result<(), Error> {
        self.state.transition(ProfileAction::Change).map(|_| ())
    }

    /// Refuses an area whose centre is not in the country of the profile.
    pub fn check_area(&self, centre: GeoPlace) -> Result<(), Error> {
        if kit::values::place::lies_in(&self.country, centre.lat, centre.lng) {
            return Ok(());
        }
        let problem =
            format!("must have its centre in {}, the country of the profile", self.country);
        Err(Error::invalid("area", problem))
    }

    /// Replaces the weekly hours, and the zone they are meant in when one is given.
    pub fn replace_hours(
        &mut self,
        weekly: calendar::Weekly,
        zone: Option<Tz>,
    ) -> Result<(), Error> {
        self.check_changeable()?;
        self.weekly = weekly;
        if let Some(zone) = zone {
            self.time_zone = zone.name().to_owned();
        }
        Ok(())
    }

    /// Gives a date hours of its own, or takes them back. Exceptions of dates long past are dropped on the way.
    pub fn set_date_exception(
        &mut self,
        date: NaiveDate,
        hours: Option<Vec<calendar::Hours>>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.check_changeable()?;
        let exceptions = &mut self.exceptions.0;
        let long_ago = now.date_naive() - Days::new(30);
        exceptions.retain(|date, _| *date >= long_ago);
        exceptions.remove(&date);
        if let Some(hours) = hours {
            if exceptions.len() as u64 >= MAX_ENTRIES {
                return Err(Error::TooMany(MAX_ENTRIES));
            }
            exceptions.insert(date, hours);
        }
        Ok(())
    }

    /// Forgets the person when the account is erased.
    pub fn erase(&mut self) {
        self.state = State::Offboarded;
        self.name = "Former provider".to_owned();
        self.bio.clear();
        self.city.clear();
        self.city_key.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{ProfileAction, State, city_key};
    use sea_orm::Iterable;

    #[test]
    fn a_town_is_one_however_it_is_typed() {
        for city in ["Orléans", " orle\u{301}ans", "ORLÉANS"] {
            assert_eq!(city_key(city), "orléans");
        }
    }

    #[test]
    fn every_state_allows_what_its_row_says() {
        use State::{Active, Applied, Blocked, InReview, Offboarded, Paused};
        let table: [(State, &[(ProfileAction, State)]); 6] = [
            (
                Applied,
                &[
                    (ProfileAction::StartReview, InReview),
                    (ProfileAction::Block, Blocked),
                    (ProfileAction::Offboard, Offboarded),
                ],
            ),
            (
                InReview,
                &[
                    (ProfileAction::Approve, Active),
                    (ProfileAction::Block, Blocked),
                    (ProfileAction::Offboard, Offboarded),
                ],
            ),
            (
                Active,
                &[
                    (ProfileAction::Pause, Paused),
                    (ProfileAction::Block, Blocked),
                    (ProfileAction::Offboard, Offboarded),
                ],
            ),
            (
                Paused,
                &[
                    (ProfileAction::Resume, Active),
                    (ProfileAction::Block, Blocked),
                    (ProfileAction::Offboard, Offboarded),
                ],
            ),
            (
                Blocked,
                &[
                    (ProfileAction::Block, Blocked),
                    (ProfileAction::Unblock { to: Paused }, Paused),
                    (ProfileAction::Offboard, Offboarded),
                ],
            ),
            (Offboarded, &[]),
        ];
        let actions = [
            ProfileAction::StartReview,
            ProfileAction::Approve,
            ProfileAction::Pause,
            ProfileAction::Resume,
            ProfileAction::Block,
            ProfileAction::Unblock { to: Paused },
            ProfileAction::Offboard,
        ];
        for state in State::iter() {
            let stays = (state != Offboarded).then_some(state);
            assert_eq!(state.transition(ProfileAction::Change).ok(), stays);
        }
        assert_eq!(table.len(), State::iter().count());
        for (state, allowed) in table {
            for action in actions {
                let expected = allowed.iter().find(|(a, _)| *a == action).map(|(_, next)| *next);
                assert_eq!(state.transition(action).ok(), expected, "{state:?} {action:?}");
            }
        }
    }
}
