//! Ranges of one path in one node: sorted by lower end, with the greatest upper end of each implicit subtree. And what
//! a segment's conditions ask of the numbers of each path, from which the walk learns which numbers make no difference.
//!
//! COST: a stab takes O(log n + hits). SOURCE: augmented interval tree, laid out in the sorted array itself
//! (the middle of a slice is its root), so that it needs no links.

use super::{
    operands::{OperandKind, Operands},
    record::{Op, Records, Target},
    segment::Segment,
};
use crate::{
    map::Map,
    path::PathId,
    pattern::tree::Range,
    value::sieve::{Asked, Sieves},
};

struct Entry {
    lo: u64,
    hi: u64,
    /// Greatest `hi` in the subtree whose root this entry is.
    greatest: u64,
    target: Target,
}

/// The index; frozen after its build.
pub struct RangeIndex {
    entries: Vec<Entry>,
}

/// Slices this short are scanned.
const LEAF: usize = 8;

impl RangeIndex {
    /// Ranges and their targets, in any order.
    pub fn new(items: Vec<(Range, Target)>) -> Self {
        let mut entries: Vec<Entry> = items.into_iter().map(|(r, target)| Entry { lo: r.lo, hi: r.hi, greatest: r.hi, target }).collect();
        entries.sort_by_key(|e| (e.lo, e.hi));
        Self::augment(&mut entries);
        Self { entries }
    }

    fn augment(entries: &mut [Entry]) -> u64 {
        if entries.is_empty() {
            return 0;
        }
        let middle = entries.len() / 2;
        let (left, rest) = entries.split_at_mut(middle);
        let (root, right) = rest.split_first_mut().expect("not empty");
        root.greatest = root.hi.max(Self::augment(left)).max(Self::augment(right));
        root.greatest
    }

    /// Calls `visit` with the target of every range that contains `key`.
    #[inline]
    pub fn stab(&self, key: u64, mut visit: impl FnMut(Target)) {
        Self::stab_slice(&self.entries, key, &mut visit);
    }

    fn stab_slice(entries: &[Entry], key: u64, visit: &mut impl FnMut(Target)) {
        if entries.len() <= LEAF {
            for entry in entries {
                if entry.lo > key {
                    return;
                }
                if key <= entry.hi {
                    visit(entry.target);
                }
            }
            return;
        }
        let middle = entries.len() / 2;
        let root = &entries[middle];
        if root.greatest < key {
            return;
        }
        Self::stab_slice(&entries[..middle], key, visit);
        if root.lo <= key {
            if key <= root.hi {
                visit(root.target);
            }
            Self::stab_slice(&entries[middle + 1..], key, visit);
        }
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Calls `visit` once with the target of every range that contains any of the keys, which ascend.
    /// COST: at most a search among the keys for each range, however many of them it contains.
    pub fn meet(&self, keys: &[u64], mut visit: impl FnMut(Target)) {
        Self::meet_slice(&self.entries, keys, &mut visit);
    }

    fn meet_slice(entries: &[Entry], keys: &[u64], visit: &mut impl FnMut(Target)) {
        let (Some(first), Some(root)) = (keys.first(), entries.get(entries.len() / 2)) else { return };
        if root.greatest < *first {
            return;
        }
        let middle = entries.len() / 2;
        Self::meet_slice(&entries[..middle], keys, visit);
        // No range from here on begins before the root.
        let keys = &keys[keys.partition_point(|key| *key < root.lo)..];
        if keys.first().is_some_and(|key| *key <= root.hi) {
            visit(root.target);
        }
        Self::meet_slice(&entries[middle + 1..], keys, visit);
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}

/// What the records ask of the numbers of each path.
pub fn asked_of_numbers(records: &Records, operands: &Operands) -> Vec<(PathId, Asked)> {
    let mut by_path: Map<PathId, Asked> = Map::default();
    for field in &records.fields {
        let path = field.path();
        let mut equal = |arg: u32| match operands.kind(arg) {
            OperandKind::Number => {
                let key = operands.bytes(arg).try_into().map(u64::from_be_bytes).expect("a number's key has eight bytes");
                by_path.entry(path).or_default().equal(key);
            }
            OperandKind::NumberText => by_path.entry(path).or_default().text(),
            _ => {}
        };
        records.each_cond(field, |cond| match cond.op {
            Op::Exact => equal(cond.arg),
            Op::NotExact => records.list(cond.arg).iter().for_each(|arg| equal(*arg)),
            _ => {}
        });
        records.each_cond(field, |cond| {
            if cond.op == Op::Range {
                let range = &records.ranges[cond.arg as usize];
                by_path.entry(path).or_default().range(range.lo, range.hi);
            }
        });
    }
    by_path.into_iter().collect()
}

/// The sieves of the paths of several segments.
pub fn sieves<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Sieves {
    let mut by_path: Map<PathId, Asked> = Map::default();
    for segment in segments {
        segment.asked.iter().for_each(|(path, asked)| by_path.entry(*path).or_default().join(asked));
    }
    Sieves::new(by_path.iter().map(|(path, asked)| (*path, asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_brute_force() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x % n
        };
        for n in [0, 1, 7, 8, 9, 33, 500] {
            let ranges: Vec<Range> = (0..n)
                .map(|_| {
                    let lo = next(100);
                    Range { lo, hi: lo + next(30) }
                })
                .collect();
            let index = RangeIndex::new(ranges.iter().enumerate().map(|(i, r)| (*r, Target::run(i as u32))).collect());
            for key in 0..140 {
                let mut hits = vec![];
                index.stab(key, |t| hits.push(t.0 as usize));
                hits.sort_unstable();
                let want: Vec<usize> = (0..ranges.len()).filter(|i| (ranges[*i].lo..=ranges[*i].hi).contains(&key)).collect();
                assert_eq!(hits, want);
            }
            for count in [0, 1, 2, 5, 40] {
                let mut keys: Vec<u64> = (0..count).map(|_| next(140)).collect();
                keys.sort_unstable();
                let mut hits = vec![];
                index.meet(&keys, |t| hits.push(t.0 as usize));
                hits.sort_unstable();
                let met = |r: &Range| keys.iter().any(|key| (r.lo..=r.hi).contains(key));
                let want: Vec<usize> = (0..ranges.len()).filter(|i| met(&ranges[*i])).collect();
                assert_eq!(hits, want);
            }
        }
    }
}
