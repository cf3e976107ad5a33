//! An account: its status, its roles, and what may be written into it.

use super::{Error, User, UserId, code::Purpose, mask};
use chrono::{DateTime, Duration, Utc};
use email_address::{EmailAddress, Options};
use kit::{Role, rpc::caller::Roles};
use sea_orm::{DeriveActiveEnum, EnumIter};
use unicode_normalization::UnicodeNormalization;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Longest e-mail address, in bytes: what a mail server takes (RFC 5321 §4.5.3.1.3).
const MAX_EMAIL_BYTES: usize = 254;
/// The owner of an address hears of registrations that repeat it at most this often.
const NOTICE_INTERVAL: Duration = Duration::hours(1);
/// Name of an erased account.
const ERASED_NAME: &str = "—";
/// Language of messages when the account names none.
pub const LOCALE: &str = "fr";
/// Time zone when the account names none.
pub const TIME_ZONE: &str = "Europe/Paris";

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    /// It can sign in.
    #[sea_orm(string_value = "active")]
    Active,
    /// It cannot sign in until it is reinstated.
    #[sea_orm(string_value = "suspended")]
    Suspended,
    /// Its personal data is gone.
    #[sea_orm(string_value = "erased")]
    Erased,
    /// It stands for a registration of an address that had an account. It has no way to sign in.
    #[sea_orm(string_value = "duplicate")]
    Duplicate,
}

/// What happens to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountEvent {
    /// An operator closes it for a while.
    Suspend,
    /// An operator opens it again.
    Reinstate,
    /// Its owner ends it.
    Erase,
}

impl AccountEvent {
    const fn participle(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Reinstate => "reinstated",
            Self::Erase => "erased",
        }
    }
}

impl Status {
    /// The whole life of an account. An event that has happened already leaves it as it is.
    pub fn transition(self, event: AccountEvent) -> Result<Self, Error> {
        match (self, event) {
            (Self::Active | Self::Suspended, AccountEvent::Suspend) => Ok(Self::Suspended),
            (Self::Active | Self::Suspended, AccountEvent::Reinstate) => Ok(Self::Active),
            (Self::Active | Self::Suspended | Self::Erased, AccountEvent::Erase) => {
                Ok(Self::Erased)
            }
            (Self::Erased | Self::Duplicate, AccountEvent::Suspend | AccountEvent::Reinstate)
            | (Self::Duplicate, AccountEvent::Erase) => {
                Err(Error::Refused { status: self, action: event.participle() })
            }
        }
    }

    /// The status as errors name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Erased => "erased",
            Self::Duplicate => "duplicate",
        }
    }

    /// The status with its article.
    pub const fn described(self) -> &'static str {
        match self {
            Self::Active => "an active",
            Self::Suspended => "a suspended",
            Self::Erased => "an erased",
            Self::Duplicate => "a duplicate",
        }
    }
}

/// The role that a registration asks for. Registering as an operator is refused.
pub fn registered_role(word: &str) -> Result<Role, Error> {
    match word {
        "customer" | "client" => Ok(Role::Customer),
        "provider" | "prestataire" => Ok(Role::Provider),
        _ => Err(Error::Invalid {
            field: "role",
            problem: "must be one of customer, provider, client, prestataire",
        }),
    }
}

/// Roles as the bits of a column.
pub fn role_bits(roles: Roles) -> i16 {
    roles.iter().fold(0, |bits, role| bits | i16::from(role as u8))
}

/// The roles in the bits of a column.
pub fn roles_of(bits: i16) -> Roles {
    Role::ALL.into_iter().filter(|role| bits & i16::from(*role as u8) != 0).collect()
}

/// An e-mail address as accounts keep it: trimmed, composed (NFC) and in lower case, so that one mailbox is one account
/// however its address is typed.
pub fn parse_email(text: &str) -> Result<String, Error> {
    let email: String = text.trim().nfc().collect::<String>().to_lowercase().nfc().collect();
    let options =
        Options::default().without_display_text().without_domain_literal().with_required_tld();
    // A local part in quotes is another way to write one without them.
    let fits = email.len() <= MAX_EMAIL_BYTES
        && !email.starts_with('"')
        && EmailAddress::parse_with_options(&email, options).is_ok();
    if fits {
        Ok(email)
    } else {
        Err(Error::Invalid { field: "email", problem: "must be an e-mail address" })
    }
}

/// A name, trimmed and composed (NFC). Which characters it may have is the contract's rule.
pub fn parse_name(field: &'static str, text: &str) -> Result<String, Error> {
    let name: String = text.trim().nfc().collect();
    if name.is_empty() {
        return Err(Error::Invalid { field, problem: "must not be empty" });
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(Error::Invalid { field, problem: "must have at most 100 characters" });
    }
    Ok(name)
}

/// A language, [`LOCALE`] when none is named.
pub fn parse_locale(text: &str) -> String {
    if text.is_empty() { LOCALE.to_owned() } else { text.to_owned() }
}

/// A time zone, [`TIME_ZONE`] when none is named.
pub fn time_zone(field: &'static str, text: &str) -> Result<String, Error> {
    if text.is_empty() {
        return Ok(TIME_ZONE.to_owned());
    }
    Ok(kit::values::time::zone(field, text)?.name().to_owned())
}

/// Refuses to take `leaving` from the operators who can sign in when nobody is left then.
pub fn keep_an_operator(active_operators: &[UserId], leaving: UserId) -> Result<(), Error> {
    if active_operators == [leaving] { Err(Error::LastOperator) } else { Ok(()) }
}

impl User {
    /// Takes on another role. False when the account has it already. An operator's account has no other: who decides
    /// about orders and payouts is no party to them.
    pub fn add_role(&mut self, role: Role) -> Result<bool, Error> {
        let roles = roles_of(self.roles);
        if roles.has(role) {
            return Ok(false);
        }
        if roles.has(Role::Operator) {
            return Err(Error::OperatorRole);
        }
        self.roles = role_bits(roles.with(role));
        Ok(true)
    }

    /// Closes the account. False when it is closed already.
    pub fn suspend(&mut self, reason: String) -> Result<bool, Error> {
        if !self.apply(AccountEvent::Suspend)? {
            return Ok(false);
        }
        self.suspension_reason = reason;
        Ok(true)
    }

    /// Opens a suspended account again. False when it is open already.
    pub fn reinstate(&mut self) -> Result<bool, Error> {
        if !self.apply(AccountEvent::Reinstate)? {
            return Ok(false);
        }
        self.suspension_reason.clear();
        Ok(true)
    }

    /// Takes every personal trait from the account; its id stays, as a pseudonym. False when it is erased already.
    pub fn erase(&mut self) -> Result<bool, Error> {
        if !self.apply(AccountEvent::Erase)? {
            return Ok(false);
        }
        self.email = None;
        self.email_verified_at = None;
        ERASED_NAME.clone_into(&mut self.name);
        self.phone.clear();
        self.suspension_reason.clear();
        Ok(true)
    }

    /// Moves the account along. False when the event has happened already.
    fn apply(&mut self, event: AccountEvent) -> Result<bool, Error> {
        let status = self.status.transition(event)?;
        let changes = status != self.status;
        self.status = status;
        Ok(changes)
    }

    /// Takes the address as proven, unless it is already. Returns whether it was not.
    pub fn verify_email(&mut self, now: DateTime<Utc>) -> bool {
        let first = self.email_verified_at.is_none();
        self.email_verified_at = self.email_verified_at.or(Some(now));
        first
    }

    /// Whether the owner is to hear that their address was registered again, which happens once an hour at most.
    pub fn notice_repetition(&mut self, now: DateTime<Utc>) -> bool {
        let noticed = self.repetition_noticed_at.is_some_and(|at| now < at + NOTICE_INTERVAL);
        if self.status != Status::Active || noticed {
            return false;
        }
        self.repetition_noticed_at = Some(now);
        true
    }

    /// Whether a code for this purpose is of any use to the account.
    pub fn can_use_code(&self, purpose: Purpose) -> bool {
        let proven = self.email_verified_at.is_some();
        self.status == Status::Active && !(purpose == Purpose::Verification && proven)
    }
}

/// What the owner of an account changes of it.
pub struct Changes {
    /// The new name.
    pub name: String,
    /// The new phone number; empty removes it.
    pub phone: String,
    /// The new language.
    pub locale: String,
    /// The new time zone.
    pub time_zone: String,
}

impl Changes {
    const FIELDS: [&'static str; 4] = ["name", "phone", "locale", "time_zone"];

    /// Which fields are not empty: what is changed when the request does not say.
    fn filled(&self) -> Vec<&'static str> {
        let values = [&self.name, &self.phone, &self.locale, &self.time_zone];
        let filled = Self::FIELDS.into_iter().zip(values).filter(|(_, value)| !value.is_empty());
        filled.map(|(field, _)| field).collect()
    }

    /// Writes the fields that `paths` names into `user`.
    pub fn apply(self, paths: &[String], user: &mut User) -> Result<(), Error> {
        let fields = if paths.is_empty() {
            self.filled()
        } else {
            mask::known_fields(paths, &Self::FIELDS)?
        };
        for field in fields {
            match field {
                "name" => user.name = parse_name("changes.name", &self.name)?,
                "phone" => user.phone.clone_from(&self.phone),
                "locale" => user.locale = parse_locale(&self.locale),
                "time_zone" => user.time_zone = time_zone("changes.time_zone", &self.time_zone)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_life_of_an_account() {
        use AccountEvent::{Erase, Reinstate, Suspend};
        use Status::{Active, Duplicate, Erased, Suspended};
        for (from, event, to) in [
            (Active, Suspend, Some(Suspended)),
            (Active, Reinstate, Some(Active)),
            (Active, Erase, Some(Erased)),
            (Suspended, Suspend, Some(Suspended)),
            (Suspended, Reinstate, Some(Active)),
            (Suspended, Erase, Some(Erased)),
            (Erased, Suspend, None),
            (Erased, Reinstate, None),
            (Erased, Erase, Some(Erased)),
            (Duplicate, Suspend, None),
            (Duplicate, Reinstate, None),
            (Duplicate, Erase, None),
        ] {
            assert_eq!(from.transition(event).ok(), to, "{from:?} {event:?}");
        }
    }

    #[test]
    fn an_email_is_one_however_it_is_written() {
        for text in ["Ana.Diaz+x@Example.ORG", "  ana.diaz+x@example.org\n"] {
            assert_eq!(parse_email(text).unwrap(), "ana.diaz+x@example.org");
        }
        // Composed or decomposed, in upper case or lower: on a Mac, letters and accents may come apart.
        for text in ["élise@müller.fr", "e\u{301}lise@mu\u{308}ller.fr", "E\u{301}LISE@MÜLLER.fr"]
        {
            assert_eq!(parse_email(text).unwrap(), "élise@müller.fr");
        }
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@b.fr",
            "a@b",
            "a b@c.fr",
            "a@b..fr",
            "a@-b.fr",
            ".a@b.fr",
            "a..b@c.fr",
            "a@b.fr.",
            "a@b@c.fr",
            "a\u{7f}@b.fr",
            "\"a b\"@c.fr",
            "a@[127.0.0.1]",
            "<a@b.fr>",
            "Ana <a@b.fr>",
        ] {
            assert!(parse_email(text).is_err(), "{text:?}");
        }
        assert!(parse_email(&format!("{}@b.fr", "a".repeat(65))).is_err());
    }

    #[test]
    fn nobody_registers_as_an_operator() {
        for word in ["operator", "", "Client", "admin"] {
            assert!(registered_role(word).is_err(), "{word}");
        }
        assert_eq!(registered_role("prestataire").unwrap(), Role::Provider);
        assert_eq!(registered_role("client").unwrap(), Role::Customer);
    }

    #[test]
    fn roles_survive_their_column() {
        let roles: Roles = [Role::Customer, Role::Operator].into_iter().collect();
        assert_eq!(roles_of(role_bits(roles)), roles);
        assert_eq!(roles_of(0), Roles::default());
    }
}
