//! Expressions of contracts are RE2; the regex crate is the same but for the classes that it widens to all of Unicode.

/// The expression in the regex crate's dialect.
///
/// # Errors
/// When it is no valid expression.
pub fn translate_pattern(pattern: &str) -> Result<String, String> {
    let mut translated = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            translated.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => translated.push_str("[0-9]"),
            Some('D') => translated.push_str("[^0-9]"),
            Some('w') => translated.push_str("[0-9A-Za-z_]"),
            Some('W') => translated.push_str("[^0-9A-Za-z_]"),
            Some('s') => translated.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => translated.push_str("[^\\t\\n\\f\\r ]"),
            Some('b') => translated.push_str("(?-u:\\b)"),
            Some(other) => translated.extend(['\\', other]),
            None => translated.push('\\'),
        }
    }
    match regex::Regex::new(&translated) {
        Ok(_) => Ok(translated),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("the pattern {pattern:?} is not valid: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::translate_pattern;
    use regex::Regex;

    #[test]
    fn classes_are_ascii_as_in_re2() {
        for (pattern, text, matches) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\d.]+$", "1.2", true),
            (r"^[\d.]+$", "1٢", false),
            (r"^\w+$", "naive", true),
            (r"^\w+$", "naïve", false),
            (r"^[^\s]+$", "a b", false),
            (r"^\\d$", r"\d", true),
            (r"^\p{Lu}$", "É", true),
            (r"\bcat\b", "a cat", true),
        ] {
            let translated = translate_pattern(pattern).unwrap();
            assert_eq!(
                Regex::new(&translated).unwrap().is_match(text),
                matches,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn an_invalid_expression_is_refused() {
        for pattern in ["(", "[a", "a\\", "(?<n", "x{2,1}", "(?=a)"] {
            assert!(translate_pattern(pattern).is_err(), "{pattern}");
        }
    }
}
