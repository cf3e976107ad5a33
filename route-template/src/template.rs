//! The grammar of `google/api/http.proto`, and what it leaves open, decided.
//!
//! ```text
//! Template  = "/" [ Segments ] [ ":" Verb ]      a bare "/" is the empty template
//! Segments  = Segment { "/" Segment }
//! Segment   = "*" | "**" | Literal | "{" FieldPath [ "=" Segments ] "}"
//! Literal   = RFC 3986 pchar without ":" and "*"
//! ```
//! `**` may stand anywhere, but once: the segments before and behind it are then of a fixed number, so that every
//! template matches a path in one way.

use std::fmt;

use crate::percent::{self, Keep};

/// One segment of a template as it is matched against one segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// These bytes, percent-decoded.
    Literal(Vec<u8>),
    /// `*`: one segment that is not empty.
    One,
    /// `**`: any number of segments, none and empty ones included.
    Rest,
}

/// A variable: the field it fills and the segments of the template it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The field path as written, `shelf.name`.
    pub field: String,
    /// First segment covered.
    pub start: usize,
    /// One past the last segment covered.
    pub end: usize,
    /// Whether it may cover several segments (`**` or more than one segment), where `%2F` is kept.
    pub multi: bool,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The segments, variables flattened.
    pub segments: Vec<Segment>,
    /// The word after the colon.
    pub verb: Option<String>,
    /// The variables from left to right.
    pub variables: Vec<Variable>,
}

/// Why a template is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub reason: &'static str,
    /// Byte offset in the template.
    pub offset: usize,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.reason, self.offset)
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When the text breaks the grammar, binds a field twice, or has two `**`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { text: text.as_bytes(), at: 0, out: Self::empty() };
        parser.template()?;
        parser.out.check(text.len())?;
        Ok(parser.out)
    }

    fn empty() -> Self {
        Self { segments: Vec::new(), verb: None, variables: Vec::new() }
    }

    /// The part of a matched path's segments which a variable covers.
    pub fn span<'a, T>(&self, variable: &Variable, path: &'a [T]) -> &'a [T] {
        let rest = self.segments.iter().position(|s| *s == Segment::Rest);
        let Some(rest) = rest else {
            return path.get(variable.start..variable.end).unwrap_or_default();
        };
        let start = self.place_in_path(variable.start, rest, path.len());
        let end = self.place_in_path(variable.end, rest, path.len());
        path.get(start..end).unwrap_or_default()
    }

    /// Where the segment at `index` begins in a path of `length` segments. What stands behind `rest`, the place of
    /// `**`, is counted from the end.
    fn place_in_path(&self, index: usize, rest: usize, length: usize) -> usize {
        if index > rest { length.saturating_sub(self.segments.len() - index) } else { index }
    }

    fn check(&self, offset: usize) -> Result<(), TemplateError> {
        if self.segments.iter().filter(|segment| **segment == Segment::Rest).count() > 1 {
            return Err(TemplateError { reason: "a second `**`", offset });
        }
        for (index, variable) in self.variables.iter().enumerate() {
            let twice = self.variables.iter().skip(index + 1).any(|v| v.field == variable.field);
            if twice {
                return Err(TemplateError { reason: "a field is bound twice", offset });
            }
        }
        Ok(())
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    out: Template,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T, TemplateError> {
        Err(TemplateError { reason, offset: self.at })
    }

    fn template(&mut self) -> Result<(), TemplateError> {
        if !self.eat(b'/') {
            return self.fail("a template starts with `/`");
        }
        if self.peek().is_none() {
            return Ok(());
        }
        self.segments(false)?;
        if self.eat(b':') {
            let verb = self.literal("an empty verb")?;
            let Ok(verb) = String::from_utf8(verb) else {
                return self.fail("a verb is not UTF-8");
            };
            self.out.verb = Some(verb);
        }
        match self.peek() {
            None => Ok(()),
            Some(b'}') => self.fail("a `}` without its `{`"),
            Some(b'{') => self.fail("a variable fills a whole segment"),
            Some(b':' | b'/') => self.fail("a colon inside a literal (escape it as %3A)"),
            Some(_) => self.fail("a character must be percent-encoded"),
        }
    }

    fn segments(&mut self, inside: bool) -> Result<(), TemplateError> {
        loop {
            self.segment(inside)?;
            if !self.eat(b'/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, inside: bool) -> Result<(), TemplateError> {
        match self.peek() {
            Some(b'{') if inside => self.fail("a variable inside a variable"),
            Some(b'{') => self.variable(),
            Some(b'*') => {
                self.at += 1;
                let rest = self.eat(b'*');
                self.out.segments.push(if rest { Segment::Rest } else { Segment::One });
                match self.peek() {
                    None | Some(b'/' | b':' | b'}') => Ok(()),
                    Some(_) => self.fail("a wildcard fills a whole segment"),
                }
            }
            _ => {
                let literal = self.literal("an empty segment")?;
                self.out.segments.push(Segment::Literal(literal));
                match self.peek() {
                    Some(b'{') => self.fail("a variable fills a whole segment"),
                    _ => Ok(()),
                }
            }
        }
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        self.at += 1;
        let field = self.field_path()?;
        let start = self.out.segments.len();
        if self.eat(b'=') {
            if self.peek() == Some(b'}') {
                return self.fail("an empty sub-template");
            }
            self.segments(true)?;
        } else {
            self.out.segments.push(Segment::One);
        }
        if !self.eat(b'}') {
            return self.fail("a `}` is missing");
        }
        if !matches!(self.peek(), None | Some(b'/' | b':')) {
            return self.fail("a variable fills a whole segment");
        }
        let covered = self.out.segments.get(start..).unwrap_or_default();
        let multi = covered.len() > 1 || covered.contains(&Segment::Rest);
        let end = self.out.segments.len();
        self.out.variables.push(Variable { field, start, end, multi });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, TemplateError> {
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {}
                _ => return self.fail("a field name is expected"),
            }
            while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9')) {
                self.at += 1;
            }
            if !self.eat(b'.') {
                break;
            }
        }
        let path = self.text.get(start..self.at).unwrap_or_default();
        Ok(String::from_utf8_lossy(path).into_owned())
    }

    /// A literal, decoded; stops before `/ : { }` or the end.
    fn literal(&mut self, empty: &'static str) -> Result<Vec<u8>, TemplateError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'/' | b':' | b'{' | b'}' => break,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' => {}
                b'+' | b',' | b';' | b'=' | b'@' | b'%' => {}
                b'*' => return self.fail("a wildcard fills a whole segment"),
                b'?' | b'#' => return self.fail("a template has no query and no fragment"),
                _ => return self.fail("a character must be percent-encoded"),
            }
            self.at += 1;
        }
        if self.at == start {
            return match self.peek() {
                Some(b'}') => self.fail("a `}` without its `{`"),
                _ => self.fail(empty),
            };
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        match percent::decode_path(raw, Keep::Nothing) {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => self.fail("a percent escape is not two hex digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Segment {
        Segment::Literal(text.as_bytes().to_vec())
    }

    #[test]
    fn variables_are_flattened() {
        let t = Template::parse("/v1/{name=shelves/*/books/**}/tail:run").unwrap();
        let want =
            [lit("v1"), lit("shelves"), Segment::One, lit("books"), Segment::Rest, lit("tail")];
        assert_eq!(t.segments, want);
        assert_eq!(t.verb.as_deref(), Some("run"));
        let v = &t.variables[0];
        assert_eq!((v.field.as_str(), v.start, v.end, v.multi), ("name", 1, 5, true));
        let path = ["v1", "shelves", "7", "books", "a", "b", "tail"];
        assert_eq!(t.span(v, &path), &path[1..6]);
        assert_eq!(t.span(v, &["v1", "shelves", "7", "books", "tail"]), ["shelves", "7", "books"]);
    }

    #[test]
    fn a_fixed_number_of_segments_may_follow_the_rest() {
        let t = Template::parse("/v1/{name=projects/**}/{kind}/tail").unwrap();
        let spans = |path: &'static [&'static str]| -> Vec<String> {
            t.variables.iter().map(|v| t.span(v, path).join("/")).collect()
        };
        assert_eq!(spans(&["v1", "projects", "a", "b", "c", "tail"]), ["projects/a/b", "c"]);
        assert_eq!(spans(&["v1", "projects", "c", "tail"]), ["projects", "c"]);
    }

    #[test]
    fn a_plain_variable_is_one_segment() {
        let t = Template::parse("/{a.b_c}/{d=*}/{e=**}").unwrap();
        assert_eq!(t.segments, [Segment::One, Segment::One, Segment::Rest]);
        assert_eq!(t.variables.iter().map(|v| v.multi).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn literals_are_compared_decoded() {
        assert_eq!(Template::parse("/caf%C3%a9").unwrap().segments, [lit("café")]);
        assert_eq!(Template::parse("/").unwrap().segments, []);
    }

    #[test]
    fn broken_templates_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "starts with"),
            ("v1", "starts with"),
            ("//", "empty segment"),
            ("/a//b", "empty segment"),
            ("/a/", "empty segment"),
            ("/:v", "empty segment"),
            ("/a:", "empty verb"),
            ("/a:b:c", "colon"),
            ("/a:b/c", "colon"),
            ("/a:b{c}", "whole segment"),
            ("/a:*", "wildcard"),
            ("/{}", "field name"),
            ("/{.a}", "field name"),
            ("/{a.}", "field name"),
            ("/{a..b}", "field name"),
            ("/{1a}", "field name"),
            ("/{ a}", "field name"),
            ("/{a-b}", "missing"),
            ("/{a", "missing"),
            ("/{a=", "empty segment"),
            ("/{a=}", "empty sub-template"),
            ("/{a=/b}", "empty segment"),
            ("/{a=b/}", "without its"),
            ("/{a={b}}", "inside a variable"),
            ("/{a}x", "whole segment"),
            ("/x{a}", "whole segment"),
            ("/a}", "without its"),
            ("/}", "without its"),
            ("/***", "wildcard"),
            ("/a*", "wildcard"),
            ("/*a", "wildcard"),
            ("/**/**", "second `**`"),
            ("/{a=**}/x/{b=y/**}", "second `**`"),
            ("/{a}/{a}", "twice"),
            ("/a?b", "query"),
            ("/a#b", "fragment"),
            ("/a b", "percent-encoded"),
            ("/é", "percent-encoded"),
            ("/a%2", "hex"),
            ("/a%zz", "hex"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.reason.contains(reason), "{text:?}: {error}");
        }
    }
}
