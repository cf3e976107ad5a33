//! What one message may cost.

/// Bounds on one message, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects and lists inside one another, in JSON, and messages inside one another on the wire. A
    /// level of a `Struct` is three messages.
    pub depth: usize,
    /// Bytes of the input.
    pub input_bytes: usize,
    /// Bytes of the output.
    pub output_bytes: usize,
    /// Members of objects and elements of lists, all counted together.
    pub elements: usize,
}

impl Default for Limits {
    /// Depth 100 (as protobuf itself), 64 MiB in, 256 MiB out, 4 million elements.
    fn default() -> Self {
        Self { depth: 100, input_bytes: 64 << 20, output_bytes: 256 << 20, elements: 4_000_000 }
    }
}

/// How ProtoJSON is read and written. The default is the canonical form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Write fields without presence (implicit scalars, lists, maps) even when they are empty.
    pub emit_defaults: bool,
    /// Write enums as numbers.
    pub enums_as_ints: bool,
    /// Write `.proto` field names instead of lowerCamelCase ones. Both are always read.
    pub preserve_proto_names: bool,
    /// Skip unknown JSON members and unknown enum names instead of refusing them.
    pub ignore_unknown_fields: bool,
    /// Write an `Any` of a type that the schema lacks as `{"@type": …, "value": base64}` instead of
    /// failing. For `google.rpc.Status` details, which must not be lost.
    pub unknown_any_as_base64: bool,
    /// Bounds on the message.
    pub limits: Limits,
}
