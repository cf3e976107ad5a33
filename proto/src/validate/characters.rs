//! Which characters a text may have, as the option `(quickserve.options.v1.text)` of its field says.

use super::{Checker, Text};
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

/// Characters that are not seen, and those that change how others are seen: formats, marks of direction, separators of
/// lines, fillers, and the braille pattern without dots.
static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u{2800}]").ok()
});

impl Text {
    /// The rule that `value` breaks by its characters, and what the text must be instead; none when they are fine.
    pub fn broken_rule(self, value: &str) -> Option<(&'static str, &'static str)> {
        let control = match self {
            Self::Lines => value.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)),
            Self::Unspecified | Self::Name => {
                value.contains(|c: char| c.is_control() || breaks_line(c))
            }
        };
        match self {
            Self::Lines if control => Some((
                "text.control_character",
                "must not have control characters other than line breaks and tabs",
            )),
            _ if control => {
                Some(("text.control_character", "must be one line without control characters"))
            }
            Self::Name if has_hidden(value) => Some((
                "text.hidden_character",
                "must not have characters that are invisible or change the direction of writing",
            )),
            _ => None,
        }
    }
}

impl Checker<'_> {
    /// Checks the characters of a text. Returns whether its other rules are worth checking.
    pub fn text(&mut self, value: &str, text: Text) -> bool {
        match text.broken_rule(value) {
            None => true,
            Some((rule, description)) => {
                self.refuse(rule, description);
                false
            }
        }
    }
}

/// Unicode's own line breaks, which are no control characters.
const fn breaks_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn has_hidden(value: &str) -> bool {
    match &*HIDDEN {
        Some(hidden) => hidden.find_iter(value).any(|found| !shapes(value, found.range())),
        None => true,
    }
}

/// Whether the hidden character at `range` only shapes visible ones beside it, as scripts and emoji need it: a variation
/// selector after one, or a joiner between two. ASCII needs neither.
fn shapes(value: &str, range: Range<usize>) -> bool {
    let before = value.get(..range.start).and_then(|text| text.chars().next_back());
    let after = value.get(range.end..).and_then(|text| text.chars().next());
    let joins = before.is_some_and(|c| can_be_shaped(c) || selects_variation(c))
        && after.is_some_and(can_be_shaped);
    match value.get(range).and_then(|text| text.chars().next()) {
        Some('\u{200c}' | '\u{200d}') => joins,
        Some(c) if selects_variation(c) => before.is_some_and(can_be_shaped),
        _ => false,
    }
}

/// Selects how the emoji before it is drawn.
const fn selects_variation(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

fn can_be_shaped(c: char) -> bool {
    let hidden = HIDDEN.as_ref().is_none_or(|hidden| hidden.is_match(c.encode_utf8(&mut [0; 4])));
    !c.is_ascii() && !c.is_whitespace() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: Text, value: &str) -> Option<&'static str> {
        text.broken_rule(value).map(|(rule, _)| rule)
    }

    #[test]
    fn no_text_has_control_characters_and_several_lines_have_breaks_and_tabs() {
        for value in ["", "a b", "é", "\u{a0}", "😀", "\u{202e}"] {
            assert_eq!(broken(Text::Unspecified, value), None, "{value:?}");
            assert_eq!(broken(Text::Lines, value), None, "{value:?}");
        }
        for value in ["\0", "a\u{1}", "\u{b}b", "\u{1b}[31m", "\u{7f}", "\u{80}", "\u{9f}"] {
            for text in [Text::Unspecified, Text::Lines, Text::Name] {
                assert_eq!(broken(text, value), Some("text.control_character"), "{value:?}");
            }
        }
        for value in ["a\nb", "a\r\nb", "a\tb", "a\u{2028}b", "a\u{2029}b"] {
            assert_eq!(broken(Text::Lines, value), None, "{value:?}");
            for text in [Text::Unspecified, Text::Name] {
                assert_eq!(broken(text, value), Some("text.control_character"), "{value:?}");
            }
        }
    }

    #[test]
    fn names_have_nothing_hidden() {
        for value in [
            "Ana Díaz",
            "O’Brien-Łukasz",
            "נועה",
            "محمد",
            "می\u{200c}خواهم",
            "ක්\u{200d}ය",
            "❤\u{fe0f} Cleaning",
            "👩\u{200d}🔧 Repairs",
            "🏳\u{fe0f}\u{200d}🌈",
        ] {
            assert_eq!(broken(Text::Name, value), None, "{value:?}");
        }
        for value in [
            "\u{200b}",
            "Ana\u{200b}",
            "\u{202e}anA",
            "A\u{200d}na",
            "é\u{200d}",
            "\u{200d}é",
            "é\u{200d}\u{200d}é",
            "a\u{fe0f}",
            "\u{2066}Ana\u{2069}",
            "\u{feff}Ana",
            "A\u{ad}na",
            "\u{3164}",
            "\u{2800}",
            "\u{e0041}",
            "Ana\u{200f}",
        ] {
            assert_eq!(broken(Text::Name, value), Some("text.hidden_character"), "{value:?}");
        }
    }
}
