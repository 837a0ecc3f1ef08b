//! Prefixes (and suffixes, read backwards) of one path in one node: a sorted array in which each entry knows the
//! longest other entry that is a proper prefix of it. One binary search finds the last entry not greater than the
//! value; every prefix of the value lies on that entry's chain of parents.
//!
//! COST: O(log n) comparisons, most decided by eight inline bytes, plus the length of the chain. Hashing per length
//! collapses when many prefixes share long beginnings; this does not.

use super::{
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
    entries: Vec<Entry>,
}

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
    pub fn new(mut items: Vec<(OperandId, Target)>, operands: &Operands) -> Self {
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
        Self { entries }
    }

    /// Calls `visit` with the target of every entry that is a prefix of `text`.
    #[inline]
    pub fn each_prefix(&self, text: &[u8], operands: &Operands, mut visit: impl FnMut(Target)) {
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

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}
