//! Address blocks of one path in one node. Blocks either contain one another or are disjoint, so a sorted array with
//! links to the next enclosing block answers like the prefixes do: one binary search, then the chain of parents.
//!
//! COST: O(log n) plus the number of enclosing blocks, at most 128.

use super::record::Target;
use crate::value::ip::{Cidr, Ip};

const NO_PARENT: u32 = u32::MAX;

struct Entry {
    block: Cidr,
    parent: u32,
    target: Target,
}

/// The index; frozen after its build.
pub struct CidrIndex {
    entries: Vec<Entry>,
}

impl CidrIndex {
    /// Blocks and their targets, in any order.
    pub fn new(mut items: Vec<(Cidr, Target)>) -> Self {
        items.sort_by_key(|(c, _)| (c.v6, c.base, c.len));
        let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
        let mut open: Vec<u32> = Vec::new();
        for (block, target) in items {
            let first = Ip { v6: block.v6, bits: if block.v6 { block.base } else { block.base >> 96 } };
            while open.last().is_some_and(|top| !entries[*top as usize].block.contains(first)) {
                open.pop();
            }
            let parent = open.last().copied().unwrap_or(NO_PARENT);
            open.push(entries.len() as u32);
            entries.push(Entry { block, parent, target });
        }
        Self { entries }
    }

    /// Calls `visit` with the target of every block that contains the address.
    #[inline]
    pub fn each_containing(&self, ip: Ip, mut visit: impl FnMut(Target)) {
        let key = (ip.v6, ip.left());
        let end = self.entries.partition_point(|e| (e.block.v6, e.block.base) <= key);
        let mut at = (end as u32).wrapping_sub(1);
        while at != NO_PARENT {
            let entry = &self.entries[at as usize];
            if entry.block.contains(ip) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_brute_force() {
        let mut x = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x % n
        };
        let mut address =
            |v6: bool| Ip { v6, bits: if v6 { (next(4) as u128) << 120 | next(8) as u128 } else { (next(4) << 24 | next(4)) as u128 } };
        let blocks: Vec<Cidr> = (0..400)
            .map(|i| {
                let ip = address(i % 3 == 0);
                Cidr::new(ip, (i % if ip.v6 { 128 } else { 32 }) as u8)
            })
            .collect();
        let index = CidrIndex::new(blocks.iter().enumerate().map(|(i, c)| (*c, Target::run(i as u32))).collect());
        for i in 0..500 {
            let ip = address(i % 2 == 0);
            let mut hits = vec![];
            index.each_containing(ip, |t| hits.push(t.0 as usize));
            hits.sort_unstable();
            assert_eq!(hits, (0..blocks.len()).filter(|b| blocks[*b].contains(ip)).collect::<Vec<_>>());
        }
    }
}
