//! The wire to JSON text, in one pass while the wire is in canonical order.
//!
//! Fields in ascending order, singular ones once, lists and maps in one run: then every record can
//! be printed as it comes. At the first violation the text is taken back, the fields of the whole
//! message are put in order ([`order`]), and it is printed again: three passes at most.

mod fields;
mod map;
mod order;
mod select;
mod single;
mod value;
mod well_known;

pub use select::Selection;

use crate::error::WireError;
use crate::json::escape_json;
use crate::limits::JsonOptions;
use crate::schema::{Message, MessageIndex, Schema, WellKnown};
use crate::scratch::Scratch;
use crate::wire::Malformed;
use select::Selected;

/// Appends the ProtoJSON form of a message to `out`, of its fields only those that are selected.
/// On an error, `out` is as it was.
///
/// # Errors
/// When the bytes are not the wire form of the message, or a value has no JSON form.
pub fn wire_to_json(
    schema: &Schema,
    message: MessageIndex,
    wire: &[u8],
    options: &JsonOptions,
    selection: Option<&Selection>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    wire_to_text(schema, wire, options, out, |writer| {
        writer.ordered(schema.message(message), wire, |writer, wire| {
            writer.message(message, wire, Selected::of(selection))
        })
    })
}

/// Appends the ProtoJSON form of one field of a message: an object, list, map or scalar, its
/// default where it is not on the wire (for a message `{}`; `null` for well-known types that have
/// no empty form).
///
/// # Errors
/// As [`wire_to_json`], and when the message has no such field.
pub fn wire_field_to_json(
    schema: &Schema,
    message: MessageIndex,
    number: u32,
    wire: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    wire_to_text(schema, wire, options, out, |writer| writer.single(message, number, wire))
}

/// Appends the ProtoJSON form of an `Any` with the given content.
///
/// # Errors
/// As [`wire_to_json`]; an unknown type is an error unless
/// [`unknown_any_as_base64`](JsonOptions::unknown_any_as_base64) is set.
pub fn any_to_json(
    schema: &Schema,
    type_url: &str,
    value: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let name = type_url.rsplit('/').next().unwrap_or_default();
    wire_to_text(schema, value, options, out, |writer| match schema.find_message(name) {
        Some(index) => writer
            .ordered(schema.message(index), value, |writer, value| writer.any(type_url, value)),
        None => writer.any(type_url, value),
    })
}

fn wire_to_text(
    schema: &Schema,
    wire: &[u8],
    options: &JsonOptions,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Writer<'_, '_>) -> Result<(), Stop>,
) -> Result<(), WireError> {
    if wire.len() > options.limits.input_bytes {
        return Err(WireError::Limit("the message is too large"));
    }
    let start = out.len();
    let mut writer = Writer {
        schema,
        options,
        scratch: Scratch::take(),
        depth: options.limits.depth,
        elements: options.limits.elements,
        out_max: start.saturating_add(options.limits.output_bytes),
        in_order: false,
        out,
    };
    let result = write(&mut writer);
    writer.scratch.keep();
    result.map_err(|stop| {
        out.truncate(start);
        match stop {
            Stop::Error(error) => *error,
            Stop::Disorder => WireError::Malformed("its fields cannot be put in order"),
        }
    })
}

/// Why a pass cannot go on.
#[derive(Debug)]
enum Stop {
    /// The message is not in canonical order.
    Disorder,
    Error(Box<WireError>),
}

impl From<Malformed> for Stop {
    #[cold]
    fn from(malformed: Malformed) -> Self {
        Self::Error(Box::new(malformed.into()))
    }
}

impl From<WireError> for Stop {
    #[cold]
    fn from(error: WireError) -> Self {
        Self::Error(Box::new(error))
    }
}

fn unprintable_error(problem: &'static str) -> Stop {
    WireError::Unprintable(problem).into()
}

/// The state of one pass.
struct Writer<'a, 'o> {
    schema: &'a Schema,
    options: &'a JsonOptions,
    scratch: Box<Scratch>,
    /// How many more objects and lists may be opened.
    depth: usize,
    /// How many more members and elements may follow.
    elements: usize,
    out_max: usize,
    /// Whether the fields of all messages have been put in order.
    in_order: bool,
    out: &'o mut Vec<u8>,
}

impl<'a> Writer<'a, '_> {
    /// A message in the JSON form of its type.
    #[inline]
    fn message(
        &mut self,
        index: MessageIndex,
        wire: &[u8],
        selected: Selected<'_>,
    ) -> Result<(), Stop> {
        let message = self.schema.message(index);
        match message.well_known {
            WellKnown::None => self.object(message, wire, selected, None),
            other => self.well_known(other, message, wire),
        }
    }

    /// Prints the outermost message, and once more if it, or anything inside, is not in order. A
    /// value without a JSON form is a reason too: a later part may override it.
    fn ordered(
        &mut self,
        message: &Message,
        wire: &[u8],
        print: impl Fn(&mut Self, &[u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (start, depth, elements) = (self.out.len(), self.depth, self.elements);
        let mark = self.scratch.mark();
        match print(self, wire) {
            Err(Stop::Disorder) => {}
            Err(Stop::Error(error)) if error.is_of_value() => {}
            done => return done,
        }
        self.out.truncate(start);
        (self.depth, self.elements) = (depth, elements);
        self.scratch.reset(mark);
        self.in_order = true;
        let ordered = order::order_fields(self.schema, message, wire, self.options.limits.depth)?;
        print(self, &ordered)
    }

    /// The fields of a message as an object, whose first member is `@type` inside an `Any`.
    fn object(
        &mut self,
        message: &'a Message,
        wire: &[u8],
        selected: Selected<'_>,
        type_url: Option<&str>,
    ) -> Result<(), Stop> {
        self.enter()?;
        self.out.push(b'{');
        if let Some(url) = type_url {
            self.out.extend_from_slice(b"\"@type\":\"");
            escape_json(url, self.out);
            self.out.push(b'"');
        }
        self.fields(message, wire, selected)?;
        self.out.push(b'}');
        self.depth += 1;
        if self.out.len() > self.out_max {
            return Err(WireError::Limit("the JSON text is too long").into());
        }
        Ok(())
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Stop> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(WireError::Limit("it is nested too deep").into()),
        }
    }

    #[inline]
    fn count(&mut self) -> Result<(), Stop> {
        match self.elements.checked_sub(1) {
            Some(elements) => {
                self.elements = elements;
                Ok(())
            }
            None => Err(WireError::Limit("it has too many fields and elements").into()),
        }
    }
}
