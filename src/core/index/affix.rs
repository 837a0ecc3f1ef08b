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
    /// Of many texts of a few lengths, and the operands and targets under their numbers. Then there are no entries.
    ends: Option<(Ends, Vec<(OperandId, Target)>)>,
    entries: Vec<Entry>,
    longest: usize,
}

/// So many texts are worth a table, if they have few lengths.
const MANY: usize = 8;

#[inline]
fn head(text: &[u8]) -> u64 {
    match text.first_chunk::<8>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut bytes = [0; 8];
            bytes[..text.len()].copy_from_slice(text);
            u64::from_be_bytes(bytes)
        }
    }
}

impl AffixIndex {
    /// Operands and their targets, in any order; an operand may occur more than once.
    pub fn new(items: Vec<(OperandId, Target)>, operands: &Operands) -> Self {
        let text = |item: &(OperandId, Target)| operands.bytes(item.0);
        let longest = items.iter().map(|item| text(item).len()).max().unwrap_or(0);
        let lengths = commonest_lengths(items.iter().map(|item| text(item).len()));
        if items.len() >= MANY && items.iter().all(|item| lengths.contains(&(text(item).len() as u32))) {
            let texts = items.iter().enumerate().map(|(number, item)| (text(item), number as u32));
            let ends = Ends::new(End::Front, lengths, texts, operands.hasher());
            return Self { ends: Some((ends, items)), entries: vec![], longest };
        }
        Self { ends: None, entries: sorted(items, operands), longest }
    }

    /// Calls `visit` with the target of every entry that is a prefix of `text`.
    #[inline]
    pub fn each_prefix(&self, text: &[u8], operands: &Operands, mut visit: impl FnMut(Target)) {
        if let Some((ends, items)) = &self.ends {
            ends.each(text, |number, len| {
                let (operand, target) = items[number as usize];
                if operands.bytes(operand) == &text[..len] {
                    visit(target);
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
            if text.starts_with(operands.bytes(entry.operand)) {
                visit(entry.target);
            }
            at = entry.parent;
        }
    }

    /// Length of the longest entry: what stands behind it in a text makes no difference.
    #[inline]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        let ends = self.ends.as_ref().map_or(0, |(ends, items)| ends.size_bytes() + items.capacity() * 8);
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
    use crate::index::operands::{OperandHasher, OperandKind};

    #[test]
    fn equals_brute_force() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 16) % n
        };
        // Few and many lengths, on both sides of `MANY`; the empty text; texts within texts; some twice.
        for (count, most) in [(1, 3), (7, 5), (8, 5), (200, 3), (200, 7), (200, 8), (200, 12), (400, 40)] {
            let mut operands = Operands::new(OperandHasher::default());
            let mut text = |most: u64| (0..next(most)).map(|_| b'a' + next(2) as u8).collect::<Vec<u8>>();
            let mut texts: Vec<Vec<u8>> = (0..count).map(|_| text(most)).collect();
            texts.push(texts[0].clone());
            let items = texts.iter().enumerate().map(|(n, t)| (operands.intern(OperandKind::String, t), Target::run(n as u32))).collect();
            let index = AffixIndex::new(items, &operands);
            assert_eq!(index.longest(), texts.iter().map(Vec::len).max().unwrap());
            for _ in 0..300 {
                let value = text(most + 4);
                let mut found = vec![];
                index.each_prefix(&value, &operands, |target| found.push(target.0 as usize));
                found.sort_unstable();
                let want: Vec<usize> = (0..texts.len()).filter(|n| value.starts_with(&texts[*n])).collect();
                assert_eq!(found, want);
            }
        }
    }
}
