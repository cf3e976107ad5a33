//! A fault in a contract, told as `file:line: message` so that an editor can jump to it.

use std::fmt;

/// One fault in a contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file as imports name it, or empty when no file is to blame.
    pub file: String,
    /// Line, counted from 1; 0 when unknown.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A fault that no line of a contract is to blame for, such as a file that cannot be written.
    pub fn outside(message: impl fmt::Display) -> Self {
        Self { file: String::new(), line: 0, message: message.to_string() }
    }

    /// What the protobuf compiler found, with the position split off its text.
    pub fn from_compiler(error: &protox::Error) -> Self {
        let Some(file) = error.file() else { return Self::outside(error) };
        let text = format!("{error:?}");
        let line = text
            .strip_prefix(file)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.split(':').next())
            .and_then(|line| line.trim().parse().ok())
            .unwrap_or(0);
        Self { file: file.to_owned(), line, message: error.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, 0) => write!(f, "{file}: {}", self.message),
            (file, line) => write!(f, "{file}:{line}: {}", self.message),
        }
    }
}
