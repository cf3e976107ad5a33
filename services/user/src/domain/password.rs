//! Which passwords are good enough. Their hashing is in `hasher`.

use super::Error;

/// Fewest characters of a new password.
const SHORTEST: usize = 8;
/// Most characters of any password: what is longer is not even hashed.
pub const LONGEST: usize = 128;

/// The passwords that are tried first everywhere, in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// Refuses a password that is short, long, common, or the account's own e-mail address.
pub fn check_new(password: &str, email: &str) -> Result<(), Error> {
    let refuse = |problem| Err(Error::Invalid { field: "password", problem });
    let length = password.chars().count();
    if length < SHORTEST {
        return refuse("must have at least 8 characters");
    }
    if length > LONGEST {
        return refuse("must have at most 128 characters");
    }
    let lower = password.to_lowercase();
    let mut characters = lower.chars();
    let first = characters.next();
    if characters.all(|character| Some(character) == first) || COMMON.lines().any(|it| it == lower)
    {
        return refuse("is one of the most common passwords");
    }
    if !email.is_empty() && lower.trim() == email {
        return refuse("must not be the e-mail address");
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
    fn the_list_is_what_it_says() {
        assert!(COMMON.lines().count() > 100);
        assert!(COMMON.lines().all(|line| line.len() >= SHORTEST && line == line.to_lowercase()));
    }
}
