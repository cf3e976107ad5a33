//! A JSON scanner (RFC 8259, nothing more lenient) over text that is known to be UTF-8.

use super::text::plain_prefix;
use crate::error::{ErrorKind, FieldError};

/// A place in a JSON text. Copies are cheap and serve to look ahead.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'a> {
    rest: &'a [u8],
}

/// What stands between the quotes of a string, escapes not yet resolved.
#[derive(Clone, Copy)]
pub(crate) struct RawStr<'a> {
    pub bytes: &'a [u8],
    /// Whether there are escapes. As wide as the other parts: a narrow one made the compiler copy
    /// its padding in pieces, and the processor wait for that.
    escaped: usize,
}

impl RawStr<'_> {
    /// Whether there are escapes to resolve.
    #[inline]
    pub fn escaped(self) -> bool {
        self.escaped != 0
    }

    /// Whether the string is `text`, once its escapes are resolved.
    pub fn is(self, text: &str) -> bool {
        let (mut rest, mut same) = (text.as_bytes(), true);
        let resolved = unescape_json(self, |piece| match rest.strip_prefix(piece) {
            Some(after) => rest = after,
            None => same = false,
        });
        resolved.is_ok() && same && rest.is_empty()
    }
}

/// The kinds of JSON value, told by the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    List,
    String,
    Number,
    True,
    False,
    Null,
    /// No value begins here.
    Other,
}

type Result<T> = std::result::Result<T, FieldError>;

#[cold]
fn syntax_error(problem: &'static str) -> FieldError {
    FieldError::new(ErrorKind::Syntax, problem)
}

#[cold]
pub(crate) fn control_character() -> FieldError {
    syntax_error("a control character in a string is not escaped")
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text.as_bytes() }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes `byte` and the white space before it, if it is next.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        self.space();
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The shape of the next value.
    #[inline]
    pub fn shape(&mut self) -> Shape {
        self.space();
        match self.rest.first() {
            Some(b'{') => Shape::Object,
            Some(b'[') => Shape::List,
            Some(b'"') => Shape::String,
            Some(b'-' | b'0'..=b'9') => Shape::Number,
            Some(b't') => Shape::True,
            Some(b'f') => Shape::False,
            Some(b'n') => Shape::Null,
            _ => Shape::Other,
        }
    }

    /// After a member or element: takes a comma (true) or the closing byte (false).
    #[inline]
    pub fn more(&mut self, close: u8) -> Result<bool> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            Err(syntax_error("expected a comma or the end of the object or list"))
        }
    }

    /// Takes a member's name and the colon after it.
    #[inline]
    pub fn key(&mut self) -> Result<RawStr<'a>> {
        self.space();
        if self.rest.first() != Some(&b'"') {
            return Err(syntax_error("expected a member name in double quotes"));
        }
        let key = self.string()?;
        if self.take(b':') { Ok(key) } else { Err(syntax_error("expected a colon")) }
    }

    /// Takes a string; the next byte is its opening quote.
    #[inline]
    pub fn string(&mut self) -> Result<RawStr<'a>> {
        let start = self.rest.get(1..).unwrap_or_default();
        let plain = plain_prefix(start);
        match start.split_at_checked(plain) {
            Some((bytes, [b'"', rest @ ..])) => {
                self.rest = rest;
                Ok(RawStr { bytes, escaped: 0 })
            }
            _ => self.escaped_string(start, plain),
        }
    }

    /// As [`Self::string`] for text whose characters the reader checks: only the
    /// closing quote is looked for, which is quicker in long text.
    pub fn unjudged_string(&mut self) -> Result<RawStr<'a>> {
        let start = self.rest.get(1..).unwrap_or_default();
        let end = memchr::memchr2(b'"', b'\\', start);
        match end.and_then(|end| start.split_at_checked(end)) {
            Some((bytes, [b'"', rest @ ..])) => {
                self.rest = rest;
                Ok(RawStr { bytes, escaped: 0 })
            }
            _ => self.string(),
        }
    }

    fn escaped_string(&mut self, start: &'a [u8], mut at: usize) -> Result<RawStr<'a>> {
        loop {
            match start.get(at) {
                Some(b'"') => {
                    let (bytes, rest) = start.split_at_checked(at).unwrap_or_default();
                    self.rest = rest.get(1..).unwrap_or_default();
                    return Ok(RawStr { bytes, escaped: 1 });
                }
                // The next byte is taken with it; `unescape` checks it.
                Some(b'\\') => at += 2,
                Some(_) => {
                    self.rest = start.get(at..).unwrap_or_default();
                    return Err(control_character());
                }
                None => {
                    self.rest = &[];
                    return Err(syntax_error("a string does not end"));
                }
            }
            at += plain_prefix(start.get(at..).unwrap_or_default());
        }
    }

    /// Takes a number and returns its text.
    #[inline]
    pub fn number(&mut self) -> Result<&'a [u8]> {
        let len = number_len(self.rest).ok_or_else(|| syntax_error("malformed number"))?;
        let (number, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        match rest.first() {
            Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
                Err(syntax_error("malformed number"))
            }
            _ => Ok(number),
        }
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub fn word(&mut self, word: &str) -> Result<()> {
        match self.rest.strip_prefix(word.as_bytes()) {
            Some([b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_', ..]) | None => {
                Err(syntax_error("expected a value"))
            }
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
        }
    }

    /// Takes a value of any shape; `depth` more objects and lists may be opened.
    pub fn skip(&mut self, depth: usize) -> Result<()> {
        match self.shape() {
            Shape::String => unescape_json(self.string()?, |_| ()),
            Shape::Number => self.number().map(drop),
            Shape::True => self.word("true"),
            Shape::False => self.word("false"),
            Shape::Null => self.word("null"),
            Shape::Other => Err(syntax_error("expected a value")),
            Shape::Object => self.skip_members(b'{', b'}', depth),
            Shape::List => self.skip_members(b'[', b']', depth),
        }
    }

    fn skip_members(&mut self, open: u8, close: u8, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(FieldError::nested_too_deep)?;
        self.take(open);
        if self.take(close) {
            return Ok(());
        }
        loop {
            if open == b'{' {
                unescape_json(self.key()?, |_| ())?;
            }
            self.skip(depth)?;
            if !self.more(close)? {
                return Ok(());
            }
        }
    }

    /// Makes sure that nothing but white space is left.
    pub fn end(&mut self) -> Result<()> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(syntax_error("text after the end of the document"))
        }
    }
}

/// The length of the JSON number at the front of `text`, if there is one.
#[inline]
pub(crate) fn number_len(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    at += match text.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => count_digits(text, at),
        _ => return None,
    };
    if text.get(at) == Some(&b'.') {
        let fraction = count_digits(text, at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = count_digits(text, at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// How many digits follow one another from `at`.
#[inline]
fn count_digits(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())
}

/// Resolves the escapes of `raw`, handing over the text piece by piece.
pub(crate) fn unescape_json(raw: RawStr<'_>, mut piece: impl FnMut(&[u8])) -> Result<()> {
    if !raw.escaped() {
        piece(raw.bytes);
        return Ok(());
    }
    let mut rest = raw.bytes;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or_default();
        piece(plain);
        let simple: &[u8] = match escape.get(1) {
            Some(b'"') => b"\"",
            Some(b'\\') => b"\\",
            Some(b'/') => b"/",
            Some(b'b') => b"\x08",
            Some(b'f') => b"\x0C",
            Some(b'n') => b"\n",
            Some(b'r') => b"\r",
            Some(b't') => b"\t",
            Some(b'u') => b"",
            _ => return Err(syntax_error("unknown escape in a string")),
        };
        if simple.is_empty() {
            let (c, len) = parse_unicode_escape(escape)?;
            piece(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = escape.get(len..).unwrap_or_default();
        } else {
            piece(simple);
            rest = escape.get(2..).unwrap_or_default();
        }
    }
    piece(rest);
    Ok(())
}

/// The character that `\uXXXX`, or a pair of them, stands for, and the length of the escape.
fn parse_unicode_escape(escape: &[u8]) -> Result<(char, usize)> {
    let high = parse_code_unit(escape)?;
    if let Some(c) = char::from_u32(high) {
        return Ok((c, 6));
    }
    let low =
        escape.get(6..).filter(|next| next.starts_with(b"\\u")).map(parse_code_unit).transpose()?;
    match low {
        Some(low @ 0xDC00..=0xDFFF) if high < 0xDC00 => {
            let c = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            char::from_u32(c)
                .map(|c| (c, 12))
                .ok_or_else(|| syntax_error("lone surrogate in a string"))
        }
        _ => Err(syntax_error("lone surrogate in a string")),
    }
}

fn parse_code_unit(escape: &[u8]) -> Result<u32> {
    let digits =
        escape.get(2..6).ok_or_else(|| syntax_error("an escape in a string is cut short"))?;
    digits.iter().try_fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16);
        digit
            .map(|d| value << 4 | d)
            .ok_or_else(|| syntax_error("malformed \\u escape in a string"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Result<String> {
        let mut out = Vec::new();
        unescape_json(Scanner::new(json).string()?, |piece| out.extend_from_slice(piece))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(text(r#""plain""#).unwrap(), "plain");
        assert_eq!(text(r#""a\"\\\/\b\f\n\r\té😀""#).unwrap(), "a\"\\/\x08\x0C\n\r\té😀");
    }

    #[test]
    fn malformed_strings_are_refused() {
        for json in [
            "\"a",
            "\"a\nb\"",
            r#""\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12G4""#,
            r#""\uD800""#,
            r#""\uDC00""#,
            r#""\uD800A""#,
            r#""\uD800\uD800""#,
            "\"\u{1}\"",
        ] {
            assert!(text(json).is_err(), "{json}");
        }
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for good in ["0", "-0", "10", "1.5", "1e5", "1E+05", "-1.25e-3"] {
            assert_eq!(Scanner::new(good).number().unwrap(), good.as_bytes());
        }
        for bad in ["-", "01", "1.", ".5", "+1", "1e", "1e+", "0x1", "1a", "--1", "1.5.2"] {
            assert!(Scanner::new(bad).number().is_err(), "{bad}");
        }
    }

    #[test]
    fn any_value_can_be_skipped_down_to_the_depth() {
        let mut scan = Scanner::new(r#" {"a":[1,"x",true,false,null,{}],"b":[]} "#);
        scan.skip(3).unwrap();
        scan.end().unwrap();
        assert_eq!(Scanner::new("[[[]]]").skip(2).unwrap_err().kind(), ErrorKind::Limit);
        for bad in
            ["[1,]", "{\"a\":1,}", "{a:1}", "[1 2]", "{\"a\" 1}", "nul", "truex", "", "[\x0C]"]
        {
            assert!(Scanner::new(bad).skip(9).is_err(), "{bad}");
        }
    }
}
