//! Raw descriptor options, searched by field number: extensions need no generated code.

use crate::wire::{Record, Records};

/// The serialised options of a descriptor, unknown extensions included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options(Box<[u8]>);

impl Options {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }

    /// The serialised options message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last length-delimited value (message, string or bytes) of the field `number`.
    ///
    /// `google.api.http` for example is 72295728.
    pub fn message(&self, number: u32) -> Option<&[u8]> {
        self.messages(number).last()
    }

    /// All length-delimited values of the field `number`, in order.
    pub fn messages(&self, number: u32) -> impl Iterator<Item = &[u8]> {
        Records::new(&self.0).map_while(Result::ok).filter_map(
            move |(field, record)| match record {
                Record::Bytes(bytes) if field == number => Some(bytes),
                _ => None,
            },
        )
    }

    /// The last varint value (integer, bool or enum) of the field `number`.
    pub fn varint(&self, number: u32) -> Option<u64> {
        Records::new(&self.0)
            .map_while(Result::ok)
            .filter_map(|(field, record)| match record {
                Record::Varint(value) if field == number => Some(value),
                _ => None,
            })
            .last()
    }

    /// All varint values of the repeated field `number`, packed or not, in order.
    pub fn varints(&self, number: u32) -> Vec<u64> {
        let mut found = Vec::new();
        for (field, record) in Records::new(&self.0).map_while(Result::ok) {
            if field != number {
                continue;
            }
            match record {
                Record::Varint(value) => found.push(value),
                Record::Bytes(mut packed) => {
                    while let Ok(value) = crate::wire::read_varint(&mut packed) {
                        found.push(value);
                    }
                }
                _ => {}
            }
        }
        found
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options({} bytes)", self.0.len())
    }
}
