//! Codes that prove a mailbox: a selector that finds the row, and a secret of which only the hash is kept.

use super::secret::{self, Bytes32};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use subtle::ConstantTimeEq;

/// Guesses at the secret of one code.
pub const ATTEMPTS_MOST: i32 = 5;
/// Least time between two mails of one purpose to one account.
pub const INTERVAL: Duration = Duration::seconds(60);

/// Letters and digits that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of the selector: 40 bits, so that two codes hardly ever share one.
const SELECTOR: usize = 8;
/// Characters of the whole code: 60 bits of secret behind the selector.
const LENGTH: usize = 20;

/// What a code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Purpose {
    /// It proves the e-mail address.
    #[sea_orm(string_value = "verification")]
    Verification,
    /// It sets a new password.
    #[sea_orm(string_value = "password_reset")]
    PasswordReset,
}

impl Purpose {
    /// How long a code lives after it was mailed.
    pub const fn life(self) -> Duration {
        match self {
            Self::Verification => Duration::hours(24),
            Self::PasswordReset => Duration::minutes(30),
        }
    }

    /// The fact that has the mail sent.
    pub const fn request_fact(self) -> &'static str {
        match self {
            Self::Verification => "user.contact_verification_requested",
            Self::PasswordReset => "user.password_reset_requested",
        }
    }
}

#[derive(Clone)]
pub struct Code(String);

/// The letter of the alphabet that a person means by `letter`.
fn read_letter(letter: char) -> Option<char> {
    match letter.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        letter => ALPHABET.contains(&u8::try_from(letter).ok()?).then_some(letter),
    }
}

impl Code {
    /// The code of these random bytes.
    pub fn new(random: &Bytes32) -> Self {
        let letters = random.iter().take(LENGTH);
        let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(*byte % 32)));
        Self(letters.copied().map(char::from).collect())
    }

    /// Reads a code as people write it: in any case, with hyphens or spaces; none when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let code: String = plain.map(read_letter).collect::<Option<_>>()?;
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code as mails show it, in groups of five.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(LENGTH + 3);
        for (position, letter) in self.0.chars().enumerate() {
            if position > 0 && position % 5 == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// The part that finds the row.
    pub fn selector(&self) -> &str {
        self.0.split_at_checked(SELECTOR).map_or("", |(selector, _)| selector)
    }

    /// The hash under which the code is kept.
    pub fn hash(&self) -> String {
        secret::digest_secret("contact-code", self.0.as_bytes())
    }

    /// Whether the code is the one that `hash` was made of.
    pub fn matches(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

/// Whether a code that expires at `expires_at` and was guessed at `attempts` times may still be tried.
pub fn open_code(expires_at: DateTime<Utc>, attempts: i32, now: DateTime<Utc>) -> bool {
    now < expires_at && attempts < ATTEMPTS_MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        let code = Code::new(&std::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
        let shown = code.reveal();
        assert_eq!(shown.len(), LENGTH + 3);
        for text in [shown.clone(), shown.to_lowercase(), shown.replace('-', " ")] {
            assert!(Code::parse(&text).unwrap().matches(&code.hash()), "{text}");
        }
        let swapped = shown.replace('0', "O").replace('1', "l");
        assert!(Code::parse(&swapped).unwrap().matches(&code.hash()));
        for text in ["", "AAAAA", "UUUUU-UUUUU-UUUUU-UUUUU", &format!("{shown}A"), "ééééééééééé"]
        {
            assert!(Code::parse(text).is_none(), "{text}");
        }
        assert!(!Code::new(&[1; 32]).matches(&code.hash()));
    }

    #[test]
    fn a_code_closes_with_time_and_guesses() {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        assert!(open_code(now + Duration::seconds(1), ATTEMPTS_MOST - 1, now));
        assert!(!open_code(now, 0, now));
        assert!(!open_code(now + Duration::hours(1), ATTEMPTS_MOST, now));
    }
}
