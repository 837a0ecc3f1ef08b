//! Dispatch by exact value: one open-addressing table for all nodes of a segment, keyed by (node, path, operand).
//! A slot holds a tag and a target, 8 bytes. A tag may by chance be a stranger's, so every target found is only a
//! candidate: whoever follows it verifies each field of the conjunctions there, the dispatching one included.

use super::record::Target;
use crate::path::PathId;

/// Names a node within its segment.
pub type NodeId = u32;

const EMPTY: Target = Target(u32::MAX);

/// The table; frozen after its build.
pub struct DispatchTable {
    /// (tag, target)
    slots: Vec<(u32, Target)>,
    seed: u64,
}

impl DispatchTable {
    /// A table of the given entries, no key twice. `seed` keeps collisions from being prepared.
    pub fn new(entries: &[(NodeId, PathId, u32, Target)], seed: u64) -> Self {
        let size = (entries.len() * 3 / 2 + 1).next_power_of_two().max(2);
        let mut table = Self { slots: vec![(0, EMPTY); size], seed };
        for &(node, path, operand, target) in entries {
            let hash = table.mix(node, path, operand);
            let mut i = hash as usize & (size - 1);
            while table.slots[i].1 != EMPTY {
                i = (i + 1) & (size - 1);
            }
            table.slots[i] = ((hash >> 32) as u32, target);
        }
        table
    }

    #[inline]
    fn mix(&self, node: NodeId, path: PathId, operand: u32) -> u64 {
        let a = (node as u64) << 32 | operand as u64;
        let b = (path as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let product = (a ^ b ^ self.seed) as u128 * 0xe703_7ed1_a0b4_28db_u128;
        (product >> 64) as u64 ^ product as u64
    }

    /// Calls `visit` with every target that the key may lead to; the right one is among them if there is one.
    #[inline]
    pub fn candidates(&self, node: NodeId, path: PathId, operand: u32, mut visit: impl FnMut(Target)) {
        let (hash, mask) = (self.mix(node, path, operand), self.slots.len() - 1);
        let tag = (hash >> 32) as u32;
        let mut i = hash as usize & mask;
        loop {
            let (t, target) = self.slots[i];
            if target == EMPTY {
                return;
            }
            if t == tag {
                visit(target);
            }
            i = (i + 1) & mask;
        }
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.slots.capacity() * 8
    }
}
