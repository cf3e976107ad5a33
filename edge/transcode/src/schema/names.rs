//! An open-addressed hash from names to small indices, looked up by bytes.

/// Marks an empty slot; tables with as many entries are refused by the compiler.
const EMPTY: u16 = u16::MAX;

/// Names of one message or enum. The table stores indices only: the caller compares the bytes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: Box<[(u32, u16)]>,
}

impl Names {
    /// Builds the table. A name given twice keeps its first index.
    pub fn build<'a>(names: impl Iterator<Item = (&'a str, u16)>) -> Self {
        let names: Vec<_> = names.collect();
        let size = (names.len() * 2).next_power_of_two().max(2);
        let mut slots = vec![(0, EMPTY); size];
        for (name, index) in names {
            let hash = hash_name(name.as_bytes());
            let mut at = hash as usize & (size - 1);
            while let Some(slot) = slots.get_mut(at) {
                if slot.1 == EMPTY {
                    *slot = (hash, index);
                    break;
                }
                at = (at + 1) & (size - 1);
            }
        }
        Self { slots: slots.into_boxed_slice() }
    }

    /// The first index whose hash fits and that `matches` accepts.
    #[inline]
    pub fn find(&self, name: &[u8], matches: impl Fn(u16) -> bool) -> Option<u16> {
        let mask = self.slots.len().wrapping_sub(1);
        let hash = hash_name(name);
        let mut at = hash as usize & mask;
        loop {
            let &(slot_hash, index) = self.slots.get(at)?;
            if index == EMPTY {
                return None;
            }
            if slot_hash == hash && matches(index) {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }
}

/// A multiplicative hash over eight bytes at a time. The keys come from the schema, so an attacker
/// can lengthen a probe only as far as the table is full, which is never more than half.
#[inline]
fn hash_name(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
        state ^= state >> 29;
    }
    let mut last = 0;
    for &byte in chunks.remainder() {
        last = last << 8 | u64::from(byte);
    }
    state = (state ^ last).wrapping_mul(FACTOR);
    (state >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn finds_every_name_and_nothing_else() {
        let names: Vec<String> = (0..300).map(|n| format!("field_number_{n}")).collect();
        let table = Names::build(names.iter().enumerate().map(|(i, n)| (n.as_str(), i as u16)));
        let find = |name: &str| table.find(name.as_bytes(), |i| names[usize::from(i)] == name);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(find(name), Some(index as u16));
        }
        assert_eq!(find("field_number_300"), None);
        assert_eq!(find(""), None);
        assert_eq!(Names::build(std::iter::empty()).find(b"x", |_| true), None);
    }
}
