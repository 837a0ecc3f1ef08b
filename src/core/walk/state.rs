//! What a walk needs besides its result: bitmaps, the stack of open containers, and the table that finds duplicate
//! keys. Reused from event to event, so that a walk allocates nothing once it is warm.

use super::Leaf;
use super::blocks::Blocks;
use super::elements::Template;
use super::shape::Shapes;
use crate::path::PathId;
use crate::value::sieve::{Class, Form, Heads};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Working memory of [`super::walk`]; one per thread, usable with any trie.
#[derive(Clone, Debug, Default)]
pub struct WalkState {
    pub(super) blocks: Blocks,
    pub(super) frames: Vec<Frame>,
    pub(super) keys: Keys,
    pub(super) shapes: Shapes,
    pub(super) template: Template,
    /// An unescaped key.
    pub(super) key: Vec<u8>,
    /// By sieve: what it has let through.
    pub(super) passed: Vec<Passed>,
    /// Numbers that were left out of this event.
    pub(super) sifted: usize,
}

impl WalkState {
    /// What the longest event so far took, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.blocks.size_bytes()
    }
}

/// A number in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numeral {
    pub start: u32,
    pub form: Form,
}

/// What a sieve has let through in the event `serial` and the trail `trail`, and what it knows of classes.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    pub serial: u64,
    pub trail: u32,
    /// `serial`, if no further number that `range` holds makes a difference.
    pub ready: u64,
    pub range: Heads,
    /// A bit for every class of which no further number makes a difference.
    pub classes: u64,
    /// The first number. Nobody has looked at it while it is `fresh`: mostly it stays alone.
    pub first: Numeral,
    pub fresh: bool,
    /// The class of the last number that makes the others needless if it is comparable, and where it stands.
    pub open: Option<(u32, Numeral)>,
    /// Remembered from event to event: classes and their numbers' first bytes, a few, the last first.
    pub known: Vec<(Class, Heads)>,
    /// Of the sieves that they belong to (see `Sieves::version`).
    pub version: u64,
}

/// An open object or array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Serial number of an object, never used twice by one state.
    pub serial: u64,
    /// Its node in the trie, or `NO_NODE` below everything that rules ask for.
    pub node: PathId,
    /// Where its tokens count, see `shape::object`.
    pub object: u64,
    /// The trail around it.
    pub trail: u32,
    /// Of an array whose elements are recorded, its number; else 0.
    pub array: u32,
    /// Elements of the array before the present one.
    pub index: u32,
    /// What is expected next, see `shape`.
    pub shape: u32,
    /// Of an object, children of its node that were not met yet; counted for `Trusted` only.
    pub left: u32,
    /// The bracket that closes it.
    pub close: u8,
    /// How it is reached from the container around it, see `Place::flags`.
    pub flags: u32,
}

/// No rule asks for anything here.
pub(super) const NO_NODE: PathId = PathId::MAX;

/// A value's place: where in the trie it is and what leads to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub node: PathId,
    /// `WANTED`, `SHARED` and `INNER` of the node, and `KEY`, `DOTTED` or `EMPTY`.
    pub flags: u32,
}

/// A key that rules ask for leads here, not an array.
pub(super) const KEY: u32 = 8;
/// The key has dots in it.
pub(super) const DOTTED: u32 = 16;
/// There is no value: the container closes here.
pub(super) const EMPTY: u32 = 32;

/// The place of what no rule asks for.
pub(super) const NOWHERE: Place = Place { node: NO_NODE, flags: 0 };

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

    /// The object has a key that leads to `node`; its leaves come behind `leaves`. An earlier value of that key dies.
    /// Whether the object meets this child for the first time; never with a dotted key, which leads past it.
    #[inline(always)]
    pub fn meet(&mut self, object: u64, node: PathId, flags: u32, leaves: &[Leaf]) -> bool {
        let now = leaves.len() as u32;
        if flags & DOTTED != 0 {
            self.meet_dotted(object, node, leaves.len());
            return false;
        }
        let seen = &mut self.seen[node as usize];
        let new = seen.serial != object;
        if !new {
            // Of a value without a bracket nobody says where it is over. What came of it, if anything did, has its path; within
            // the object nothing else has.
            let single = leaves.get(seen.start as usize).is_some_and(|leaf| leaf.path == node);
            let end = seen.end.max(seen.start + single as u32);
            if end > seen.start {
                self.dead.push((seen.start, end));
            }
        }
        *seen = Seen { serial: object, start: now, end: now };
        new
    }

    /// The container that is the value of the key that leads to `node` is over, or any value if the key has dots; its leaves
    /// end before `leaves`.
    #[inline(always)]
    pub fn leave(&mut self, object: u64, node: PathId, flags: u32, leaves: usize) {
        if flags & DOTTED != 0 {
            self.leave_dotted(object, node, leaves);
        } else if flags & KEY != 0 {
            self.seen[node as usize].end = leaves as u32;
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

    /// Whether an event has a key twice, with leaves of the earlier value.
    #[inline(always)]
    pub fn repeated(&self) -> bool {
        !self.dead.is_empty()
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
