//! The hash table under operands and dispatch: numbers found by a tag, which is half a hash. Linear probing in which the
//! entries lie in the order of their tags: where to begin follows from the tag in the same order, so a search ends as
//! soon as it meets a greater tag, and growing is one pass over two arrays.
//!
//! A tag may be a stranger's: whoever asks must look at what the number names.
//! COST: at four fifths full three slots on average, mostly of one cache line; 10 bytes an entry.
//! SOURCE: Amble and Knuth, Ordered hash tables, 1974; Lemire, Fast random integer generation in an interval, 2019.

use crate::memory;

/// No number; the greatest, which no entry may have.
pub const NONE: u32 = u32::MAX;

/// Sorts behind every entry.
const EMPTY: (u32, u32) = (u32::MAX, NONE);
/// A table with fewer entries is small.
const SMALL: usize = 4096;
/// Slots behind the last place where a search may begin.
const TAIL: usize = 16;

/// The table.
pub struct Tags {
    /// (tag, number); the last one is always empty.
    slots: Vec<(u32, u32)>,
    /// Places where a search may begin.
    homes: usize,
    len: usize,
}

impl Default for Tags {
    /// A table without entries.
    fn default() -> Self {
        Self { slots: vec![EMPTY; 8 + TAIL], homes: 8, len: 0 }
    }
}

impl Tags {
    /// A frozen table of these entries.
    pub fn of(mut entries: Vec<(u32, u32)>) -> Self {
        entries.sort_unstable();
        let mut new = Self { slots: vec![], homes: 0, len: entries.len() };
        new.lay(homes_of(entries.len()), &entries);
        new
    }

    /// The number of this tag for which `same` holds, or `NONE`.
    #[inline]
    pub fn find(&self, tag: u32, mut same: impl FnMut(u32) -> bool) -> u32 {
        let mut i = self.home(tag);
        loop {
            let (t, number) = self.slots[i];
            if t > tag {
                return NONE;
            }
            if t == tag && (number == NONE || same(number)) {
                return number;
            }
            i += 1;
        }
    }

    /// Has the slot read ahead at which a search begins.
    #[inline]
    pub fn expect(&self, tag: u32) {
        memory::expect(&self.slots, self.home(tag));
    }

    /// Adds an entry.
    pub fn insert(&mut self, tag: u32, number: u32) {
        if (self.len + 1) * 10 > self.homes * 7 {
            self.rebuild(self.homes * 2);
        }
        loop {
            let mut at = self.home(tag);
            while self.slots[at].1 != NONE && self.slots[at].0 <= tag {
                at += 1;
            }
            let last = self.slots.len() - 1;
            if let Some(free) = self.slots[at..last].iter().position(|(_, number)| *number == NONE) {
                self.slots.copy_within(at..at + free, at + 1);
                self.slots[at] = (tag, number);
                self.len += 1;
                return;
            }
            self.slots.resize(self.slots.len() + TAIL, EMPTY);
        }
    }

    /// Gives back what growth reserved.
    pub fn freeze(&mut self) {
        self.rebuild(homes_of(self.len));
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.slots.capacity() * 8
    }

    fn rebuild(&mut self, homes: usize) {
        let entries = std::mem::take(&mut self.slots);
        self.lay(homes, &entries);
    }

    /// Lays out entries, which are in order; empty slots among them are left out.
    fn lay(&mut self, homes: usize, entries: &[(u32, u32)]) {
        self.homes = homes;
        self.slots = vec![EMPTY; homes + TAIL];
        let mut next = 0;
        for entry in entries.iter().filter(|(_, number)| *number != NONE) {
            next = self.home(entry.0).max(next);
            if next + 1 >= self.slots.len() {
                self.slots.resize(next + TAIL, EMPTY);
            }
            self.slots[next] = *entry;
            next += 1;
        }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.homes as u64) >> 32) as usize
    }
}

/// Homes of a frozen table: a small one may be half empty, which shortens the search.
fn homes_of(entries: usize) -> usize {
    if entries < SMALL { entries * 2 + 1 } else { entries * 5 / 4 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_a_list() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 16) % n
        };
        // Tags of the whole range, of a few values, and crowded at both ends.
        for kind in 0..4 {
            for size in [0, 1, 7, 100, 3_000] {
                let mut tag = || match kind {
                    0 => next(1 << 32) as u32,
                    1 => next(5) as u32 * 0x3333_3333,
                    2 => next(200) as u32,
                    _ => u32::MAX - next(200) as u32,
                };
                let entries: Vec<(u32, u32)> = (0..size).map(|n| (tag(), n)).collect();
                let mut grown = Tags::default();
                entries.iter().for_each(|(tag, n)| grown.insert(*tag, *n));
                let check = |table: &Tags| {
                    for (tag, n) in &entries {
                        assert_eq!(table.find(*tag, |m| m == *n), *n);
                        let mut seen = vec![];
                        assert_eq!(
                            table.find(*tag, |m| {
                                seen.push(m);
                                false
                            }),
                            NONE
                        );
                        seen.sort_unstable();
                        assert_eq!(seen, entries.iter().filter(|(t, _)| t == tag).map(|(_, n)| *n).collect::<Vec<_>>());
                    }
                    for tag in [0, 1, 77, 1 << 31, u32::MAX] {
                        assert_eq!(table.find(tag, |_| true) != NONE, entries.iter().any(|(t, _)| *t == tag));
                    }
                };
                check(&grown);
                grown.freeze();
                check(&grown);
                check(&Tags::of(entries.clone()));
            }
        }
    }
}
