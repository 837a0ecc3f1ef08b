//! The hash table under operands and dispatch: numbers found by a tag, which is half a hash. Buckets of eight entries, one
//! line of memory each, whose tags are compared at once; a search has no branch on single entries, which nothing could
//! predict. Entries lie in the order of their tags, and so do the buckets in which they begin to look for a place: a
//! search ends as soon as a bucket ends with an empty slot or a greater tag, and growing is one pass.
//!
//! A tag may be a stranger's: whoever asks must look at what the number names.
//! COST: at four fifths full 1.2 buckets on average; 10 bytes an entry.
//! SOURCE: Amble and Knuth, Ordered hash tables, 1974; Lemire, Fast random integer generation in an interval, 2019.

use crate::memory;

/// No number; the greatest, which no entry may have.
pub const NONE: u32 = u32::MAX;

/// Entries of a bucket.
const WIDTH: usize = 8;
/// A table with fewer entries is small.
const SMALL: usize = 4096;

/// A line of memory. Empty slots stand at its end, with the greatest tag and no number.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    tags: [u32; WIDTH],
    numbers: [u32; WIDTH],
}

const EMPTY: Bucket = Bucket { tags: [u32::MAX; WIDTH], numbers: [NONE; WIDTH] };

impl Bucket {
    /// A bit for each entry of this tag.
    #[inline(always)]
    fn like(&self, tag: u32) -> u32 {
        memory::places_of(tag, &self.tags)
    }
}

/// The table.
pub struct Tags {
    /// The last one is always empty.
    buckets: Vec<Bucket>,
    /// Buckets in which a search may begin.
    homes: usize,
    len: usize,
}

impl Default for Tags {
    /// A table without entries.
    fn default() -> Self {
        Self { buckets: vec![EMPTY; 2], homes: 1, len: 0 }
    }
}

impl Tags {
    /// A frozen table of these entries.
    pub fn of(mut entries: Vec<(u32, u32)>) -> Self {
        entries.sort_unstable();
        let mut new = Self { buckets: vec![], homes: 0, len: entries.len() };
        new.lay(homes_of(entries.len()), entries.into_iter());
        new
    }

    /// The number of this tag for which `same` holds, or `NONE`.
    #[inline]
    pub fn find(&self, tag: u32, mut same: impl FnMut(u32) -> bool) -> u32 {
        let mut at = self.home(tag);
        loop {
            let bucket = &self.buckets[at];
            let mut like = bucket.like(tag);
            while like != 0 {
                let number = bucket.numbers[like.trailing_zeros() as usize % WIDTH];
                if number == NONE || same(number) {
                    return number;
                }
                like &= like - 1;
            }
            // An empty slot counts as greater, unless the greatest tag was looked for, which ended there.
            if bucket.tags[WIDTH - 1] > tag {
                return NONE;
            }
            at += 1;
        }
    }

    /// Has the bucket read ahead at which a search begins.
    #[inline]
    pub fn expect(&self, tag: u32) {
        memory::expect(&self.buckets, self.home(tag));
    }

    /// Adds an entry.
    pub fn insert(&mut self, tag: u32, number: u32) {
        if (self.len + 1) * 10 > self.homes * WIDTH * 7 {
            self.rebuild(self.homes * 2);
        }
        let mut place = self.home(tag) * WIDTH;
        while self.slot(place).1 != NONE && self.slot(place).0 <= tag {
            place += 1;
        }
        // Up to the next empty slot everything moves on by one.
        let mut entry = (tag, number);
        while entry.1 != NONE {
            let (tags, numbers) = self.slot_mut(place);
            entry = (std::mem::replace(tags, entry.0), std::mem::replace(numbers, entry.1));
            place += 1;
        }
        if place > (self.buckets.len() - 1) * WIDTH {
            self.buckets.push(EMPTY);
        }
        self.len += 1;
    }

    /// Gives back what growth reserved.
    pub fn freeze(&mut self) {
        self.rebuild(homes_of(self.len));
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    fn slot(&self, place: usize) -> (u32, u32) {
        let bucket = &self.buckets[place / WIDTH];
        (bucket.tags[place % WIDTH], bucket.numbers[place % WIDTH])
    }

    fn slot_mut(&mut self, place: usize) -> (&mut u32, &mut u32) {
        let bucket = &mut self.buckets[place / WIDTH];
        (&mut bucket.tags[place % WIDTH], &mut bucket.numbers[place % WIDTH])
    }

    fn rebuild(&mut self, homes: usize) {
        let old = std::mem::take(&mut self.buckets);
        let entries = old.iter().flat_map(|bucket| bucket.tags.into_iter().zip(bucket.numbers)).filter(|(_, number)| *number != NONE);
        self.lay(homes, entries);
    }

    /// Lays out entries, which are in order.
    fn lay(&mut self, homes: usize, entries: impl Iterator<Item = (u32, u32)>) {
        self.homes = homes;
        self.buckets = Vec::with_capacity(homes + 2);
        self.buckets.resize(homes + 1, EMPTY);
        let mut next = 0;
        for entry in entries {
            next = next.max(self.home(entry.0) * WIDTH);
            if next / WIDTH + 1 >= self.buckets.len() {
                self.buckets.push(EMPTY);
            }
            let (tag, number) = self.slot_mut(next);
            (*tag, *number) = entry;
            next += 1;
        }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.homes as u64) >> 32) as usize
    }
}

/// Home buckets of a frozen table: a small one may be half empty, which shortens the search.
fn homes_of(entries: usize) -> usize {
    let slots = if entries < SMALL { entries * 2 } else { entries * 5 / 4 };
    slots / WIDTH + 1
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
