//! Update masks: which fields a change is about.

use super::Error;

/// The fields that `paths` names, each of which must be one of `fields`.
pub fn known_fields(paths: &[String], fields: &[&'static str]) -> Result<Vec<&'static str>, Error> {
    paths
        .iter()
        .map(|path| {
            fields.iter().copied().find(|field| field == path).ok_or(Error::Invalid {
                field: "update_mask",
                problem: "names a field that cannot be changed",
            })
        })
        .collect()
}
