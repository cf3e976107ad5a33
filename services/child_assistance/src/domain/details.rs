//! Details: what care is asked for, checked as a whole.

use super::Error;
use uuid::Uuid;

/// A child of whom care is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedChild {
    /// One that is known here.
    Known(Uuid),
    /// One of this age in months, which is named later.
    OfAge(i64),
}

/// What care is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CareInputs {
    pub children: Vec<AskedChild>,
    /// Whether one of them needs care that takes special training.
    pub special_care: bool,
}

impl AskedChild {
    /// Reads a child: by its id or by its age.
    pub fn parse(index: usize, child_id: &str, age_months: Option<i32>) -> Result<Self, Error> {
        match (child_id, age_months) {
            ("", Some(months)) => Ok(Self::OfAge(months.into())),
            ("", None) => Err(Error::invalid(
                format!("details.children[{index}].child_id"),
                "must be given, or else `age_months`",
            )),
            (_, Some(_)) => Err(Error::invalid(
                format!("details.children[{index}].age_months"),
                "must not come with a child that is known",
            )),
            (id, None) => {
                let id = kit::values::id::parse_uuid("child_id", id).map_err(|_| {
                    Error::invalid(format!("details.children[{index}].child_id"), "must be a UUID")
                })?;
                Ok(Self::Known(id))
            }
        }
    }
}

impl CareInputs {
    /// Checks the children as a whole: none is named twice.
    pub fn new(children: Vec<AskedChild>, special_care: bool) -> Result<Self, Error> {
        for (index, child) in children.iter().enumerate() {
            let earlier = children.iter().take(index);
            if matches!(child, AskedChild::Known(_)) && earlier.into_iter().any(|it| it == child) {
                let field = format!("details.children[{index}].child_id");
                return Err(Error::invalid(field, "is named twice"));
            }
        }
        Ok(Self { children, special_care })
    }

    /// The children by name, when all of them are known.
    pub fn named(&self) -> Option<Vec<Uuid>> {
        let named = self.children.iter().map(|child| match child {
            AskedChild::Known(id) => Some(*id),
            AskedChild::OfAge(_) => None,
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_an_id_or_an_age() {
        let id = Uuid::from_u128(7);
        assert_eq!(AskedChild::parse(0, "", Some(18)).unwrap(), AskedChild::OfAge(18));
        let known = AskedChild::parse(0, &id.to_string(), None).unwrap();
        assert_eq!(known, AskedChild::Known(id));
        for (child_id, age, field) in [
            ("", None, "child_id"),
            (&*id.to_string(), Some(3), "age_months"),
            ("x", None, "child_id"),
        ] {
            let error = AskedChild::parse(1, child_id, age).unwrap_err().to_string();
            assert!(error.starts_with(&format!("details.children[1].{field}")), "{error}");
        }
    }

    #[test]
    fn a_child_is_named_once_and_ages_may_repeat() {
        let (lou, old) = (AskedChild::Known(Uuid::from_u128(7)), AskedChild::OfAge(60));
        let twice = CareInputs::new(vec![old, lou, lou], false).unwrap_err().to_string();
        assert!(twice.starts_with("details.children[2].child_id"), "{twice}");
        assert_eq!(CareInputs::new(vec![old, old], false).unwrap().named(), None);
        assert_eq!(CareInputs::new(vec![lou], false).unwrap().named().unwrap().len(), 1);
    }
}
