//! What a walk needs besides its result: bitmaps, the stack of open containers, and the table that finds duplicate
//! keys. Reused from event to event, so that a walk allocates nothing once it is warm.

use super::blocks::Block;
use crate::path::PathId;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Working memory of [`super::walk`]; one per thread, usable with any trie.
#[derive(Clone, Debug, Default)]
pub struct WalkState {
    pub(super) blocks: Vec<Block>,
    pub(super) frames: Vec<Frame>,
    pub(super) keys: Keys,
    /// An unescaped key.
    pub(super) key: Vec<u8>,
}

/// An open object or array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Serial number of an object, never used twice by one state.
    pub serial: u64,
    /// Its node in the trie, or `NO_NODE` below everything that rules ask for.
    pub node: PathId,
    /// The trail around it.
    pub trail: u32,
    /// Of an array whose elements are recorded, its number; else 0.
    pub array: u32,
    /// Elements of the array before the present one.
    pub index: u32,
    /// The bracket that closes it.
    pub close: u8,
    /// How it is reached from the container around it.
    pub via: Via,
}

/// No rule asks for anything here.
pub(super) const NO_NODE: PathId = PathId::MAX;

/// What leads to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// A key that no rule asks for, or an array.
    Nothing,
    /// A key.
    Key,
    /// A key with dots in it.
    DottedKey,
}

/// Finds keys that an object has twice, in constant time a key: for every node, the object in which its key was last
/// met and the leaves that came of it. While an object is open, its keys' nodes are met in no other object, because
/// every key leads to a deeper node; only keys with dots can cross, and they are kept apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    seen: Vec<Seen>,
    dotted: HashMap<(u64, PathId), (u32, u32), RandomState>,
    /// Leaves of earlier values of a key: ranges, in any order.
    dead: Vec<(u32, u32)>,
    pub serial: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    serial: u64,
    start: u32,
    end: u32,
}

impl Keys {
    /// Before an event.
    #[inline(always)]
    pub fn prepare(&mut self, nodes: usize) {
        if self.seen.len() < nodes {
            self.seen.resize(nodes, Seen::default());
        }
        if !self.dead.is_empty() || !self.dotted.is_empty() {
            self.dead.clear();
            self.dotted.clear();
        }
    }

    /// The object has a key that leads to `node`; its leaves begin at `leaves`. An earlier value of that key dies.
    #[inline(always)]
    pub fn meet(&mut self, object: u64, node: PathId, via: Via, leaves: usize) {
        if via == Via::DottedKey {
            return self.meet_dotted(object, node, leaves);
        }
        let seen = &mut self.seen[node as usize];
        if seen.serial == object && seen.end > seen.start {
            self.dead.push((seen.start, seen.end));
        }
        *seen = Seen { serial: object, start: leaves as u32, end: leaves as u32 };
    }

    /// The value of the key that leads to `node` is over; its leaves end before `leaves`.
    #[inline(always)]
    pub fn leave(&mut self, object: u64, node: PathId, via: Via, leaves: usize) {
        match via {
            Via::Nothing => {}
            Via::Key => self.seen[node as usize].end = leaves as u32,
            Via::DottedKey => self.leave_dotted(object, node, leaves),
        }
    }

    #[cold]
    fn meet_dotted(&mut self, object: u64, node: PathId, leaves: usize) {
        if let Some((start, end)) = self.dotted.insert((object, node), (leaves as u32, leaves as u32))
            && end > start
        {
            self.dead.push((start, end));
        }
    }

    #[cold]
    fn leave_dotted(&mut self, object: u64, node: PathId, leaves: usize) {
        if let Some(range) = self.dotted.get_mut(&(object, node)) {
            range.1 = leaves as u32;
        }
    }

    /// After an event: drops the leaves of the values that do not count.
    #[inline(always)]
    pub fn drop_dead<T>(&mut self, leaves: &mut Vec<T>) {
        if !self.dead.is_empty() {
            self.compact(leaves);
        }
    }

    #[cold]
    fn compact<T>(&mut self, leaves: &mut Vec<T>) {
        self.dead.sort_unstable();
        let (mut at, mut next, mut dead_until) = (0u32, 0, 0u32);
        leaves.retain(|_| {
            while let Some((start, end)) = self.dead.get(next).filter(|range| range.0 <= at) {
                debug_assert!(start <= end);
                dead_until = dead_until.max(*end);
                next += 1;
            }
            at += 1;
            at > dead_until
        });
    }
}
