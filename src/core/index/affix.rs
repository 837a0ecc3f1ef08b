//! Prefixes (and suffixes, read backwards) of one path in one node. Many of a few lengths, as rules by tenant or account
//! have them, are found by a lookup for each length. All others lie in a sorted array in which each entry knows the
//! longest other entry that is a proper prefix of it: one binary search finds the last entry not greater than the
//! value; every prefix of the value lies on that entry's chain of parents.
//!
//! COST: a lookup for each of at most eight lengths; or O(log n) comparisons, most decided by eight inline bytes unless
//! the texts begin alike, plus the length of the chain. Of 25,000 prefixes that begin with the same eight bytes a search
//! took 17 comparisons of texts, most of them in memory that no cache held.

use super::{
    ends::{End, Ends, commonest_lengths},
    operands::{OperandId, Operands},
    record::Target,
};
use crate::{
    memory,
    value::text::{begins, first_word, same},
};

const NO_PARENT: u32 = u32::MAX;

struct Entry {
    /// First eight bytes, big end first: decides most comparisons without touching the text.
    head: u64,
    operand: OperandId,
    parent: u32,
    target: Target,
}

/// The index; frozen after its build.
pub struct AffixIndex {
    /// Of many texts of a few lengths, then there are no entries: targets without a look at the texts, which is one walk
    /// through memory less; or places in `items`, which are certain.
    ends: Option<Ends>,
    items: Vec<(OperandId, Target)>,
    entries: Vec<Entry>,
    longest: usize,
    /// A bit for each byte that a text begins with: hardly a value begins like any of a few.
    firsts: [u64; 4],
}

/// So many texts are worth a table, if they have few lengths.
const MANY: usize = 8;

/// The first eight bytes of a text, big end first.
#[inline]
pub(super) fn head(text: &[u8]) -> u64 {
    first_word(text).swap_bytes()
}

impl AffixIndex {
    /// Operands and their targets, in any order; an operand may occur more than once. `exact`: only what is a prefix may
    /// be found, not what might be one.
    pub fn new(items: Vec<(OperandId, Target)>, operands: &Operands, exact: bool) -> Self {
        let text = |item: &(OperandId, Target)| operands.bytes(item.0);
        let longest = items.iter().map(|item| text(item).len()).max().unwrap_or(0);
        let mut firsts = [0; 4];
        items.iter().for_each(|item| match text(item).first() {
            Some(byte) => firsts[*byte as usize / 64] |= 1 << (byte % 64),
            None => firsts = [u64::MAX; 4],
        });
        let lengths = commonest_lengths(items.iter().map(|item| text(item).len()));
        if items.len() < MANY || items.iter().any(|item| !lengths.contains(&(text(item).len() as u32))) {
            return Self { ends: None, items: vec![], entries: sorted(items, operands), longest, firsts };
        }
        let mut certain = Vec::new();
        let numbers: Vec<u32> = items
            .iter()
            .map(|item| {
                // Below a node nobody remembers which value led there.
                if !exact && !item.1.is_node() {
                    return item.1.0;
                }
                certain.push(*item);
                Target::place(certain.len() as u32 - 1).0
            })
            .collect();
        let texts = items.iter().zip(numbers).map(|(item, number)| (text(item), number));
        let ends = Ends::new(End::Front, lengths, texts, operands.hasher());
        Self { ends: Some(ends), items: certain, entries: vec![], longest, firsts }
    }

    /// Whether an entry may be a prefix of a text with this first byte.
    #[inline(always)]
    pub fn may_begin(&self, first: Option<&u8>) -> bool {
        first.is_none_or(|byte| self.firsts[*byte as usize / 64] >> (byte % 64) & 1 != 0)
    }

    /// Calls `visit` with the target of every entry that is a prefix of `text`, and whether that is certain.
    #[inline]
    pub fn each_prefix(&self, text: &[u8], operands: &Operands, mut visit: impl FnMut(Target, bool)) {
        if let Some(ends) = &self.ends {
            ends.each(text, |number, len| match Target(number).get_place() {
                None => visit(Target(number), false),
                Some(place) => {
                    let (operand, target) = self.items[place as usize];
                    if same(operands.bytes(operand), &text[..len]) {
                        visit(target, true);
                    }
                }
            });
            return;
        }
        let key = head(text);
        let end = self.entries.partition_point(|e| e.head < key || e.head == key && operands.bytes(e.operand) <= text);
        let mut at = (end as u32).wrapping_sub(1);
        // Going up, an ancestor of a prefix is a prefix; below that, entries are longer or differ and are skipped.
        while at != NO_PARENT {
            let entry = &self.entries[at as usize];
            if begins(text, operands.bytes(entry.operand)) {
                visit(entry.target, true);
            }
            at = entry.parent;
        }
    }

    /// Whether `expect` helps.
    pub fn is_hashed(&self) -> bool {
        self.ends.is_some()
    }

    /// Has read ahead where `each_prefix` will look.
    pub fn expect(&self, text: &[u8]) {
        if let Some(ends) = &self.ends {
            ends.expect(text);
        }
    }

    /// Length of the longest entry: what stands behind it in a text makes no difference.
    #[inline]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Has it lie in large pages.
    pub fn collapse(&self) {
        self.ends.iter().for_each(Ends::collapse);
        memory::collapse(&self.entries);
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        let ends = self.ends.as_ref().map_or(0, Ends::size_bytes) + self.items.capacity() * 8;
        self.entries.capacity() * size_of::<Entry>() + ends
    }
}

fn sorted(mut items: Vec<(OperandId, Target)>, operands: &Operands) -> Vec<Entry> {
    items.sort_by(|a, b| operands.bytes(a.0).cmp(operands.bytes(b.0)));
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    let mut open: Vec<u32> = Vec::new();
    for (operand, target) in items {
        let text = operands.bytes(operand);
        while let Some(&top) = open.last() {
            if text.starts_with(operands.bytes(entries[top as usize].operand)) {
                break;
            }
            open.pop();
        }
        let parent = open.last().copied().unwrap_or(NO_PARENT);
        open.push(entries.len() as u32);
        entries.push(Entry { head: head(text), operand, parent, target });
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        operands::{OperandHasher, OperandKind},
        record::Goes,
    };

    #[test]
    fn equals_brute_force() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 16) % n
        };
        let number = |target: Target| match target.get() {
            Goes::Node(n) | Goes::Run(n) | Goes::One(n) => n as usize,
        };
        // Few and many lengths, on both sides of `MANY`; the empty text; texts within texts; some twice.
        for (count, most) in [(1, 3), (7, 5), (8, 5), (200, 3), (200, 7), (200, 8), (200, 12), (400, 40)] {
            let mut operands = Operands::new(OperandHasher::default());
            let mut text = |most: u64| (0..next(most)).map(|_| b'a' + next(2) as u8).collect::<Vec<u8>>();
            let mut texts: Vec<Vec<u8>> = (0..count).map(|_| text(most)).collect();
            texts.push(texts[0].clone());
            let items: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(n, t)| {
                    (operands.intern(OperandKind::String, t), if n % 3 == 0 { Target::node(n as u32) } else { Target::run(n as u32) })
                })
                .collect();
            let (exact, index) = (AffixIndex::new(items.clone(), &operands, true), AffixIndex::new(items, &operands, false));
            assert_eq!(index.longest(), texts.iter().map(Vec::len).max().unwrap());
            for _ in 0..300 {
                let value = text(most + 4);
                let want: Vec<usize> = (0..texts.len()).filter(|n| value.starts_with(&texts[*n])).collect();
                assert!(want.is_empty() || index.may_begin(value.first()));
                let mut found = vec![];
                exact.each_prefix(&value, &operands, |target, certain| found.push((number(target), certain)));
                found.sort_unstable();
                assert_eq!(found, want.iter().map(|n| (*n, true)).collect::<Vec<_>>());
                let mut found = vec![];
                index.each_prefix(&value, &operands, |target, certain| {
                    assert!(certain || !target.is_node());
                    found.push(number(target));
                });
                assert!(want.iter().all(|n| found.contains(n)));
            }
        }
    }
}
