//! One field of a message as the whole text.

use super::select::Selected;
use super::{Stop, Writer, order, unprintable_error};
use crate::schema::{Cardinality, Field, MessageIndex, WellKnown};
use crate::wire;

impl<'a> Writer<'a, '_> {
    /// The body is one field of the message.
    pub(super) fn single(
        &mut self,
        index: MessageIndex,
        number: u32,
        wire: &[u8],
    ) -> Result<(), Stop> {
        let message = self.schema.message(index);
        let at = message.index_by_number(number);
        let Some((at, field)) = at.and_then(|at| Some((at, message.fields.get(at)?))) else {
            return Err(unprintable_error("the message has no such field"));
        };
        self.ordered(message, wire, |writer, wire| {
            let mut run = order::run_of(message, at, wire)?;
            let start = writer.out.len();
            if !run.is_empty() && writer.run(field, &mut run)? {
                return Ok(());
            }
            writer.out.truncate(start);
            match (field.cardinality, field.kind.message()) {
                (Cardinality::Repeated, _) => writer.out.extend_from_slice(b"[]"),
                (Cardinality::Map, _) => writer.out.extend_from_slice(b"{}"),
                (Cardinality::Singular, Some(child)) => return writer.absent(child),
                (Cardinality::Singular, None) => writer.zero(field.kind),
            }
            Ok(())
        })
    }

    /// The value of a field from its records, which stand together.
    fn run(&mut self, field: &'a Field, run: &mut &[u8]) -> Result<bool, Stop> {
        let tag = wire::read_tag(run)?;
        match field.cardinality {
            Cardinality::Singular => self.value(field, run, true, Selected::ALL),
            Cardinality::Repeated => self.list(field, tag, run, Selected::ALL),
            Cardinality::Map => self.map(field, run, Selected::ALL),
        }
    }

    /// A message that is not there, where JSON needs a value.
    fn absent(&mut self, index: MessageIndex) -> Result<(), Stop> {
        match self.schema.message(index).well_known {
            WellKnown::None | WellKnown::Struct | WellKnown::ListValue | WellKnown::Any => {
                self.message(index, &[], Selected::ALL)
            }
            _ => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }
}
