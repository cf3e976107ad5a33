//! The look-up tables of messages, and the empty types.

use super::compile::{MAX_MEMBERS, invalid_set};
use super::names::Names;
use super::table::{Enum, Message, NO_FIELD, WellKnown};
use super::{Location, Options, SchemaError};

/// Field numbers below this are looked up in a dense table, however few fields there are.
const DENSE_MIN: usize = 64;

impl Message {
    pub(super) fn empty(full_name: &str) -> Self {
        Self {
            full_name: full_name.into(),
            fields: Vec::new(),
            names: Names::default(),
            dense: Box::default(),
            oneofs: Vec::new(),
            well_known: WellKnown::None,
            map_entry: false,
            options: Options::default(),
            location: Location::default(),
        }
    }

    /// Sorts the fields and builds the tables by name and by number.
    pub(super) fn index(&mut self) -> Result<(), SchemaError> {
        if self.fields.len() > MAX_MEMBERS || self.oneofs.len() > MAX_MEMBERS {
            return Err(invalid_set(self.full_name.to_string(), "has too many fields"));
        }
        self.fields.sort_by_key(|f| f.number);
        if self.fields.windows(2).any(|pair| matches!(pair, [a, b] if a.number == b.number)) {
            return Err(invalid_set(self.full_name.to_string(), "uses a field number twice"));
        }
        // ProtoJSON names win over `.proto` names of other fields.
        let json = self.fields.iter().enumerate().map(|(at, f)| (f.json_name(), at as u16));
        let proto = self.fields.iter().enumerate().map(|(at, f)| (f.name(), at as u16));
        self.names = Names::build(json.chain(proto.filter(|&(_, at)| {
            self.fields.get(usize::from(at)).is_some_and(|f| f.name != f.json_name)
        })));
        let last = self.fields.last().map_or(0, |f| f.number as usize);
        let size = if last < DENSE_MIN.max(self.fields.len() * 4) { last + 1 } else { DENSE_MIN };
        let mut dense = vec![NO_FIELD; size];
        for (at, field) in self.fields.iter().enumerate() {
            if let Some(slot) = dense.get_mut(field.number as usize) {
                *slot = at as u16;
            }
        }
        self.dense = dense.into();
        Ok(())
    }
}

impl Enum {
    pub(super) fn empty() -> Self {
        Self {
            full_name: Box::default(),
            values: Vec::new(),
            names: Names::default(),
            numbers: Box::default(),
            closed: false,
            null_value: false,
            options: Options::default(),
        }
    }
}
