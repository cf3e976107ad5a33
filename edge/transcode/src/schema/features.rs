//! What `syntax` and editions say about a file, inherited downwards and overridden by `features`.

use super::options::Options;

/// `FileOptions.features` and so on: the number of the `FeatureSet` field in each kind of options.
pub(super) const IN_FILE: u32 = 50;
pub(super) const IN_MESSAGE: u32 = 12;
pub(super) const IN_FIELD: u32 = 21;
pub(super) const IN_ENUM: u32 = 7;

const EDITION_2023: i32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub explicit_presence: bool,
    pub closed_enum: bool,
    pub packed: bool,
    pub delimited: bool,
}

impl Features {
    /// The defaults of a file's syntax or edition, before its own options.
    pub fn of_syntax(syntax: &str, edition: i32) -> Self {
        if syntax == "proto3" {
            Self { explicit_presence: false, closed_enum: false, packed: true, delimited: false }
        } else if syntax == "editions" || edition >= EDITION_2023 {
            Self { explicit_presence: true, closed_enum: false, packed: true, delimited: false }
        } else {
            Self { explicit_presence: true, closed_enum: true, packed: false, delimited: false }
        }
    }

    /// These features with what `options` overrides; `field` is where its `FeatureSet` stands.
    pub fn with(self, options: &[u8], field: u32) -> Self {
        let options = Options::new(options.to_vec());
        let Some(set) = options.message(field) else { return self };
        let set = Options::new(set.to_vec());
        let mut features = self;
        match set.varint(1) {
            Some(1 | 3) => features.explicit_presence = true,
            Some(2) => features.explicit_presence = false,
            _ => {}
        }
        match set.varint(2) {
            Some(1) => features.closed_enum = false,
            Some(2) => features.closed_enum = true,
            _ => {}
        }
        match set.varint(3) {
            Some(1) => features.packed = true,
            Some(2) => features.packed = false,
            _ => {}
        }
        match set.varint(5) {
            Some(1) => features.delimited = false,
            Some(2) => features.delimited = true,
            _ => {}
        }
        features
    }
}
