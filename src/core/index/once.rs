//! Finds what is kept once by its content, while a segment is built: a hash table of numbers. It keeps half of each hash
//! beside the number, so that growing it reads nothing else.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// Numbers of things that lie elsewhere.
#[derive(Default)]
pub struct Once {
    /// (half of the hash, number)
    table: HashTable<(u32, u32)>,
    state: RandomState,
}

/// The hash of an entry, from the half that is kept.
fn whole(half: u32) -> u64 {
    (half as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Once {
    /// Makes room for so many things.
    pub fn reserve(&mut self, more: usize) {
        self.table.reserve(more, |(half, _)| whole(*half));
    }

    /// The number of the thing that hashes like `content` and of which `same` holds.
    pub fn find<T: Hash + ?Sized>(&self, content: &T, same: impl Fn(u32) -> bool) -> Option<u32> {
        let half = self.half(content);
        self.table.find(whole(half), |(h, n)| *h == half && same(*n)).map(|(_, n)| *n)
    }

    /// Notes the number of a thing that is not there.
    pub fn insert<T: Hash + ?Sized>(&mut self, content: &T, number: u32) {
        let half = self.half(content);
        self.table.insert_unique(whole(half), (half, number), |(half, _)| whole(*half));
    }

    fn half<T: Hash + ?Sized>(&self, content: &T) -> u32 {
        (self.state.hash_one(content) >> 32) as u32
    }
}
