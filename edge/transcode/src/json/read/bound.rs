//! Values from path and query inside the messages that a JSON body describes.

use super::{Frame, Reader, Result};
use crate::bindings::Bound;
use crate::error::{ErrorKind, FieldError};
use crate::schema::{Cardinality, Field, MessageIndex};
use crate::{Kind, wire};

impl<'a> Reader<'a, '_> {
    /// A field that the body gives, and the bindings too, or something inside it.
    pub(super) fn both(&mut self, field: &'a Field, bound: Bound) -> Result<()> {
        if !self.bindings.is_leaf(bound)? {
            return self.field(field, bound.inside());
        }
        let start = self.out.len();
        self.field(field, Bound::NONE)?;
        let mut other = std::mem::take(&mut self.scratch.bytes);
        other.clear();
        self.bindings.put(field, bound, &mut other);
        let same = self.out.get(start..) == Some(&other[..]);
        self.scratch.bytes = other;
        if same && field.cardinality == Cardinality::Singular {
            return Ok(());
        }
        Err(FieldError::new(ErrorKind::Conflict, "given in the URL too, with another value"))
    }

    /// The bound fields of an object that its text did not give.
    pub(super) fn rest_of_bound(&mut self, frame: Frame<'a>) -> Result<()> {
        let mut rest = frame.bound;
        while let Some((number, bound, others)) = self.bindings.split(rest) {
            rest = others;
            let Some(at) = frame.message.index_by_number(number) else { continue };
            let Some(field) = frame.message.fields.get(at) else { continue };
            if self.scratch.has_seen(frame.seen, at) {
                continue;
            }
            let put = self.see(frame, at, field).and_then(|()| self.put_bound(field, bound));
            put.map_err(|e| e.in_field(&field.name))?;
        }
        Ok(())
    }

    fn put_bound(&mut self, field: &'a Field, bound: Bound) -> Result<()> {
        if self.bindings.is_leaf(bound)? {
            self.bindings.put(field, bound, self.out);
            return Ok(());
        }
        self.out.extend_from_slice(field.tag.as_bytes());
        match field.kind {
            Kind::Message(index) => {
                let start = wire::open_length(self.out);
                self.unbound(index, bound.inside())?;
                wire::close_length(self.out, start);
            }
            Kind::Group(index) => {
                self.unbound(index, bound.inside())?;
                wire::put_varint(self.out, u64::from(field.tag.value + 1));
            }
            _ => return Err(FieldError::new(ErrorKind::Type, "the field has no fields")),
        }
        Ok(())
    }

    /// A message that the body does not mention: only the bindings give its fields.
    pub(super) fn unbound(&mut self, index: MessageIndex, bound: Bound) -> Result<()> {
        self.enter()?;
        let frame = self.open(self.schema.message(index), bound);
        self.close(frame)?;
        self.depth += 1;
        Ok(())
    }
}
