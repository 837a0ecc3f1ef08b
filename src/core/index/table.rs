//! Dispatch by exact value: one table for all nodes of a segment, keyed by (node, path, tag of the operand). So a value is
//! asked where it leads before anybody knows its operand, which only the few values need that some candidate asks for.
//! A slot holds a tag and a target, 8 bytes. A tag may by chance be a stranger's, so every target found is only a
//! candidate: whoever follows it verifies each field of the conjunctions there, the dispatching one included.

use super::{record::Target, tags::Tags};
use crate::path::PathId;

/// Names a node within its segment.
pub type NodeId = u32;

/// The table; frozen after its build.
pub struct DispatchTable {
    targets: Tags,
    seed: u64,
}

impl DispatchTable {
    /// A table of the given entries: node, path, the operand's tag, target. `seed` keeps collisions from being prepared.
    pub fn new(entries: impl Iterator<Item = (NodeId, PathId, u32, Target)>, seed: u64) -> Self {
        let tagged = entries.map(|(node, path, operand, target)| (tag(seed, node, path, operand), target.0)).collect();
        Self { targets: Tags::of(tagged), seed }
    }

    /// Calls `visit` with every target that the key may lead to; the right one is among them if there is one.
    #[inline]
    pub fn candidates(&self, node: NodeId, path: PathId, operand: u32, mut visit: impl FnMut(Target)) {
        self.targets.find(tag(self.seed, node, path, operand), |target| {
            visit(Target(target));
            false
        });
    }

    /// Has the slot read ahead at which `candidates` will look.
    #[inline]
    pub fn expect(&self, node: NodeId, path: PathId, operand: u32) {
        self.targets.expect(tag(self.seed, node, path, operand));
    }

    /// Has it lie in large pages.
    pub fn collapse(&self) {
        self.targets.collapse();
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.targets.size_bytes()
    }
}

#[inline]
fn tag(seed: u64, node: NodeId, path: PathId, operand: u32) -> u32 {
    let a = (node as u64) << 32 | operand as u64;
    let b = (path as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let product = (a ^ b ^ seed) as u128 * 0xe703_7ed1_a0b4_28db_u128;
    (((product >> 64) as u64 ^ product as u64) >> 32) as u32
}
