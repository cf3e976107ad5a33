//! Working memory that is kept from message to message, so that a warm codec does not allocate.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Maps up to this size are searched one key after the other.
const SMALL: usize = 8;
/// Larger buffers are given back to the allocator after the message that needed them.
const KEEP_BYTES: usize = 1 << 20;

/// Stacks: what an object or map opens, it closes before its parent goes on.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Bits of the members seen, of all open objects.
    seen: Vec<u64>,
    /// Places of the keys seen, of all open maps.
    keys: Vec<(usize, usize)>,
    /// Hash tables that no open map uses now.
    tables: Vec<Vec<u32>>,
    /// Seeded, so that keys cannot be chosen to collide.
    hasher: RandomState,
    pub text: Vec<u8>,
    pub bytes: bytes::BytesMut,
}

/// The members seen of one open object.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    base: usize,
}

/// The keys seen of one open map.
pub(crate) struct Keys {
    base: usize,
    table: Vec<u32>,
}

impl Scratch {
    /// This thread's scratch, or a new one while that is in use.
    pub fn take() -> Box<Self> {
        KEPT.take().unwrap_or_default()
    }

    /// Keeps the scratch for the next message on this thread.
    pub fn keep(mut self: Box<Self>) {
        self.seen.clear();
        self.keys.clear();
        if self.keys.capacity() * 16 > KEEP_BYTES {
            self.keys = Vec::new();
        }
        self.tables.retain(|table| table.capacity() * 4 <= KEEP_BYTES);
        self.tables.truncate(16);
        if self.text.capacity() > KEEP_BYTES {
            self.text = Vec::new();
        }
        if self.bytes.capacity() > KEEP_BYTES {
            self.bytes = bytes::BytesMut::new();
        }
        KEPT.set(Some(self));
    }

    /// How far the stacks are filled.
    pub fn mark(&self) -> (usize, usize) {
        (self.seen.len(), self.keys.len())
    }

    /// Takes the stacks back to where they were.
    pub fn reset(&mut self, (seen, keys): (usize, usize)) {
        self.seen.truncate(seen);
        self.keys.truncate(keys);
    }

    /// Opens a set of `bits` bits, all unset.
    #[inline]
    pub fn open_seen(&mut self, bits: usize) -> Seen {
        let base = self.seen.len();
        self.seen.resize(base + bits.div_ceil(64), 0);
        Seen { base }
    }

    /// Sets a bit and says whether it was unset.
    #[inline]
    pub fn see(&mut self, seen: Seen, bit: usize) -> bool {
        let Some(word) = self.seen.get_mut(seen.base + bit / 64) else { return false };
        let mask = 1 << (bit % 64);
        let new = *word & mask == 0;
        *word |= mask;
        new
    }

    /// Whether a bit is set.
    pub fn has_seen(&self, seen: Seen, bit: usize) -> bool {
        self.seen.get(seen.base + bit / 64).is_some_and(|word| word & 1 << (bit % 64) != 0)
    }

    #[inline]
    pub fn close_seen(&mut self, seen: Seen) {
        self.seen.truncate(seen.base);
    }

    /// Opens an empty set of keys.
    #[inline]
    pub fn open_keys(&self) -> Keys {
        Keys { base: self.keys.len(), table: Vec::new() }
    }

    /// Adds the key that stands in `text` at `place` and says whether it is new. The text may grow
    /// between calls, but earlier keys stay where they were.
    pub fn add_key(&mut self, keys: &mut Keys, text: &[u8], place: (usize, usize)) -> bool {
        let key = slice_of(text, place);
        let count = self.keys.len() - keys.base;
        if count < SMALL {
            let earlier = self.keys.iter().skip(keys.base);
            if earlier.into_iter().any(|&other| slice_of(text, other) == key) {
                return false;
            }
        } else {
            if (count + 1) * 2 > keys.table.len() {
                self.grow(keys, text);
            }
            if !self.probe(keys, text, place, count) {
                return false;
            }
        }
        self.keys.push(place);
        true
    }

    pub fn close_keys(&mut self, keys: Keys) {
        self.keys.truncate(keys.base);
        if keys.table.capacity() > 0 {
            self.tables.push(keys.table);
        }
    }

    fn grow(&mut self, keys: &mut Keys, text: &[u8]) {
        if keys.table.capacity() == 0 {
            keys.table = self.tables.pop().unwrap_or_default();
        }
        let count = self.keys.len() - keys.base;
        keys.table.clear();
        keys.table.resize(((count + 1) * 4).next_power_of_two(), 0);
        for at in 0..count {
            if let Some(&place) = self.keys.get(keys.base + at) {
                self.probe(keys, text, place, at);
            }
        }
    }

    /// Finds the key's slot, and fills it with the key's index if the key is new.
    fn probe(&self, keys: &mut Keys, text: &[u8], place: (usize, usize), index: usize) -> bool {
        let key = slice_of(text, place);
        let mask = keys.table.len() - 1;
        let mut at = self.hasher.hash_one(key) as usize & mask;
        while let Some(slot) = keys.table.get_mut(at) {
            let Some(other) = slot.checked_sub(1) else {
                *slot = index as u32 + 1;
                return true;
            };
            let other = self.keys.get(keys.base + other as usize).copied().unwrap_or_default();
            if slice_of(text, other) == key {
                return false;
            }
            at = (at + 1) & mask;
        }
        true
    }
}

fn slice_of(text: &[u8], (start, end): (usize, usize)) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_belong_to_their_object() {
        let mut scratch = Scratch::default();
        let outer = scratch.open_seen(70);
        assert!(scratch.see(outer, 69));
        let inner = scratch.open_seen(1);
        assert!(scratch.see(inner, 0));
        scratch.close_seen(inner);
        assert!(!scratch.see(outer, 69));
        assert!(scratch.see(outer, 0));
        assert!(scratch.has_seen(outer, 0) && !scratch.has_seen(outer, 1));
    }

    #[test]
    fn a_second_key_is_noticed_in_maps_of_any_size() {
        let mut scratch = Scratch::default();
        let text: Vec<u8> = (0..2_000).flat_map(|n: u32| n.to_le_bytes()).collect();
        let mut outer = scratch.open_keys();
        for n in 0..2_000 {
            assert!(scratch.add_key(&mut outer, &text, (n * 4, n * 4 + 4)));
            if n % 100 == 0 {
                let mut inner = scratch.open_keys();
                for m in 0..50 {
                    assert!(scratch.add_key(&mut inner, &text, (m * 4, m * 4 + 4)));
                    assert!(!scratch.add_key(&mut inner, &text, (m * 4, m * 4 + 4)));
                }
                scratch.close_keys(inner);
            }
        }
        for n in 0..2_000 {
            assert!(!scratch.add_key(&mut outer, &text, (n * 4, n * 4 + 4)));
        }
        scratch.close_keys(outer);
        assert!(scratch.keys.is_empty());
    }
}
