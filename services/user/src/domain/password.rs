//! Which passwords are good enough. Their hashing is in `hasher`.

use super::Error;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters of a new password.
const SHORTEST: usize = 8;
/// Most characters of any password, once composed: what is longer is not even hashed.
const LONGEST: usize = 128;

/// The passwords that are tried first everywhere, in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password as it is hashed: composed (NFC, as NIST SP 800-63B asks), so that it is the same on every keyboard.
pub fn normalize(password: &str) -> String {
    password.nfc().collect()
}

/// The forms in which a typed password may have been hashed: as it is today first, then as earlier versions hashed it,
/// which took it as it was typed, composed or not. None for what is too long to be a password.
pub fn hashed_forms(password: &str) -> Option<Vec<String>> {
    let normal = normalize(password);
    if normal.chars().count() > LONGEST {
        return None;
    }
    let mut forms = vec![normal];
    for earlier in [password.nfd().collect(), password.to_owned()] {
        if !forms.contains(&earlier) {
            forms.push(earlier);
        }
    }
    Some(forms)
}

const fn invalid_password(problem: &'static str) -> Error {
    Error::Invalid { field: "password", problem }
}

/// Refuses a normalised password that is short, long, common, or the account's own e-mail address.
pub fn check_new(password: &str, email: &str) -> Result<(), Error> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(invalid_password("must have at least 8 characters"));
    }
    if length > LONGEST {
        return Err(invalid_password("must have at most 128 characters"));
    }
    let lower = password.to_lowercase();
    let mut characters = lower.chars();
    let first = characters.next();
    if characters.all(|character| Some(character) == first) || COMMON.lines().any(|it| it == lower)
    {
        return Err(invalid_password("is one of the most common passwords"));
    }
    if !email.is_empty() && lower.trim() == email {
        return Err(invalid_password("must not be the e-mail address"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_by_name() {
        for (password, problem) in [
            ("1234567", "at least 8"),
            ("Password123", "common"),
            ("aaaaaaaaaaaa", "common"),
            ("ana@example.org", "e-mail"),
            (&*"x".repeat(129), "at most 128"),
        ] {
            let error = check_new(password, "ana@example.org").unwrap_err().to_string();
            assert!(error.starts_with("password ") && error.contains(problem), "{error}");
        }
        check_new("correct horse", "ana@example.org").unwrap();
        check_new(&"éa".repeat(64), "").unwrap();
    }

    #[test]
    fn a_password_is_one_however_it_is_typed() {
        assert_eq!(normalize("cafe\u{301} cre\u{300}me"), "café crème");
        assert_eq!(hashed_forms("correct horse").unwrap(), ["correct horse"]);
        for typed in ["café", "cafe\u{301}"] {
            assert_eq!(hashed_forms(typed).unwrap(), ["café", "cafe\u{301}"]);
        }
        let mixed = hashed_forms("é e\u{301}").unwrap();
        assert_eq!(mixed, ["é é", "e\u{301} e\u{301}", "é e\u{301}"]);
        assert!(hashed_forms(&"e\u{301}".repeat(128)).is_some());
        assert!(hashed_forms(&"é".repeat(129)).is_none());
    }

    #[test]
    fn the_list_is_what_it_says() {
        assert!(COMMON.lines().count() > 100);
        assert!(COMMON.lines().all(|line| line.len() >= SHORTEST && line == line.to_lowercase()));
    }
}
