//! Lines and comments of declarations, from a file's source information.

use std::collections::HashMap;

use super::Location;
use super::descriptor::SourceInfo;

/// The source information of one file, by descriptor path.
pub(super) struct Source<'a> {
    file: &'a str,
    places: HashMap<&'a [i32], (Option<u32>, &'a str)>,
}

impl<'a> Source<'a> {
    pub fn new(file: &'a str, info: Option<&'a SourceInfo>) -> Self {
        let locations = info.map(|info| info.locations.as_slice()).unwrap_or_default();
        let places = locations.iter().map(|location| {
            let line = location.span.first().and_then(|&line| u32::try_from(line).ok());
            (location.path.as_slice(), (line.map(|line| line + 1), location.leading.as_str()))
        });
        Self { file, places: places.collect() }
    }

    /// The place of the declaration at `path`, as `descriptor.proto` numbers it.
    pub fn at(&self, path: &[i32]) -> Location {
        let (line, comment) = self.places.get(path).copied().unwrap_or_default();
        Location { file: self.file.into(), line, comment: comment.into() }
    }
}
