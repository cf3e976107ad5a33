//! Cuts a stream of JSON documents apart as it arrives, without reading what is inside them.
//!
//! Only boundaries are found here. Whether a document is JSON is for the codec to say.

use bytes::{Bytes, BytesMut};

/// How documents follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON array.
    Array,
    /// One document a line.
    Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read yet; `[` is expected.
    Start,
    /// In an element; `begun` once it has a byte that is no white space.
    Element { first: bool, begun: bool, depth: usize, string: bool, escape: bool },
    /// The closing `]` was read; only spaces may follow.
    End,
}

/// Collects bytes and gives out documents.
#[derive(Debug)]
pub(crate) struct Splitter {
    form: Form,
    state: State,
    buffer: BytesMut,
    /// How much of the buffer has been looked at.
    seen: usize,
}

impl State {
    fn element(first: bool) -> Self {
        Self::Element { first, begun: false, depth: 0, string: false, escape: false }
    }
}

impl Splitter {
    pub fn new(form: Form) -> Self {
        Self { form, state: State::Start, buffer: BytesMut::new(), seen: 0 }
    }

    /// How many bytes arrived that were not given out.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Takes in what arrived.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next whole document; `None` when more has to arrive.
    ///
    /// # Errors
    /// What is wrong around the documents.
    pub fn next(&mut self) -> Result<Option<Bytes>, &'static str> {
        match self.form {
            Form::Lines => Ok(self.line()),
            Form::Array => self.element(),
        }
    }

    /// The last document, once everything has arrived and [`next`](Self::next) has no more.
    ///
    /// # Errors
    /// When an array was begun and not ended.
    pub fn finish(&mut self) -> Result<Option<Bytes>, &'static str> {
        match (self.form, self.state) {
            (Form::Lines, _) => {
                let last = self.buffer.split().freeze();
                Ok(Some(last).filter(|l| !is_blank(l)))
            }
            (Form::Array, State::End) => Ok(None),
            (Form::Array, State::Start) if is_blank(&self.buffer) => Ok(None),
            (Form::Array, State::Start | State::Element { .. }) => Err("the array is cut off"),
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        loop {
            let fresh = self.buffer.get(self.seen..).unwrap_or_default();
            let Some(end) = fresh.iter().position(|&b| b == b'\n') else {
                self.seen = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(self.seen + end + 1).freeze();
            self.seen = 0;
            if !is_blank(&line) {
                return Some(line);
            }
        }
    }

    fn element(&mut self) -> Result<Option<Bytes>, &'static str> {
        while let Some(&byte) = self.buffer.get(self.seen) {
            match self.state {
                State::Start if byte == b'[' => {
                    let _ = self.buffer.split_to(self.seen + 1);
                    self.seen = 0;
                    self.state = State::element(true);
                    continue;
                }
                State::Start | State::End if is_space(byte) => {}
                State::Start => return Err("a stream of messages is a JSON array"),
                State::End => return Err("something follows the array"),
                State::Element { first, begun, depth: 0, string: false, .. }
                    if matches!(byte, b',' | b']') =>
                {
                    let document = self.buffer.split_to(self.seen + 1);
                    self.seen = 0;
                    self.state = if byte == b']' { State::End } else { State::element(false) };
                    if !begun && first && byte == b']' {
                        continue;
                    }
                    let end = document.len().saturating_sub(1);
                    return Ok(Some(document.freeze().slice(..end)));
                }
                State::Element { first, begun, depth, string, escape } => {
                    self.state = scan_element(byte, first, begun, depth, string, escape);
                }
            }
            self.seen += 1;
        }
        Ok(None)
    }
}

fn scan_element(
    byte: u8,
    first: bool,
    begun: bool,
    depth: usize,
    string: bool,
    escape: bool,
) -> State {
    let begun = begun || !is_space(byte);
    let (depth, string, escape) = match (string, byte) {
        (true, _) if escape => (depth, true, false),
        (true, b'\\') => (depth, true, true),
        (true, b'"') => (depth, false, false),
        (true, _) => (depth, true, false),
        (false, b'"') => (depth, true, false),
        (false, b'[' | b'{') => (depth + 1, false, false),
        (false, b']' | b'}') => (depth.saturating_sub(1), false, false),
        (false, _) => (depth, false, false),
    };
    State::Element { first, begun, depth, string, escape }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().copied().all(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All documents, with the text arriving in pieces of `size` bytes.
    fn split(form: Form, text: &str, size: usize) -> Result<Vec<String>, &'static str> {
        let mut splitter = Splitter::new(form);
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            splitter.push(piece);
            while let Some(document) = splitter.next()? {
                found.push(String::from_utf8_lossy(&document).trim().to_owned());
            }
        }
        found.extend(splitter.finish()?.map(|d| String::from_utf8_lossy(&d).trim().to_owned()));
        Ok(found)
    }

    #[test]
    fn arrays_are_cut_at_their_own_commas() {
        let text = r#" [ {"a":"]},\"","b":[1,{"c":2}]} , 2,"x,]\\" , [3] ] "#;
        for size in 1..text.len() {
            let found = split(Form::Array, text, size).unwrap();
            let want = [r#"{"a":"]},\"","b":[1,{"c":2}]}"#, "2", r#""x,]\\""#, "[3]"];
            assert_eq!(found, want, "{size}");
        }
        assert_eq!(split(Form::Array, "[]", 1).unwrap(), [""; 0]);
        assert_eq!(split(Form::Array, "  ", 1).unwrap(), [""; 0]);
    }

    #[test]
    fn a_missing_element_is_an_empty_document_which_no_codec_accepts() {
        for (text, count) in [("[,]", 2), ("[1,]", 2), ("[,1]", 2), ("[1,,2]", 3)] {
            assert_eq!(split(Form::Array, text, 3).unwrap().len(), count, "{text}");
        }
    }

    #[test]
    fn what_is_round_an_array_is_checked() {
        for text in ["{}", "[1", "[", "[1] 2", "[\"]", "x[1]", "[{]"] {
            assert!(split(Form::Array, text, 2).is_err(), "{text}");
        }
    }

    #[test]
    fn blank_lines_are_no_documents() {
        for size in 1..9 {
            let found = split(Form::Lines, "{\"a\":1}\r\n\n  \n2\n3", size).unwrap();
            assert_eq!(found, ["{\"a\":1}", "2", "3"]);
        }
    }
}
