//! Before a small segment: could any value of an event be one that the segment's root looks for by equality? Most events
//! have none in the newest rules, and then no value need be looked up there.
//!
//! Idea: two bits of one word for each pair of path and hash that the root looks for, in a table with a word for every two
//! of them. COST: one word read for each value, 4 bytes a pair; one value in about two hundred passes by chance.

use crate::path::PathId;

/// The hashes under which `true`, `false` and `null` stand.
pub const LITERALS: [u64; 3] = [1, 2, 3];

/// The filter; frozen after its build.
pub struct Gate {
    words: Vec<u64>,
}

impl Gate {
    /// Of pairs of path and hash.
    pub fn new(pairs: &[(PathId, u64)]) -> Self {
        let mut new = Self { words: vec![0; pairs.len().div_ceil(2).next_power_of_two()] };
        for (path, hash) in pairs {
            let (word, bits) = new.place(*path, *hash);
            new.words[word] |= bits;
        }
        new
    }

    /// Whether the pair may be among them.
    #[inline]
    pub fn admits(&self, path: PathId, hash: u64) -> bool {
        let (word, bits) = self.place(path, hash);
        self.words[word] & bits == bits
    }

    #[inline]
    fn place(&self, path: PathId, hash: u64) -> (usize, u64) {
        let mixed = (hash ^ u64::from(path).wrapping_mul(0xe703_7ed1_a0b4_28db)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
        let mut hash = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        for size in [0, 1, 2, 100, 5_000] {
            let pairs: Vec<(PathId, u64)> = (0..size).map(|n| (n % 7, hash())).collect();
            let gate = Gate::new(&pairs);
            assert!(pairs.iter().all(|(path, hash)| gate.admits(*path, *hash)));
            let strangers = (0..10_000u32).filter(|n| gate.admits(n % 7, hash())).count();
            assert!(strangers < 300, "{strangers} of 10,000 beside {size}");
            // A known hash on another path is a stranger.
            let moved = pairs.iter().filter(|(path, hash)| gate.admits(path + 7, *hash)).count();
            assert!(moved * 20 <= pairs.len(), "{moved} of {size}");
        }
    }
}
