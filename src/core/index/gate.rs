//! Before a small segment: could any value of an event be one that the segment's root looks for by equality? Most events
//! have none in the newest rules, and then no value need be looked up there.
//!
//! Idea: two bits of one word for each pair of path and tag that the root looks for, in a table with a word for every two
//! of them. COST: one word read for each value, 4 bytes a pair; one value in about two hundred passes by chance.

use crate::path::PathId;

/// The tags under which `true`, `false` and `null` stand.
pub const LITERALS: [u32; 3] = [1, 2, 3];

/// The filter; frozen after its build.
pub struct Gate {
    words: Vec<u64>,
}

impl Gate {
    /// Of pairs of path and tag of an operand.
    pub fn new(pairs: &[(PathId, u32)]) -> Self {
        let mut new = Self { words: vec![0; pairs.len().div_ceil(2).next_power_of_two()] };
        for (path, tag) in pairs {
            let (word, bits) = new.place(*path, *tag);
            new.words[word] |= bits;
        }
        new
    }

    /// Whether the pair may be among them.
    #[inline]
    pub fn admits(&self, path: PathId, tag: u32) -> bool {
        let (word, bits) = self.place(path, tag);
        self.words[word] & bits == bits
    }

    #[inline]
    fn place(&self, path: PathId, tag: u32) -> (usize, u64) {
        // A tag is half a good hash; what the path adds reaches the upper half, which chooses the bits.
        let mixed = (u64::from(path) << 32 | u64::from(tag)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = 1 << (mixed >> 58) | 1 << (mixed >> 52 & 63);
        ((mixed >> 20) as usize & (self.words.len() - 1), bits)
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.words.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_what_is_there_and_little_else() {
        let mut x = 88172645463325252u64;
        let mut tag = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u32
        };
        for size in [0, 1, 2, 100, 5_000] {
            let pairs: Vec<(PathId, u32)> = (0..size).map(|n| (n % 7, tag())).collect();
            let gate = Gate::new(&pairs);
            assert!(pairs.iter().all(|(path, tag)| gate.admits(*path, *tag)));
            let strangers = (0..10_000u32).filter(|n| gate.admits(n % 7, tag())).count();
            assert!(strangers < 300, "{strangers} of 10,000 beside {size}");
            // A known tag on another path is a stranger.
            let moved = pairs.iter().filter(|(path, tag)| gate.admits(path + 7, *tag)).count();
            assert!(moved * 20 <= pairs.len(), "{moved} of {size}");
        }
    }
}
